"""Which items may be in one answer: available, within what was asked for, not bought, and each once."""

from collections.abc import Callable
from typing import Protocol

from pipelines.catalogue.item import CatalogueItem, is_within
from pipelines.list_sections import RulesConfig
from pipelines.serving.query import ListQuery


class Catalogue(Protocol):
    """What is asked of the shop's catalogue."""

    def get(self, item_id: str) -> CatalogueItem | None: ...

    def is_unavailable(self, item_id: str) -> bool: ...


class Sieve:
    """Lets items through, once each, and counts what it holds back."""

    def __init__(self, query: ListQuery, catalogue: Catalogue, rules: RulesConfig, separator: str) -> None:
        self._query, self._catalogue, self._rules, self._separator = query, catalogue, rules, separator
        self._is_gone = catalogue.is_unavailable
        self._asks_for_facts = query.asks_for_facts or rules.min_price is not None or rules.max_price is not None
        self._taken = set(query.items)
        if query.context_item is not None:
            self._taken.add(query.context_item)
        self._has_bought: Callable[[str], bool] | None = None
        self.n_gone = self.n_unwanted = self.n_bought = 0

    def leave_out(self, has_bought: Callable[[str], bool]) -> None:
        """From now on, also items that the user bought, or that lie in the cart."""
        self._has_bought = has_bought

    def takes(self, item_id: str) -> bool:
        """Whether the item goes into the answer; then it does not go in again."""
        if item_id in self._taken:
            return False
        if self._is_gone(item_id):
            self.n_gone += 1
            return False
        if self._asks_for_facts and not self._fits(self._catalogue.get(item_id)):
            self.n_unwanted += 1
            return False
        if self._has_bought is not None and self._has_bought(item_id) and not self._is_bought_again(item_id):
            self.n_bought += 1
            return False
        self._taken.add(item_id)
        return True

    def _fits(self, item: CatalogueItem | None) -> bool:
        query, rules = self._query, self._rules
        if item is None:  # nothing is known of it: it is in no category, and of no brand
            return query.category is None
        if query.category is not None and not self._is_within(item, query.category):
            return False
        if item.price is not None and not (rules.min_price or 0) <= item.price <= (rules.max_price or item.price):
            return False
        return not (
            item.brand in query.brands
            or not query.tags.isdisjoint(item.tags)
            or any(self._is_within(item, category) for category in query.categories)
        )

    def _is_bought_again(self, item_id: str) -> bool:
        again = self._rules.repurchased_categories
        item = self._catalogue.get(item_id) if again else None
        return item is not None and any(self._is_within(item, category) for category in again)

    def _is_within(self, item: CatalogueItem, category: str) -> bool:
        return is_within(item.category, category, self._separator)
