"""The catalogue of a model: which 64-bit item hash is which column."""

import numpy as np
from numpy.typing import NDArray

from pipelines.features.profile import Ints, Words


class ItemIndex:
    """Items in order of admission; lookup by hash in O(log I)."""

    def __init__(self, item: Words, item_id: NDArray[np.object_]) -> None:
        self.item = item
        self.item_id = item_id
        self._by_hash = np.argsort(item)
        self._sorted = item[self._by_hash]

    def __len__(self) -> int:
        return len(self.item)

    def find(self, item: Words) -> Ints:
        """Column of each item, −1 where there is none."""
        if not len(self):
            return np.full(len(item), -1, np.int64)
        place = np.minimum(np.searchsorted(self._sorted, item), len(self) - 1)
        return np.where(self._sorted[place] == item, self._by_hash[place], -1)

    def with_items(self, item: Words, item_id: NDArray[np.object_]) -> "ItemIndex":
        """An index that has `item` (not in it yet) at its end."""
        return ItemIndex(np.concatenate([self.item, item]), np.concatenate([self.item_id, item_id]))
