"""Decayed popularity of every item, once for each half-life, in landmark form (features/decay.py)."""

import numpy as np
from numpy.typing import NDArray

from pipelines.features.decay import decay_factor, landmark_for
from pipelines.features.profile import Ints
from pipelines.models.spare import appended

Floats = NDArray[np.float64]


class Popularity:
    """`total[i, k]` · 2^(−(t − landmark[k])/h[k]) is the decayed weight of item i at time t."""

    def __init__(self, total: Floats, landmark_s: Floats, half_life_s: Floats) -> None:
        self.total = total  # (I, K)
        self.landmark_s = landmark_s  # (K,)
        self.half_life_s = half_life_s  # (K,)

    @classmethod
    def empty(cls, half_life_s: Floats) -> "Popularity":
        """Of no items."""
        return cls(np.zeros((0, len(half_life_s))), np.zeros(len(half_life_s)), half_life_s)

    def shares(self) -> Floats:
        """(I, K) each item's part of all popularity: a column adds up to 1, or to 0 before the first event."""
        everything = self.total.sum(axis=0)
        share: Floats = np.divide(self.total, everything, out=np.zeros_like(self.total), where=everything > 0)
        return share

    def grown(self, n_new: int) -> "Popularity":
        """The same with `n_new` more items of no popularity, in the same array where it has room (spare.py)."""
        more = np.zeros((n_new, self.total.shape[1]))
        return Popularity(appended(self.total, more), self.landmark_s, self.half_life_s)

    def only(self, column: Ints) -> "Popularity":
        """The same of the items at `column` alone."""
        return Popularity(self.total[column], self.landmark_s, self.half_life_s)

    def add(self, column: Ints, weight: Floats, as_of_s: float) -> None:
        """Add weights (n, K) that are decayed to `as_of_s`; a column may come more than once."""
        if not len(column):
            return
        newest = [landmark_for(as_of_s, half_life_s) for half_life_s in self.half_life_s]
        self.rebase(np.maximum(self.landmark_s, newest))
        np.add.at(self.total, column, weight / decay_factor(as_of_s - self.landmark_s, self.half_life_s))

    def rebase(self, landmark_s: Floats) -> None:
        """Move the landmarks by whole half-lives: powers of two, so nothing is rounded (until it underflows to 0).

        In a new array: who shares the old one goes on with the old landmarks.
        """
        if (landmark_s != self.landmark_s).any():
            self.total = self.total * decay_factor(landmark_s - self.landmark_s, self.half_life_s)
            self.landmark_s = landmark_s
