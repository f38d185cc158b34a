"""What a user did before, as sparse rows: the user side of every ranker.

Interactions of B rows (users, or examples to learn from) lie flat, by row and time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.features.decay import decay_factor
from pipelines.features.fold import Timeline
from pipelines.features.profile import Ints, Words, key_code, key_time_s
from pipelines.model_sections import ModelConfig
from pipelines.models.items import weights_of_codes

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Past:
    """E interactions with items that the model knows."""

    n_rows: int
    row: Ints  # (E,) ascending
    column: Ints  # (E,) of the item
    age_s: Ints  # (E,) at the row's moment, never below 0
    weight: Floats  # (E,) of the event type, signed


@dataclass(frozen=True)
class OwnItems:
    """The P distinct items of each row's past, by row and column."""

    row: Ints  # (P,)
    column: Ints  # (P,)
    place: Ints  # (E,) which of them an interaction is with

    def sums(self, values: Floats) -> Floats:
        """(P,) sums of a value (E,) of the interactions."""
        return np.bincount(self.place, values, len(self.row)).astype(np.float64)

    def find(self, row: Ints, column: Ints, n_items: int) -> Ints:
        """Place of each (row, column), −1 where the row's past has not that item."""
        if not len(self.row):
            return np.full(len(row), -1, np.int64)
        code, wanted = self.row * n_items + self.column, row * n_items + column
        place = np.minimum(np.searchsorted(code, wanted), len(code) - 1)
        return np.where(code[place] == wanted, place, -1)


def past_of(
    config: ModelConfig, n_rows: int, row: Ints, column: Ints, key: Words, as_of_s: Ints, most: int | None = None
) -> Past:
    """Make a Past of flat interactions, by row and time; items with a column below 0 are left out.

    as_of_s: (n_rows,) each row's moment, epoch seconds; most: keep the newest so many of a row (unknown items count).
    """
    kept = column >= 0
    if most is not None:
        newer = np.cumsum(np.bincount(row, minlength=n_rows))[row] - 1 - np.arange(len(row))
        kept &= newer < most
    row, column, key = row[kept], column[kept], key[kept]
    age_s = np.maximum(as_of_s[row] - key_time_s(key), 0)
    return Past(n_rows, row, column, age_s, weights_of_codes(config)[key_code(key)])


def own_items(past: Past, n_items: int) -> OwnItems:
    """The distinct items of each row."""
    pair, place = np.unique(past.row * n_items + past.column, return_inverse=True)
    row, column = np.divmod(pair, max(n_items, 1))
    return OwnItems(row, column, place)


def decayed(past: Past, half_life_s: float) -> Floats:
    """(E,) signed weights as they are at the row's moment."""
    return past.weight * decay_factor(past.age_s, half_life_s)


def earlier_seconds(timeline: Timeline, rows: Ints, most: int) -> tuple[Ints, Ints]:
    """Begin and end of the rows that are of the same user and an earlier second: at most `most`, the newest."""
    everybody = np.arange(len(timeline.user))
    new_user = np.diff(timeline.user, prepend=-1) != 0
    new_second = new_user | (np.diff(key_time_s(timeline.key), prepend=-1) != 0)
    first_of_user = np.maximum.accumulate(np.where(new_user, everybody, 0))
    end = np.maximum.accumulate(np.where(new_second, everybody, 0))[rows]
    return np.maximum(first_of_user[rows], end - most), end


def ranges(start: Ints, length: Ints) -> Ints:
    """start[0] … start[0] + length[0] − 1, start[1] … as one array."""
    before = np.cumsum(length) - length
    return np.repeat(start - before, length) + np.arange(int(length.sum()))
