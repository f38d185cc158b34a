"""An item of the shop, as everything in the suite knows it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CatalogueItem:
    """What the shop says of one item."""

    item_id: str
    title: str | None = None
    category: str | None = (
        None  # the path as one text, parts divided by `catalogue.category_separator`: as events have it
    )
    brand: str | None = None
    price: float | None = None
    image: str | None = None  # URL
    in_stock: bool = True
    hidden: bool = False
    created_ms: int | None = None  # when it came into the shop, epoch ms
    tags: tuple[str, ...] = ()
    updated_ms: int = 0  # what is older never replaces what is newer

    @property
    def is_available(self) -> bool:
        """Whether it may be shown at all."""
        return self.in_stock and not self.hidden


def is_within(category: str | None, ancestor: str, separator: str) -> bool:
    """Whether `category` is `ancestor`, or below it."""
    return category is not None and (category == ancestor or category.startswith(ancestor + separator))
