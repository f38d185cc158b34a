"""What may be in a list, and what is known of it: the items of the model, those that only the catalogue knows, and pinned ones.

An item's *place* is its row here. The model's items come first, so that the place of a score column is its number.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipelines.catalogue.arrays import CatalogueArrays, text_hash, text_hashes
from pipelines.catalogue.item import is_within
from pipelines.features.profile import Flags, Floats, Ints, Words
from pipelines.features.shown import ITEM_MASK
from pipelines.list_sections import Matching
from pipelines.models.items import ItemIndex
from pipelines.models.ranker import ItemFacts

Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True)
class Assortment:
    """P items. One that is not in the catalogue is available; what is not known of an item is 0, of a price NaN."""

    n_ranked: int  # the model's, which come first
    item: Words  # (P,) hash
    item_id: NDArray[np.object_]  # (P,)
    category: Words  # (P,) hash of the whole path
    brand: Words  # (P,) hash
    price: Floats  # (P,)
    created_s: Ints  # (P,)
    is_available: Flags  # (P,)
    row: Ints  # (P,) in the catalogue, −1 where it is not there
    catalogue: CatalogueArrays = field(repr=False)
    separator: str  # between the parts of a category's path

    @classmethod
    def of(
        cls, ranked: ItemFacts, catalogue: CatalogueArrays, separator: str, named: Collection[str] = ()
    ) -> "Assortment":
        """The model's items, by column, then the catalogue's others, then those of the ids `named` that neither knows.

        Of category and brand, the catalogue's word holds before the model's.
        """
        row = catalogue.find(ranked.item)
        is_ranked = np.zeros(len(catalogue.item), np.bool_)
        is_ranked[row[row >= 0]] = True
        others = np.flatnonzero(~is_ranked)
        known = np.concatenate([ranked.item, catalogue.item[others]])
        more = _unknown(named, known)
        row = np.concatenate([row, others, np.full(len(more), -1)])
        nothing = np.zeros(len(row) - len(ranked.item), np.uint64)
        return cls(
            n_ranked=len(ranked.item),
            item=np.concatenate([known, np.array(list(more.values()), np.uint64)]),
            item_id=np.concatenate([ranked.item_id, catalogue.item_id[others], np.array(list(more), object)]),
            category=_told(catalogue.category_hash, row, np.concatenate([ranked.category, nothing])),
            brand=_told(catalogue.brand_hash, row, np.concatenate([ranked.brand, nothing])),
            price=_at(catalogue.price, row, np.nan),
            created_s=_at(catalogue.created_s, row, 0),
            is_available=_at(catalogue.is_available, row, True),
            row=row,
            catalogue=catalogue,
            separator=separator,
        )

    def __len__(self) -> int:
        return len(self.item)

    def find(self, item: Words) -> Ints:
        """Place of each item hash, −1 where there is none."""
        return self._index.find(item)

    def find_low_bits(self, item: Words) -> Ints:
        """Place of each item by the bits of its hash that features/shown.py keeps; of two that share them, of the first."""
        if not len(self):
            return np.full(len(item), -1, np.int64)
        low, place = self._low_bits
        row = np.minimum(np.searchsorted(low, item), len(low) - 1)
        return np.where(low[row] == item, place[row], -1)

    def place_of(self, item_id: str) -> int:
        """Place of an item by its id, −1 where there is none."""
        return int(self.find(np.array([text_hash(item_id)], np.uint64))[0])

    def within(self, categories: Sequence[str]) -> Flags:
        """(P,) whether an item is in one of the categories or below: one that the catalogue does not know, by its whole path."""
        if not categories:
            return np.zeros(len(self), np.bool_)
        paths = [path for path in self.catalogue.categories if path and self._is_in(path, categories)]
        return np.isin(self.category, text_hashes([*categories, *paths]))

    def matching(self, match: Matching) -> Flags:
        """(P,) which items a rule is about."""
        fits = np.ones(len(self), np.bool_)
        if match.items:
            fits &= np.isin(self.item, text_hashes(match.items))
        if match.categories:
            fits &= self.within(match.categories)
        if match.brands:
            fits &= np.isin(self.brand, text_hashes(match.brands))
        if match.tags:
            fits &= _at(self.catalogue.tagged(match.tags), self.row, False)
        return fits

    def _is_in(self, path: str, categories: Sequence[str]) -> bool:
        return any(is_within(path, category, self.separator) for category in categories)

    @cached_property
    def _low_bits(self) -> tuple[Words, Ints]:
        low = self.item & ITEM_MASK
        order = np.argsort(low, kind="stable")
        return low[order], order

    @cached_property
    def _index(self) -> ItemIndex:
        return ItemIndex(self.item)


def _unknown(named: Collection[str], known: Words) -> Mapping[str, int]:
    """The ids whose hash is not known, with their hashes."""
    hashes = {name: text_hash(name) for name in named}
    here = set(known[np.isin(known, np.array(list(hashes.values()), np.uint64))].tolist()) if hashes else set()
    return {name: value for name, value in hashes.items() if value not in here}


def _at(values: NDArray[Value], row: Ints, unknown: object) -> NDArray[Value]:
    """The values of rows, `unknown` where a row is −1."""
    out = np.full(len(row), unknown, values.dtype)
    out[row >= 0] = values[row[row >= 0]]
    return out


def _told(values: Words, row: Ints, otherwise: Words) -> Words:
    """The values of rows, another where there is no row or it says nothing."""
    told = _at(values, row, 0)
    return np.where(told != 0, told, otherwise)
