"""What every list needs of the items: vectors and user-free scores, kept from one micro-batch to the next."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.features.profile import Flags, Ints
from pipelines.models.factorization.item_side import ItemSide
from pipelines.models.factorization.tables import Matrix, Vector

IN_VECTORS = ("item", "category", "brand")  # the tables that they are sums of
ROWS_AT_ONCE = 4_096  # what the three tables give for so many items stays in the processor's cache


@dataclass(frozen=True)
class ItemScores:
    """Of I items, as the tables were at one moment; never changed, so that copies of a model can share it."""

    vectors: Matrix  # (I, d)
    free: Vector  # (I,)
    category_row: Ints  # (I,) that the vectors were made with
    brand_row: Ints  # (I,)

    @classmethod
    def of(cls, side: ItemSide) -> "ItemScores":
        """As the tables are now."""
        d = side.tables["item"].n_dimensions
        nothing = np.empty(0, np.int64)
        return cls(np.empty((0, d), np.float32), np.empty(0, np.float32), nothing, nothing).after(side, {})

    def after(self, side: ItemSide, changed: Mapping[str, Flags]) -> "ItemScores":
        """As the tables are now: rows of them have `changed` since, and items have come at the end.

        Popularity moves all user-free scores at once; a vector is only made again when something in it has changed.
        """
        n_items, known = len(side.items), len(self.free)
        category_row, brand_row = side.attribute_rows(slice(None))
        stale = np.ones(n_items, np.bool_)
        stale[:known] = (category_row[:known] != self.category_row) | (brand_row[:known] != self.brand_row)
        if changed:
            stale[:known] |= changed["item"][:known]
            stale |= changed["category"][category_row] | changed["brand"][brand_row]
        vectors = np.empty((n_items, self.vectors.shape[1]), np.float32)
        vectors[:known] = self.vectors
        rows = np.flatnonzero(stale)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            vectors[some] = side.vectors(some)
        return ItemScores(vectors, side.free_scores(slice(None)), category_row, brand_row)
