"""Running totals of a stream since its process started, for its heartbeat."""

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

RECENT_LAGS = 5_000


class Tally:
    """Adds up what micro-batches report. Not a ledger: a new process starts from zero, an interrupted batch may count twice."""

    def __init__(self) -> None:
        self._totals: dict[str, Any] = {}
        self._lags_ms: deque[int] = deque(maxlen=RECENT_LAGS)

    def add(self, figures: Mapping[str, Any]) -> dict[str, Any]:
        """Take one micro-batch in; returns the figures to publish.

        Counts (`n_…`), microseconds (`…_us`) and counts by name (mappings) are summed since the start; `lag_ms` becomes the
        median and the 99th percentile of the last 5,000 lags; anything else is passed on as it is.
        """
        passed_on = {}
        for name, value in figures.items():
            if name == "lag_ms":
                self._lags_ms.extend(value)
            elif isinstance(value, Mapping):
                known = self._totals.setdefault(name, {})
                known.update({key: known.get(key, 0) + count for key, count in value.items()})
            elif name.startswith("n_") or name.endswith("_us"):
                self._totals[name] = self._totals.get(name, 0) + value
            else:
                passed_on[name] = value
        return {**passed_on, **self._totals, **self._lag_percentiles()}

    def _lag_percentiles(self) -> dict[str, float]:
        if not self._lags_ms:
            return {}
        p50, p99 = np.percentile(self._lags_ms, [50, 99])
        return {"lag_p50_ms": float(p50), "lag_p99_ms": float(p99)}
