"""What must come out: counted while the records are sent, by the shop that made them."""

from collections import Counter

from pipelines.local.shop.stream import Kind, Shop, ShopRecord
from pipelines.schemas import INTERACTION_TYPES


class Truth:
    """Tell it of each record that was sent; it is true of those and no others.

    n_sent = n_good + n_broken + n_duplicates.
    """

    def __init__(self, shop: Shop) -> None:
        self.item_categories = shop.catalogue.item_categories
        self.tastes = {
            name: [shop.catalogue.categories[c] for c in favourites]
            for name, favourites in zip(shop.people.names, shop.people.tastes.tolist(), strict=True)
        }  # each person's categories, the favourite first
        self.by_kind: Counter[Kind] = Counter()
        self.broken_by_kind: Counter[str] = Counter()  # distinct records, by BrokenKind.name
        self.broken_by_rule: Counter[str] = Counter()  # distinct records; one that breaks two rules counts in both
        self.events_by_type: Counter[str] = Counter()  # distinct good events
        self.interactions: Counter[str] = Counter()  # of each user, distinct good events of INTERACTION_TYPES

    def add(self, sent: ShopRecord) -> None:
        self.by_kind[sent.kind] += 1
        if sent.kind == "good":
            self.events_by_type[sent.event_type] += 1
            if sent.event_type in INTERACTION_TYPES:
                self.interactions[sent.user] += 1
        elif sent.kind == "broken" and sent.broken_as is not None:
            self.broken_by_kind[sent.broken_as.name] += 1
            self.broken_by_rule.update(sent.broken_as.rules)

    @property
    def n_sent(self) -> int:
        return self.by_kind.total()

    @property
    def n_good(self) -> int:
        """Distinct good events."""
        return self.by_kind["good"]

    @property
    def n_broken(self) -> int:
        """Distinct broken records."""
        return self.by_kind["broken"]

    @property
    def n_duplicates(self) -> int:
        """Records sent again, good or broken."""
        return self.by_kind["retry"] + self.by_kind["broken_retry"]
