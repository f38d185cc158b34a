"""What a factorization machine keeps from one list to the next, and when it makes it anew."""

from dataclasses import dataclass

from pipelines.models.factorization.item_scores import ItemScores
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
    """Item scores and shelves of one machine; they are made when they are asked for."""

    def __init__(self) -> None:
        self._scores: ItemScores | None = None
        self._clustering = _Clustering()

    def for_copy(self) -> "Kept":
        """For a machine with more items."""
        other = Kept()
        other._clustering = self._clustering
        return other

    def step(self) -> None:
        """The machine has learned, or popularity has moved."""
        self._scores = None
        self._clustering.age += 1

    def scores(self, side: ItemSide) -> ItemScores:
        """Give the scores of all items of `side` as they are now."""
        if self._scores is None:
            self._scores = ItemScores.of(side)
        return self._scores

    def shelves(self, scores: ItemScores) -> Shelves:
        """Give shelves that may be some steps old."""
        return self._clustering.of(scores)
