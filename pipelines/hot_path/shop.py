"""What a worker knows of the shop beside the model: its catalogue, and how new items did."""

import numpy as np

from pipelines.catalogue.arrays import CatalogueArrays
from pipelines.list_sections import ListsConfig
from pipelines.lists.assortment import Assortment
from pipelines.lists.exploration import NewItems, Trials
from pipelines.lists.making import ListMaker
from pipelines.lists.shop_rules import ShopRules
from pipelines.models.ranker import ItemFacts, Ranker

NEW_ITEMS_SECONDS = 60  # so long the choice of new items is kept


class Shop:
    """Gives what makes lists, of the model and the catalogue as they are; what takes long is kept until one of them changes."""

    def __init__(self, config: ListsConfig, separator: str) -> None:
        self._config = config
        self._separator = separator
        self._catalogue = CatalogueArrays.of(())
        self._trials = Trials.none()
        self._aligned: _Aligned | None = None
        self._new_items: NewItems | None = None  # by these trials

    def follow(self, catalogue: CatalogueArrays | None = None, trials: Trials | None = None) -> None:
        """Go on with what is known now; of what is not given, with what was."""
        self._catalogue = self._catalogue if catalogue is None else catalogue
        if trials is not None:
            self._trials, self._new_items = trials, None
        self._aligned = None

    def list_maker(self, ranker: Ranker, now_s: float) -> ListMaker:
        """What makes lists of the items of `ranker` at `now_s`, epoch seconds."""
        facts = ranker.facts()
        if self._aligned is None or not self._aligned.fits(facts):
            self._aligned = _Aligned(self._rules_for(facts), facts)
        if not self._aligned.is_dated(now_s):
            rules = self._aligned.rules
            place = rules.new_items(now_s)
            self._new_items = NewItems.of(place, rules.assortment.item[place], self._trials, self._new_items)
            self._aligned.date(now_s)
        return ListMaker(self._config, self._aligned.rules, self._new_items or NewItems.none(), ranker)

    def _rules_for(self, facts: ItemFacts) -> ShopRules:
        pinned = {pin.item for pin in self._config.rules.pins}
        assortment = Assortment.of(facts, self._catalogue, self._separator, sorted(pinned))
        return ShopRules.of(self._config.rules, assortment)


class _Aligned:
    """The rules for the items of a model as they were: a model's arrays change under whoever reads them."""

    def __init__(self, rules: ShopRules, facts: ItemFacts) -> None:
        self.rules = rules
        self._facts = (facts.item.copy(), facts.category.copy(), facts.brand.copy())
        self._dated_s = -np.inf

    def fits(self, facts: ItemFacts) -> bool:
        """Whether they are the same items, and as much is known of them."""
        return all(map(np.array_equal, self._facts, (facts.item, facts.category, facts.brand)))

    def is_dated(self, now_s: float) -> bool:
        """Whether the new items were looked for a short while ago."""
        return 0 <= now_s - self._dated_s < NEW_ITEMS_SECONDS

    def date(self, now_s: float) -> None:
        """They were, at `now_s`."""
        self._dated_s = now_s
