"""Which items a model takes for alike, whoever the user is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.features.profile import Ints
from pipelines.models.co_occurrence import EMPTY, CoOccurrence
from pipelines.models.factorization.item_side import ItemSide
from pipelines.models.factorization.machine import FactorizationMachine
from pipelines.models.factorization.tables import Matrix
from pipelines.models.mixture import Mixture
from pipelines.models.model import Model

Nearest = tuple[Ints, NDArray[np.float32]]  # (n,) columns and how alike each is, the most alike first


@dataclass(frozen=True)
class ByVector:
    """The cosine of the items' vectors p_i: 1 is the same direction. (I, d), rows of length 1, or 0 where nothing is known."""

    vectors: Matrix

    @classmethod
    def of(cls, vectors: Matrix) -> "ByVector":
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return cls(np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0))

    def nearest(self, column: int, n: int) -> Nearest:
        cosine = self.vectors @ self.vectors[column]
        cosine[column] = -np.inf
        n = min(n, int((cosine > 0).sum()))
        best = np.argpartition(-cosine, n - 1)[:n] if 0 < n < len(cosine) else np.arange(len(cosine))
        best = best[np.lexsort((best, -cosine[best]))][:n]
        return best, cosine[best]


@dataclass(frozen=True)
class ByPairs:
    """The share of an item's co-occurrence that is the other's."""

    pairs: CoOccurrence

    def nearest(self, column: int, n: int) -> Nearest:
        neighbour, share = self.pairs.shares(np.array([column]))
        order = np.argsort(-share[0], kind="stable")[:n]
        order = order[(neighbour[0][order] != EMPTY) & (share[0][order] > 0)]
        return neighbour[0][order].astype(np.int64), share[0][order]


def similarity_of(model: Model) -> ByVector | ByPairs | None:
    """How the items of a model are compared; None of a kind that knows items by their popularity alone."""
    scorer = model.scorer
    if isinstance(scorer, FactorizationMachine):
        return ByVector.of(ItemSide(model.config, scorer.tables, model.items).vectors(slice(None)))
    return ByPairs(scorer.pairs) if isinstance(scorer, Mixture) else None
