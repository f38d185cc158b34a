"""Decayed popularity of every item, in landmark form (features/decay.py)."""

import numpy as np
from numpy.typing import NDArray

from pipelines.features.decay import decay_factor, landmark_for
from pipelines.features.profile import Ints

Floats = NDArray[np.float64]


class Popularity:
    """`total[i]` · 2^(−(t − landmark)/h) is the decayed weight of item i at time t."""

    def __init__(self, total: Floats, landmark_s: float, half_life_s: float) -> None:
        self.total = total
        self.landmark_s = landmark_s
        self.half_life_s = half_life_s

    def share(self) -> Floats:
        """(I,) each item's part of all popularity: it adds up to 1, or to 0 before the first event."""
        everything = self.total.sum()
        return self.total / everything if everything > 0 else self.total

    def grown(self, n_new: int) -> "Popularity":
        """The same with `n_new` more items of no popularity."""
        return Popularity(np.concatenate([self.total, np.zeros(n_new)]), self.landmark_s, self.half_life_s)

    def add(self, column: Ints, weight: Floats, as_of_s: float) -> None:
        """Add weights that are decayed to `as_of_s`; a column may come more than once."""
        self.rebase(max(self.landmark_s, landmark_for(as_of_s, self.half_life_s)))
        scaled = weight / decay_factor(as_of_s - self.landmark_s, self.half_life_s)
        self.total += np.bincount(column, weights=scaled, minlength=len(self.total))

    def rebase(self, landmark_s: float) -> None:
        """Move the landmark by whole half-lives: a power of two, so nothing is rounded (until it underflows to 0)."""
        if landmark_s != self.landmark_s:
            self.total *= decay_factor(landmark_s - self.landmark_s, self.half_life_s)
            self.landmark_s = landmark_s
