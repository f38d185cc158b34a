"""How sure a mean is: percentile bootstrap over users (Efron, Tibshirani, "An Introduction to the Bootstrap", 1993, ch. 13).

Users are drawn, not their events: events of one user are alike, and drawing them one by one would make an interval too narrow.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
N_RESAMPLES = 2_000
LEVEL = 0.95
DRAWN_AT_ONCE = 2_000_000  # bounds memory: 24 bytes each


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
    (interval,) = mean_intervals({"": values}, user, seed=seed, n_resamples=n_resamples, level=level).values()
    return interval


def mean_intervals(
    values: Mapping[str, Floats],
    user: Ints | None = None,
    *,
    seed: int = 0,
    n_resamples: int = N_RESAMPLES,
    level: float = LEVEL,
) -> dict[str, Interval]:
    """The same of several values of the same n, by name, all by the same draws.

    What is no number (NaN) does not count; a name without a number has no interval, and is left out.
    """
    told = {name: value for name, value in values.items() if np.isfinite(value).any()}
    if not told:
        return {}
    every = np.stack([np.asarray(value, np.float64) for value in told.values()], axis=1)
    place = np.arange(len(every)) if user is None else np.unique(user, return_inverse=True)[1]
    n_users = int(place.max()) + 1
    is_number = np.isfinite(every)
    totals, counts = (
        np.stack([np.bincount(place, column, n_users) for column in columns.T], axis=1).astype(np.float64)
        for columns in (np.where(is_number, every, 0.0), is_number.astype(np.float64))
    )
    found = ratio_intervals(totals, counts, seed=seed, n_resamples=n_resamples, level=level)
    return {
        name: Interval(float(value[np.isfinite(value)].mean()), interval.low, interval.high)
        for (name, value), interval in zip(told.items(), found, strict=True)
    }


def ratio_intervals(
    totals: Floats, counts: Floats, *, seed: int = 0, n_resamples: int = N_RESAMPLES, level: float = LEVEL
) -> list[Interval]:
    """Of each of M figures, Σ totals / Σ counts over users, whose sums are (V, M) each; NaN where nothing counts."""
    drawn = list(_resampled_ratios(totals, counts, np.random.default_rng(seed), n_resamples))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = totals.sum(axis=0) / counts.sum(axis=0)
    tails = [(1.0 - level) / 2.0, (1.0 + level) / 2.0]
    return [
        Interval(float(mean), *(float(bound) for bound in _quantiles(resampled, tails)))
        for mean, resampled in zip(ratio, np.concatenate(drawn).T, strict=True)
    ]


def _quantiles(resampled: Floats, tails: list[float]) -> Floats:
    """Draws that have nobody who counts are left out."""
    counted = resampled[np.isfinite(resampled)]
    return np.quantile(counted, tails) if len(counted) else np.full(len(tails), np.nan)


def _resampled_ratios(totals: Floats, counts: Floats, rng: np.random.Generator, n_resamples: int) -> Iterator[Floats]:
    """(b, M) at once. How often each user is drawn, times all sums of all users: one product for all figures."""
    n_users = len(totals)
    at_once = max(1, DRAWN_AT_ONCE // n_users)
    for done in range(0, n_resamples, at_once):
        n = min(at_once, n_resamples - done)
        drawn = rng.integers(n_users, size=(n, n_users)) + n_users * np.arange(n)[:, None]
        times = np.bincount(drawn.ravel(), minlength=n * n_users).reshape(n, n_users).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            yield (times @ totals) / (times @ counts)
