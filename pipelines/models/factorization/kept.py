"""What a factorization machine keeps from one list to the next, and when it makes it anew."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipelines.features.profile import Flags, Ints
from pipelines.models.factorization.item_scores import IN_VECTORS, ItemScores
from pipelines.models.factorization.item_side import ItemSide
from pipelines.models.factorization.pruning import Shelves

MOST_STEPS = 256  # of learning, then items are clustered anew
MOST_NEW_ITEMS = 1_024


@dataclass
class _Clustering:
    """Shared by a machine and its copies: where items stand does not depend on the last step, nor on the last item."""

    shelves: Shelves | None = None
    age: int = 0  # steps since

    def of(self, scores: ItemScores) -> Shelves:
        """Cluster when there are no shelves, when they are old, and when many items came or some left since."""
        n_new = 0 if self.shelves is None else len(scores.free) - self.shelves.n_items
        if self.shelves is None or self.age >= MOST_STEPS or not 0 <= n_new <= MOST_NEW_ITEMS:
            self.shelves, self.age = Shelves.of(scores), 0
        return self.shelves


class Kept:
    """Item scores and shelves of one machine; they are brought up to date when they are asked for."""

    def __init__(self) -> None:
        self._scores: ItemScores | None = None
        self._is_old = False
        self._changed: dict[str, Flags] = {}  # rows by table, since the scores were made
        self._clustering = _Clustering()

    def copy(self) -> "Kept":
        """For a copy of the machine."""
        other = Kept()
        other._scores, other._is_old, other._clustering = self._scores, self._is_old, self._clustering
        other._changed = self._changed  # a row that only the other one changed is read once too often, no more
        return other

    def note(self, touched: Mapping[str, Ints]) -> None:
        """After a step, which changed these rows and all popularity."""
        self._clustering.age += 1
        self._is_old = True
        for name, flags in self._changed.items():
            rows = touched[name]
            flags[rows[rows < len(flags)]] = True  # items beyond came later: what is new is made anyway

    def scores(self, side: ItemSide) -> ItemScores:
        """Give the scores of all items of `side` as they are now."""
        if self._scores is None:
            self._scores = ItemScores.of(side)
        elif self._is_old or len(self._scores.free) != len(side.items):
            self._scores = self._scores.after(side, self._changed)
        self._is_old = False
        self._changed = {name: np.zeros(len(side.tables[name].values), np.bool_) for name in IN_VECTORS}
        return self._scores

    def shelves(self, scores: ItemScores) -> Shelves:
        """Give shelves that may be some steps old."""
        return self._clustering.of(scores)
