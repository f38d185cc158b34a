"""What every list needs of the items, made once after a step: user-free scores, and vectors or the parts that they are sums of.

A step touches most categories and brands, hence most vectors. In a large catalogue it is dearer to make all of them anew
than to score a few hundred users by the parts: ⟨q, p⟩ = ⟨q, v⟩ + ⟨q, category⟩ + ⟨q, brand⟩.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from pipelines.features.profile import Flags, Ints
from pipelines.models.factorization.item_side import ItemSide
from pipelines.models.factorization.tables import Matrix, Vector


class Asked(NamedTuple):
    """Query vectors of U users, and their inner products with all rows of two tables."""

    queries: Matrix  # (U, d)
    category: Matrix  # (U, rows)
    brand: Matrix  # (U, rows)


@dataclass(frozen=True)
class ItemScores:
    """Of I items, between two steps."""

    side: ItemSide
    free: Vector  # (I,)
    category_row: Ints  # (I,)
    brand_row: Ints  # (I,)

    @classmethod
    def of(cls, side: ItemSide) -> "ItemScores":
        """As the tables are now."""
        return cls(side, side.free_scores(slice(None)), *side.attribute_rows(slice(None)))

    @cached_property
    def vectors(self) -> Matrix:
        """(I, d)."""
        return self.side.vectors(slice(None))

    def without(self, but: Flags) -> "ItemScores":
        """The same, but that (I,) some items score −inf for everybody."""
        return replace(self, free=np.where(but, np.float32(-np.inf), self.free))

    def asked(self, queries: Matrix) -> Asked:
        """Prepare to score for the users of `queries` (U, d)."""
        tables = self.side.tables
        return Asked(queries, queries @ tables["category"].values.T, queries @ tables["brand"].values.T)

    def by_parts(self, asked: Asked, user: Ints, column: Ints) -> Matrix:
        """(n, m) scores of items for some of the users."""
        scores: Matrix = asked.queries[user] @ self.side.tables["item"].values.take(column, axis=0).T
        scores += asked.category[user[:, None], self.category_row[column]]
        scores += asked.brand[user[:, None], self.brand_row[column]]
        scores += self.free[column]
        return scores

    def of_all(self, queries: Matrix, *, by_parts: bool) -> Matrix:
        """(U, I) scores of all items for the users of `queries` (U, d)."""
        if not by_parts:
            scores: Matrix = queries @ self.vectors.T
            scores += self.free
            return scores
        asked = self.asked(queries)
        scores = queries @ self.side.tables["item"].values.T
        for part, row in ((asked.category, self.category_row), (asked.brand, self.brand_row)):
            for user in range(len(queries)):  # one at a time: what it takes beside the scores stays small
                scores[user] += part[user].take(row)
        scores += self.free
        return scores
