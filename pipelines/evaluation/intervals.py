"""How sure a mean is: percentile bootstrap over users (Efron, Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13).

Users are drawn, not their events: events of one user are alike, and drawing them one by one would make an interval too narrow.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
N_RESAMPLES = 2_000
LEVEL = 0.95
DRAWN_AT_ONCE = 2_000_000  # bounds memory: 16 bytes each


@dataclass(frozen=True)
class Interval:
    """A mean, and where it lies in `LEVEL` of the cases."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def mean_interval(
    values: Floats, user: Ints | None = None, *, seed: int = 0, n_resamples: int = N_RESAMPLES, level: float = LEVEL
) -> Interval:
    """The mean of `values` (n,), and its interval when users are drawn anew.

    `user` (n,) says whose each value is; None: each is of another one. The same seed gives the same interval. Of a
    difference between two models, give the differences. Raises ValueError when there is no value, or one is no number.
    """
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"expected finite values to take the mean of, got {len(values)}: {values[:10].tolist()}")
    total, count = _by_user(values, user)
    means = np.concatenate(list(_resampled_means(total, count, np.random.default_rng(seed), n_resamples)))
    low, high = np.quantile(means, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(values.mean()), float(low), float(high))


def _by_user(values: Floats, user: Ints | None) -> tuple[Floats, Floats]:
    """(V,) sum and number of the values of each user."""
    if user is None:
        return values, np.ones(len(values))
    _, place = np.unique(user, return_inverse=True)
    return np.bincount(place, values).astype(np.float64), np.bincount(place).astype(np.float64)


def _resampled_means(total: Floats, count: Floats, rng: np.random.Generator, n_resamples: int) -> Iterator[Floats]:
    n_users = len(total)
    at_once = max(1, DRAWN_AT_ONCE // n_users)
    for done in range(0, n_resamples, at_once):
        drawn = rng.integers(n_users, size=(min(at_once, n_resamples - done), n_users))
        yield total[drawn].sum(axis=1) / count[drawn].sum(axis=1)
