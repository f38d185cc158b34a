"""What a column looked like in each window: its values with their counts, and the bins that are compared."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.drift.grid import round_number

Kind = Literal["number", "category"]
Counts = NDArray[np.int64]
NUMBER: Kind = "number"
CATEGORY: Kind = "category"
MISSING, OTHER = "missing", "other"
LEAST_EXPECTED = 5  # in the current window, else Pearson's X² does not have its limit (Cochran 1954): such bins are one
OUTSIDE_BELOW = -1  # the number of the bin below all that the reference has
OWN_BIN_SHARE = 0.05  # of the current window: such a value has a bin, whether the reference knows it or not


@dataclass(frozen=True)
class Histogram:
    """Of one column. Column 0 of `counts` (V, 1 + D) is the current window, the others are the blocks of the reference.

    A value is a text, of a number the key of its step (grid.py); None is missing, and OTHER stands for all rare ones.
    """

    table: str
    column: str
    kind: Kind
    values: tuple[str | None, ...]
    counts: Counts

    @property
    def name(self) -> str:
        return f"{self.table}.{self.column}"

    @property
    def current(self) -> Counts:
        return self.counts[:, 0]

    @property
    def blocks(self) -> Counts:
        """(D, V)."""
        return self.counts[:, 1:].T

    def of_blocks(self, which: Sequence[int]) -> "Histogram":
        """With these windows of the reference only."""
        return Histogram(self.table, self.column, self.kind, self.values, self.counts[:, [0, *which]])

    def steps(self) -> tuple[tuple[int, ...], Counts]:
        """Of a number: the keys in order, and the counts (V, 1 + D) without what is missing."""
        known = sorted((int(value), place) for place, value in enumerate(self.values) if value is not None)
        return tuple(key for key, _ in known), self.counts[[place for _, place in known]]


@dataclass(frozen=True)
class Binned:
    """A few bins with a label each; `counts` is (K, 1 + D)."""

    labels: tuple[str, ...]
    counts: Counts

    @property
    def current(self) -> Counts:
        return self.counts[:, 0]

    @property
    def reference(self) -> Counts:
        """(K,) all blocks together."""
        return np.asarray(self.counts[:, 1:].sum(axis=1), np.int64)


def histogram(
    table: str, column: str, kind: Kind, counted: Mapping[str | None, Sequence[int]], n_windows: int
) -> Histogram:
    """Make one from counts by value; in the order of the values, missing last."""
    ordered = sorted(counted, key=lambda value: (value is None, _place(kind, value)))
    counts = np.array([counted[value] for value in ordered], np.int64).reshape(len(ordered), n_windows)
    return Histogram(table, column, kind, tuple(ordered), counts)


def binned(of: Histogram, n_bins: int, n_values: int) -> Binned:
    """The bins that are compared. A number: `n_bins` with equal shares of the reference, and one on either side of all that the
    reference has. A category: its `n_values` most frequent values, and the others. What is missing has a bin of its own.

    Where fewer than LEAST_EXPECTED rows of the current window are expected, a bin of a number joins its neighbour, a value the
    others. Expected is what all windows have together: it says nothing of how they differ, so it biases no test.
    """
    bins = _number_bins(of, n_bins) if of.kind == NUMBER else _category_bins(of, n_values)
    missing = [place for place, value in enumerate(of.values) if value is None]
    if missing and of.counts[missing].sum():
        return Binned((*bins.labels, MISSING), np.concatenate([bins.counts, of.counts[missing]]))
    return bins


def median(of: Histogram, windows: slice) -> float | None:
    """Of a number, to a step of the grid, in these windows; None where there is no number."""
    keys, counts = of.steps()
    cumulative = np.cumsum(counts[:, windows].sum(axis=1))
    if not len(keys) or cumulative[-1] == 0:
        return None
    return round_number(keys[int(np.searchsorted(cumulative, (cumulative[-1] + 1) // 2))])


def _place(kind: Kind, value: str | None) -> tuple[int, str]:
    return (int(value), "") if kind == NUMBER and value is not None else (0, value or "")


def _expected(of: Histogram) -> NDArray[np.float64]:
    """(V,) rows of each value that are expected in the current window."""
    return np.asarray(of.counts.sum(axis=1) / max(of.counts.sum(), 1) * of.current.sum(), np.float64)


def _number_bins(of: Histogram, n_bins: int) -> Binned:
    keys, counts = of.steps()
    if not keys:
        return _none(of)
    begins = _merged(_begins(counts[:, 1:].sum(axis=1), n_bins), counts)
    edges = [f"{round_number(keys[begin]):.5g}" for begin in begins[1:]]
    between = [f"{low} to {high}" for low, high in itertools.pairwise(edges)]
    labels = (f"below {edges[0]}", *between, f"{edges[-1]} and more") if edges else ("any number",)
    return Binned(labels, np.add.reduceat(counts, begins, axis=0))


def _begins(reference: Counts, n_bins: int) -> list[int]:
    """The steps (of V) that begin a bin: 0, then where the next quantile begins, and what the reference does not have at all."""
    if not reference.sum():
        return [0]
    # A step belongs to the quantile that its middle lies in; one that the reference does not have, to that of the one before.
    middle = (np.cumsum(reference) - reference / 2) / reference.sum()
    number = np.minimum((middle * n_bins).astype(np.int64), n_bins - 1)
    known = np.flatnonzero(reference)
    number[: known[0]], number[known[-1] + 1 :] = OUTSIDE_BELOW, n_bins
    return [int(place) for place in np.flatnonzero(np.diff(number, prepend=OUTSIDE_BELOW - 1))]


def _merged(begins: list[int], counts: Counts) -> list[int]:
    """Without the begins of bins that are too small: each joins the one before, the first one the next."""
    of_bins = np.add.reduceat(counts, begins, axis=0)
    expected = of_bins.sum(axis=1) / max(counts.sum(), 1) * counts[:, 0].sum()
    small = np.flatnonzero(expected < LEAST_EXPECTED)
    if not len(small) or len(begins) == 1:
        return begins
    return _merged([begin for place, begin in enumerate(begins) if place != max(int(small[-1]), 1)], counts)


def _category_bins(of: Histogram, n_values: int) -> Binned:
    expected, share = _expected(of), of.current / max(of.current.sum(), 1)
    known = [place for place, value in enumerate(of.values) if value not in (None, OTHER)]
    ranked = sorted(known, key=lambda place: (-expected[place], str(of.values[place])))
    kept = [
        place
        for rank, place in enumerate(ranked)
        if (rank < n_values or share[place] >= OWN_BIN_SHARE) and expected[place] >= LEAST_EXPECTED
    ]
    rest = of.counts[[n for n, value in enumerate(of.values) if value is not None and n not in kept]]
    labels, counts = tuple(str(of.values[place]) for place in kept), of.counts[kept]
    if rest.sum():
        return Binned((*labels, OTHER), np.concatenate([counts, rest.sum(axis=0, keepdims=True)]))
    return Binned(labels, counts)


def _none(of: Histogram) -> Binned:
    return Binned((), np.zeros((0, of.counts.shape[1]), np.int64))
