"""What a record of a shop's catalogue says. The names and values that are understood: docs/catalogue.md."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pipelines.catalogue import values
from pipelines.catalogue.item import CatalogueItem
from pipelines.catalogue.values import BrokenValueError

DAY_MS = 86_400_000

# field → names it may have in a record, the first that has a value counts. Those of Google's product data specification
# (https://support.google.com/merchants/answer/7052112) are among them, with or without the `g:` of its XML and RSS feeds.
NAMES = {
    "item_id": ("item_id", "id", "sku", "product_id"),
    "title": ("title", "name"),
    "category": ("category", "product_type", "category_path", "category_code"),
    "brand": ("brand", "vendor"),
    "price": ("price",),
    "image": ("image", "image_link", "image_url"),
    "in_stock": ("in_stock", "is_in_stock", "availability"),
    "hidden": ("hidden", "is_hidden"),
    "created_ms": ("created_at", "created_ms"),
    "tags": ("tags", "labels"),
    "updated_ms": ("updated_at", "updated_ms"),
}
MORE_TAGS = tuple(f"custom_label_{i}" for i in range(5))  # of the same specification: one tag each
KNOWN = frozenset({*MORE_TAGS, *(name for names in NAMES.values() for name in names)})


@dataclass(frozen=True)
class Rejected:
    """A record that is no item."""

    item_id: str | None  # None where it cannot be told
    reasons: tuple[str, ...]  # field: what was expected and what came


def parse_item(record: Mapping[str, Any], *, separator: str, as_of_ms: int) -> CatalogueItem | Rejected:
    """Read a record.

    `as_of_ms` is when it was written: its `updated_ms`, where it does not say; one that is a day and more ahead of that is
    refused, for nothing could ever replace the item again. Fields that are not known are passed over.
    """
    told = {plain_name(name): value for name, value in record.items() if not values.is_nothing(value)}
    read: dict[str, Any] = {}
    reasons: list[str] = []
    for field, names in NAMES.items():
        if name := next((name for name in names if name in told), None):
            try:
                read[field] = _reader_of(field, separator)(told[name])
            except BrokenValueError as error:
                reasons.append(f"{name}: {error}")
        elif field == "item_id":
            reasons.append(f"item_id: missing; expected one of {', '.join(names)}")
    labels = [told[name] for name in MORE_TAGS if name in told]
    try:
        read["tags"] = tuple(dict.fromkeys([*read.get("tags", ()), *map(values.as_text, labels)]))
    except BrokenValueError as error:
        reasons.append(f"custom_label: {error}")
    if read.get("updated_ms", 0) > as_of_ms + DAY_MS:
        reasons.append("updated_at: more than a day ahead of the record itself")
    if reasons:
        return Rejected(read.get("item_id"), tuple(reasons))
    return CatalogueItem(**{"updated_ms": as_of_ms} | read)


@lru_cache(1_024)  # every record has the same names
def plain_name(name: str) -> str:
    """The name of a field as NAMES has it: `g:Image Link` is `image_link`."""
    return name.strip().lstrip("\ufeff").lower().removeprefix("g:").replace(" ", "_").replace("-", "_")


def unknown_fields(names: Iterable[str]) -> list[str]:
    """Those of a record's fields that are passed over."""
    return sorted(name for name in names if plain_name(name) not in KNOWN)


def _reader_of(field: str, separator: str) -> Callable[[Any], Any]:
    if field == "category":
        return lambda value: values.as_path(value, separator)
    return _READERS[field]


_READERS: dict[str, Callable[[Any], Any]] = {
    "item_id": values.as_id,
    "title": values.as_text,
    "brand": values.as_text,
    "price": values.as_price,
    "image": values.as_text,
    "in_stock": values.as_in_stock,
    "hidden": values.as_flag,
    "created_ms": values.as_ms,
    "tags": values.as_tags,
    "updated_ms": values.as_ms,
}
