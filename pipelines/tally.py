"""Running totals of a stream since its process started, for its heartbeat."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

RECENT_LAGS = 5_000
LATE_MS = 5_000  # as the alert has it
LAG_BOUNDS_MS = (50, 100, 200, 300, 500, 750, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 300_000)


class Tally:
    """Adds up what micro-batches report. Not a ledger: a new process starts from zero, an interrupted batch may count twice."""

    def __init__(self) -> None:
        self._totals: dict[str, Any] = {}
        self._lags_ms: deque[int] = deque(maxlen=RECENT_LAGS)

    def add(self, figures: Mapping[str, Any]) -> dict[str, Any]:
        """Take one micro-batch in; returns the figures to publish.

        Counts (`n_…`), microseconds (`…_us`) and counts by name (mappings) are summed since the start. `lag_ms` becomes the
        median and the 99th percentile of the last 5,000 lags, and since the start: their sum, how many there were, how many
        above LATE_MS, how many up to each of LAG_BOUNDS_MS and beyond. Of what was last by name (`last_…`) the newest of each
        name is kept; anything else is passed on as it is.
        """
        passed_on = {}
        for name, value in figures.items():
            if name == "lag_ms":
                self._add_lags(value)
            elif name.startswith("last_") and isinstance(value, Mapping):
                self._totals.setdefault(name, {}).update(value)
            elif isinstance(value, Mapping):
                self._add_counts(name, value)
            elif name.startswith("n_") or name.endswith("_us"):
                self._totals[name] = self._totals.get(name, 0) + value
            else:
                passed_on[name] = value
        return {**passed_on, **self._totals, **self._lag_percentiles()}

    def _add_counts(self, name: str, counts: Mapping[str, int]) -> None:
        known = self._totals.setdefault(name, {})
        known.update({key: known.get(key, 0) + count for key, count in counts.items()})

    def _add_lags(self, lags_ms: Sequence[int]) -> None:
        self._lags_ms.extend(lags_ms)
        n_late = sum(1 for lag_ms in lags_ms if lag_ms > LATE_MS)
        for name, more in {"lag_sum_ms": sum(lags_ms), "n_timed": len(lags_ms), "n_late": n_late}.items():
            self._totals[name] = self._totals.get(name, 0) + more
        place = np.searchsorted(LAG_BOUNDS_MS, lags_ms)
        counts = np.bincount(place, minlength=len(LAG_BOUNDS_MS) + 1).tolist()
        self._add_counts("lags_up_to_ms", dict(zip([*map(str, LAG_BOUNDS_MS), "inf"], counts, strict=True)))

    def _lag_percentiles(self) -> dict[str, float]:
        if not self._lags_ms:
            return {}
        p50, p99 = np.percentile(self._lags_ms, [50, 99])
        return {"lag_p50_ms": float(p50), "lag_p99_ms": float(p99)}
