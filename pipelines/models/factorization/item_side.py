"""What is said of items, whoever the user is: their vectors p, and the part of the score that is the same for everybody."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipelines.features.profile import Ints, Words
from pipelines.model_sections import ModelConfig
from pipelines.models.factorization.tables import Matrix, Table, Vector
from pipelines.models.items import Floats, Items


@dataclass(frozen=True)
class ItemSide:
    """Reads the tables for the items of a catalogue, between two steps."""

    config: ModelConfig
    tables: dict[str, Table]
    items: Items

    def vectors(self, column: Ints | slice) -> Matrix:
        """(n, d) p_i = item + category + brand."""
        of_category, of_brand = self.attribute_rows(column)
        vectors: Matrix = self.tables["item"].values[column] + self.tables["category"].values[of_category]
        vectors += self.tables["brand"].values[of_brand]
        return vectors

    def free_scores(self, column: Ints | slice) -> Vector:
        """(n,) bias and popularity terms."""
        by_popularity = _weighted(self.popularity_terms(column), self.popularity_weights)
        free: Vector = self.tables["bias"].values[column, 0] + by_popularity
        return free

    def repeat_scores(self, terms: Matrix) -> Vector:
        """(n,) what having had an item before adds, by its terms (n, R)."""
        return _weighted(terms, self.repeat_weights)

    def popularity_terms(self, column: Ints | slice) -> Matrix:
        """(n, K) logarithm of the share of popularity, in parts of an even share."""
        share = self.items.popularity.total[column] * self._even_shares
        terms: Matrix = np.log(share + self.config.factorization.popularity_smoothing).astype(np.float32)
        return terms

    def attribute_rows(self, column: Ints | slice) -> tuple[Ints, Ints]:
        """(n,) rows of the category and of the brand table."""
        fm = self.config.factorization
        return (
            hashed_rows(self.items.category[column], fm.category_rows),
            hashed_rows(self.items.brand[column], fm.brand_rows),
        )

    @cached_property
    def _even_shares(self) -> Floats:
        """(K,) what makes parts of an even share of popularity: it takes all items to know, so it is worked out once."""
        total = self.items.popularity.total
        even: Floats = len(total) / np.maximum(total.sum(axis=0), 1e-300)
        return even

    @property
    def popularity_weights(self) -> Vector:
        """(K,)."""
        return self.tables["term"].values[: len(self.config.popularity_half_lives_hours), 0]

    @property
    def repeat_weights(self) -> Vector:
        """(R,)."""
        return self.tables["term"].values[len(self.config.popularity_half_lives_hours) :, 0]


def _weighted(terms: Matrix, weights: Vector) -> Vector:
    """By `dot`: after `@` numpy warns of invalid values that OpenBLAS only read beside the matrix; the result is the same."""
    sums: Vector = terms.dot(weights)
    return sums


def hashed_rows(value: Words, n_rows: int) -> Ints:
    """Row of a category or brand by its hash; 0 where it has none."""
    return np.where(value == 0, 0, (value % np.uint64(n_rows - 1)).astype(np.int64) + 1)
