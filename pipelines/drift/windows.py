"""Which times are compared: the current window, and the same hours of the days before, whole.

A shop has a rhythm of days and of weeks. So the reference is no stretch of time but windows ("blocks") as long as the current
one, each some whole days earlier: six hours of a morning are held against mornings. What the blocks differ by among each other
says what is usual (figures.dispersion), and those of the same weekday are looked at once more on their own.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column
from pyspark.sql import functions as F

from pipelines.drift_sections import DriftConfig

HOUR_MS, DAY_MS = 3_600_000, 24 * 3_600_000
OUTSIDE = -1


@dataclass(frozen=True)
class Windows:
    """Window 0 is the `hours` before `as_of` (UTC), its end not included; window k is k × `period_days` earlier."""

    as_of: datetime
    hours: float
    n_blocks: int

    @classmethod
    def of(cls, as_of: datetime, config: DriftConfig) -> "Windows":
        return cls(as_of, config.window_hours, config.n_blocks)

    @property
    def period_days(self) -> int:
        """Whole days from one block to the next: as few as keep them apart."""
        return math.ceil(self.hours / 24)

    @property
    def start(self) -> datetime:
        """Begin of the current window."""
        return self.as_of - timedelta(hours=self.hours)

    @property
    def reference_start(self) -> datetime:
        """Begin of the earliest block."""
        return self.start - timedelta(days=self.period_days * self.n_blocks)

    @property
    def same_weekday(self) -> tuple[int, ...]:
        """The blocks whole weeks earlier."""
        return tuple(k for k in range(1, self.n_blocks + 1) if k * self.period_days % 7 == 0)

    def index_column(self, time: Column) -> Column:
        """Window (long) of a time; null outside of all."""
        before_ms = F.lit(self._as_of_ms - 1) - F.unix_millis(time)
        index = F.floor(before_ms / self._period_ms).cast("long")
        is_inside = (before_ms >= 0) & (F.pmod(before_ms, F.lit(self._period_ms)) < self._window_ms)
        return F.when(is_inside & (index <= self.n_blocks), index)

    def index(self, time_ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) the same of epoch milliseconds; OUTSIDE where it is in none."""
        before_ms = self._as_of_ms - 1 - time_ms
        index = before_ms // self._period_ms
        is_inside = (before_ms >= 0) & (before_ms % self._period_ms < self._window_ms) & (index <= self.n_blocks)
        return np.where(is_inside, index, OUTSIDE)

    @property
    def _as_of_ms(self) -> int:
        return round(self.as_of.timestamp() * 1000)

    @property
    def _period_ms(self) -> int:
        return self.period_days * DAY_MS

    @property
    def _window_ms(self) -> int:
        return round(self.hours * HOUR_MS)
