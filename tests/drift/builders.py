"""Histograms for tests."""

import numpy as np

from pipelines.drift.grid import keys
from pipelines.drift.histogram import CATEGORY, NUMBER, histogram

DAYS = 7


def categories(current, *blocks, column="device"):
    """Of dicts of counts by value: the current window, then the blocks."""
    windows = [current, *blocks]
    counted = {value: [w.get(value, 0) for w in windows] for value in dict.fromkeys(v for w in windows for v in w)}
    return histogram("events", column, CATEGORY, counted, len(windows))


def numbers(current, *blocks, column="price"):
    """Of lists of numbers; None is missing."""
    windows = [[None if v is None else str(keys(np.array([v], float))[0]) for v in w] for w in (current, *blocks)]
    counted = {key: [w.count(key) for w in windows] for key in {key for w in windows for key in w}}
    return histogram("events", column, NUMBER, counted, len(windows))


def drawn(rng, shares, n, days=DAYS, **of):
    """A category whose every window is drawn from the same shares, `n` rows each."""
    windows = [
        dict(zip(shares, rng.multinomial(n, list(shares.values())).tolist(), strict=True)) for _ in range(days + 1)
    ]
    return categories(*windows, **of)
