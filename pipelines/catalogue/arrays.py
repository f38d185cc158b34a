"""The catalogue as columns, for looking at many items at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh64_intdigest

from pipelines.catalogue.item import CatalogueItem, is_within
from pipelines.list_sections import Matching

SEED = 42  # of Spark's xxhash64

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Tags = tuple[str, ...]


def text_hash(text: str) -> int:
    """Give the hash of an id, a category or a brand, as Spark's `xxhash64(text)` does it, read as unsigned."""
    return xxh64_intdigest(text.encode(), SEED)


def text_hashes(texts: Iterable[str | None]) -> Words:
    """(n,) the hash of each text; 0 where there is none."""
    return np.fromiter((text_hash(text) if text else 0 for text in texts), np.uint64)


@dataclass(frozen=True)
class CatalogueArrays:
    """I items by hash, ascending and unique. Never changed: what changes makes new arrays."""

    item: Words  # (I,)
    item_id: NDArray[np.object_]  # (I,)
    category: Ints  # (I,) index into `categories`
    brand: Ints  # (I,) index into `brands`
    tag_set: Ints  # (I,) index into `tag_sets`
    price: Floats  # (I,) NaN unknown
    created_s: Ints  # (I,) epoch seconds; 0 unknown
    is_available: Flags  # (I,)
    categories: tuple[str | None, ...]  # the paths as text, once each; also of items that were
    brands: tuple[str | None, ...]
    tag_sets: tuple[Tags, ...]

    @classmethod
    def of(cls, items: Iterable[CatalogueItem], like: "CatalogueArrays | None" = None) -> "CatalogueArrays":
        """Of items, each once. What stands in `like.categories`, `like.brands` and `like.tag_sets` keeps its index."""
        told = list(items)
        hashes = text_hashes(item.item_id for item in told)
        order = np.argsort(hashes)
        told = [told[row] for row in order]
        category, categories = _coded((item.category for item in told), like.categories if like else ())
        brand, brands = _coded((item.brand for item in told), like.brands if like else ())
        tag_set, tag_sets = _coded((item.tags for item in told), like.tag_sets if like else ())
        return cls(
            item=hashes[order],
            item_id=np.array([item.item_id for item in told], object),
            category=category,
            brand=brand,
            tag_set=tag_set,
            price=np.array([np.nan if item.price is None else item.price for item in told], np.float64),
            created_s=np.array([(item.created_ms or 0) // 1_000 for item in told], np.int64),
            is_available=np.array([item.is_available for item in told], np.bool_),
            categories=categories,
            brands=brands,
            tag_sets=tag_sets,
        )

    def __len__(self) -> int:
        return len(self.item)

    @property
    def category_hash(self) -> Words:
        """(I,) of the whole text, as the model has it; 0 unknown."""
        return text_hashes(self.categories)[self.category]

    @property
    def brand_hash(self) -> Words:
        """(I,) as the model has it; 0 unknown."""
        return text_hashes(self.brands)[self.brand]

    def find(self, item: Words) -> Ints:
        """Row of each item hash, −1 where the catalogue has none: then it is available, and nothing is known of it."""
        if not len(self):
            return np.full(len(item), -1, np.int64)
        row = np.minimum(np.searchsorted(self.item, item), len(self) - 1)
        return np.where(self.item[row] == item, row, -1)

    def within(self, categories: Sequence[str], separator: str) -> Flags:
        """(I,) whether the item is in one of the categories, or below it."""
        inside = [any(is_within(path, of, separator) for of in categories) for path in self.categories]
        return np.array(inside, np.bool_)[self.category]

    def tagged(self, tags: Sequence[str]) -> Flags:
        """(I,) whether the item has one of the tags."""
        wanted = set(tags)
        return np.array([not wanted.isdisjoint(tag_set) for tag_set in self.tag_sets], np.bool_)[self.tag_set]

    def matching(self, match: Matching, separator: str) -> Flags:
        """(I,) whether the item fits everything that `match` gives."""
        fits = np.ones(len(self), np.bool_)
        if match.items:
            fits &= np.isin(self.item, text_hashes(match.items))
        if match.categories:
            fits &= self.within(match.categories, separator)
        if match.brands:
            fits &= np.array([brand in match.brands for brand in self.brands], np.bool_)[self.brand]
        if match.tags:
            fits &= self.tagged(match.tags)
        return fits

    def with_changed(self, items: Iterable[CatalogueItem]) -> "CatalogueArrays":
        """The catalogue after these items changed or came: as `of` all of them makes it, for the price of a copy."""
        changed = CatalogueArrays.of(items, self)
        row = self.find(changed.item)
        known = row >= 0
        place = np.searchsorted(self.item, changed.item[~known])

        def merged(name: str) -> NDArray[Any]:
            column, told = getattr(self, name).copy(), getattr(changed, name)
            column[row[known]] = told[known]
            return column if known.all() else np.insert(column, place, told[~known])

        columns = {name: merged(name) for name in _COLUMNS}
        return CatalogueArrays(
            **columns, categories=changed.categories, brands=changed.brands, tag_sets=changed.tag_sets
        )


_COLUMNS = ("item", "item_id", "category", "brand", "tag_set", "price", "created_s", "is_available")


def _coded(values: Iterable[Any], known: tuple[Any, ...]) -> tuple[Ints, tuple[Any, ...]]:
    """The index of each value among the distinct ones; those of `known` come first."""
    index = {value: place for place, value in enumerate(known)}
    codes = np.fromiter((index.setdefault(value, len(index)) for value in values), np.int64)
    return codes, tuple(index)
