"""Sampled softmax over a mini-batch: its value, and its gradient by the scores of all candidates.

The candidates of an example are the item that was chosen, every item of its own past, and negatives that all examples share;
log-Q correction makes their sum an estimate of the softmax over all items (Bengio, Senécal 2008). Own items are always
candidates, so that the repeat terms learn to tell one of them from the other; their expected count is 1.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.features.profile import Flags, Ints
from pipelines.models.factorization.tables import Matrix, Vector
from pipelines.models.past import OwnItems


@dataclass(frozen=True)
class Candidates:
    """The candidates of B examples by columns: chosen (B,), own (P,) with the example of each, negatives (N,)."""

    chosen: Ints
    chosen_place: Ints  # (B,) which own item was chosen; −1 where it is new to the user
    own_row: Ints
    own: Ints
    negatives: Ints
    hidden: tuple[Ints, Ints]  # (example, place in negatives) of negatives that are the chosen or an own item

    @property
    def is_own(self) -> Flags:
        """(B,) whether the user had met the chosen item before."""
        return self.chosen_place >= 0


@dataclass(frozen=True)
class Scored:
    """A number for every candidate; own items that were chosen stand once, as chosen."""

    chosen: Vector  # (B,)
    own: Vector  # (P,)
    negatives: Matrix  # (B, N)


def candidates(chosen: Ints, own: OwnItems, negatives: Ints, n_items: int) -> Candidates:
    """Find who is a candidate of what, and which of the shared negatives an example must not see."""
    n_examples = len(chosen)
    examples = np.arange(n_examples)
    place_of = np.full(n_items, -1, np.int32)
    place_of[negatives] = np.arange(len(negatives))
    place = np.concatenate([place_of[chosen], place_of[own.column]])
    row = np.concatenate([examples, own.row])
    met = place >= 0
    chosen_place = own.find(examples, chosen, n_items)
    return Candidates(chosen, chosen_place, own.row, own.column, negatives, (row[met], place[met]))


def softmax_gradient(scores: Scored, among: Candidates, weight: Vector) -> tuple[Vector, Scored]:
    """Loss of each example (B,), nats, and the gradient of the weighted sum by the scores. The scores are used up.

    scores: log-Q corrected; weight: (B,).
    """
    own = scores.own
    own[among.chosen_place[among.is_own]] = -np.inf  # it is there as the chosen one
    negatives = scores.negatives
    negatives[among.hidden] = -np.inf
    highest = np.maximum(scores.chosen, negatives.max(axis=1, initial=-np.inf))
    np.maximum.at(highest, among.own_row, own)

    negatives -= highest[:, None]
    np.exp(negatives, out=negatives)
    own = np.exp(own - highest[among.own_row])
    chosen = np.exp(scores.chosen - highest)
    total = chosen + negatives.sum(axis=1) + np.bincount(among.own_row, own, len(chosen)).astype(np.float32)
    loss = np.log(total) - (scores.chosen - highest)

    scale = weight / total
    negatives *= scale[:, None]
    return loss, Scored(chosen * scale - weight, own * scale[among.own_row], negatives)
