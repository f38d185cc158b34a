"""Decayed item-to-item co-occurrence in a bounded table: each item keeps its strongest neighbours.

A full row makes room as in weighted Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent and
Top-k Elements in Data Streams", ICDT 2005): a newcomer takes the weakest slot and inherits its weight, so that slowly
building neighbours get in; a weight is then too high by at most the weakest of its row.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.features.decay import decay_factor, landmark_for
from pipelines.features.profile import Flags, Ints
from pipelines.models.spare import lengthened

Slots = NDArray[np.int32]
Weights = NDArray[np.float32]
EMPTY = -1


@dataclass(frozen=True)
class Rows:
    """Rows of the table as they are after a step: (r,), (r, K), (r, K)."""

    column: Ints
    neighbour: Slots
    weight: Weights


class CoOccurrence:
    """`weight[i, k]` · 2^(−(t − landmark)/h) is how strongly items i and `neighbour[i, k]` go together at time t."""

    def __init__(self, neighbour: Slots, weight: Weights, landmark_s: float, half_life_s: float) -> None:
        self.neighbour = neighbour  # (I, K), EMPTY where the slot is free
        self.weight = weight  # (I, K), 0 where the slot is free
        self.landmark_s = landmark_s
        self.half_life_s = half_life_s

    @classmethod
    def empty(cls, n_items: int, n_neighbours: int, half_life_s: float) -> "CoOccurrence":
        shape = (n_items, n_neighbours)
        return cls(np.full(shape, EMPTY, np.int32), np.zeros(shape, np.float32), 0.0, half_life_s)

    def grown(self, n_new: int) -> "CoOccurrence":
        """The same with `n_new` more items that have no neighbours, in the same arrays where they have room (spare.py)."""
        neighbour, weight = lengthened(self.neighbour, n_new, EMPTY), lengthened(self.weight, n_new)
        return CoOccurrence(neighbour, weight, self.landmark_s, self.half_life_s)

    def only(self, column: Ints) -> "CoOccurrence":
        """The table of the items at `column` (sorted) alone; neighbours that left free their slots."""
        moved = np.full(len(self.neighbour) + 1, EMPTY, np.int32)  # the last place answers for EMPTY
        moved[column] = np.arange(len(column))
        neighbour = moved[self.neighbour[column]]
        weight = np.where(neighbour == EMPTY, np.float32(0), self.weight[column])
        return CoOccurrence(neighbour, weight, self.landmark_s, self.half_life_s)

    def shares(self, column: Ints) -> tuple[Slots, Weights]:
        """Neighbours of items (n,) as (n, K), and each one's part of its item's total."""
        weight = self.weight[column]
        total = weight.sum(axis=1, keepdims=True)
        return self.neighbour[column], np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)

    def add(self, first: Ints, second: Ints, weight: NDArray[np.float64], as_of_s: float) -> Rows:
        """Add pairs, in both directions, with weights decayed to `as_of_s`. Returns the rows that changed."""
        self.rebase(max(self.landmark_s, landmark_for(as_of_s, self.half_life_s)))
        scaled = weight / decay_factor(as_of_s - self.landmark_s, self.half_life_s)
        row, neighbour, added, _ = _summed_by_pair(
            np.concatenate([first, second]), np.concatenate([second, first]), np.concatenate([scaled, scaled])
        )
        touched = np.unique(row)
        changed = self._strongest(touched, row, neighbour, added)
        self.neighbour[touched], self.weight[touched] = changed.neighbour, changed.weight
        return changed

    def set_rows(self, rows: Rows) -> None:
        """Take over rows that another copy computed."""
        self.neighbour[rows.column], self.weight[rows.column] = rows.neighbour, rows.weight

    def rebase(self, landmark_s: float) -> None:
        """Move the landmark by whole half-lives: a power of two, so nothing is rounded (until it underflows to 0)."""
        if landmark_s != self.landmark_s:
            self.weight *= np.float32(decay_factor(landmark_s - self.landmark_s, self.half_life_s))
            self.landmark_s = landmark_s

    def _strongest(self, touched: Ints, row: Ints, neighbour: Ints, added: NDArray[np.float64]) -> Rows:
        """The K strongest of what the touched rows held and what is added to them."""
        slots = self.neighbour.shape[1]
        before, weight_before = self.neighbour[touched], self.weight[touched]
        held_row, slot = np.nonzero(before != EMPTY)
        all_row, all_neighbour, all_weight, is_held = _summed_by_pair(
            np.concatenate([held_row, np.searchsorted(touched, row)]),
            np.concatenate([before[held_row, slot], neighbour]),
            np.concatenate([weight_before[held_row, slot], added]),
            n_held=len(held_row),
        )
        weakest = np.where((before != EMPTY).all(axis=1), weight_before.min(axis=1), 0.0)
        all_weight = all_weight + np.where(is_held, 0.0, weakest[all_row])

        order = np.argsort(-all_weight, kind="stable")  # ties: the older item first
        order = order[np.argsort(all_row[order], kind="stable")]
        rank = np.arange(len(order)) - np.searchsorted(all_row, all_row)  # all_row is sorted, so it is all_row[order]
        strongest = rank < slots
        out = CoOccurrence.empty(len(touched), slots, self.half_life_s)
        out.neighbour[all_row[strongest], rank[strongest]] = all_neighbour[order[strongest]]
        out.weight[all_row[strongest], rank[strongest]] = all_weight[order[strongest]]
        return Rows(touched, out.neighbour, out.weight)


def _summed_by_pair(
    row: Ints, neighbour: Ints, weight: NDArray[np.float64], n_held: int = 0
) -> tuple[Ints, Ints, NDArray[np.float64], Flags]:
    """One entry per (row, neighbour), sorted by both: the weights added up in the order given, and whether any is of the
    first `n_held`.
    """
    pair = (row.astype(np.int64) << 32) | neighbour.astype(np.int64)
    order = np.argsort(pair, kind="stable")
    pair = pair[order]
    start = np.flatnonzero(np.concatenate([[True], pair[1:] != pair[:-1]])) if len(pair) else np.empty(0, np.int64)
    total = np.add.reduceat(weight[order], start) if len(pair) else weight
    return pair[start] >> 32, pair[start] & 0xFFFFFFFF, total, order[start] < n_held
