"""Histograms of a simulated shop without Spark: counted by the hour once, then summed to any windows.

A test holds them equal to those that Spark counts. A seed so costs a second, not a minute.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.drift.grid import keys
from pipelines.drift.histogram import CATEGORY, NUMBER, Histogram, Kind, histogram
from pipelines.drift.measures import COUNTED, EVENTS, PRICED
from pipelines.drift.windows import HOUR_MS, OUTSIDE, Windows
from pipelines.local.shop import Shop
from pipelines.schemas import INTERACTION_TYPES

Value = str | None
KINDS: dict[str, Kind] = {
    "event_type": CATEGORY, "price": NUMBER, "quantity": NUMBER, "device_type": CATEGORY, "location": CATEGORY,
    "category": CATEGORY, "brand": CATEGORY,
}  # fmt: skip


@dataclass(frozen=True)
class HourlyCounts:
    """How often each column had each value in each hour from `start_ms` on."""

    start_ms: int
    columns: Mapping[str, tuple[Sequence[Value], NDArray[np.int64]]]  # values (V), counts (V, hours)

    def histograms(self, windows: Windows) -> list[Histogram]:
        """Of windows that begin and end with an hour."""
        n_hours = next(counts.shape[1] for _, counts in self.columns.values())
        index = windows.index(self.start_ms + HOUR_MS * np.arange(n_hours))
        return [self._histogram(column, index, windows.n_blocks + 1) for column in self.columns]

    def _histogram(self, column: str, index: NDArray[np.int64], n_windows: int) -> Histogram:
        values, counts = self.columns[column]
        of_window = np.zeros((counts.shape[1], n_windows), np.int64)
        inside = np.flatnonzero(index != OUTSIDE)
        of_window[inside, index[inside]] = 1
        counted = {value: row for value, row in zip(values, (counts @ of_window).tolist(), strict=True) if sum(row)}
        return histogram(EVENTS, column, KINDS[column], counted, n_windows)


def hourly_counts(shop: Shop) -> HourlyCounts:
    """Count all good events of the shop, by when they happened."""
    said: dict[str, dict[Value, list[int]]] = {column: defaultdict(list) for column in KINDS}
    start_ms, hours = shop.config.start_ms, 0
    for event in shop.good_events():
        hour = (event.event_time_ms - start_ms) // HOUR_MS
        hours = max(hours, hour + 1)
        if hour >= 0:  # what came late may have happened before
            for column, value in _said(event.fields):
                said[column][value].append(hour)
    return HourlyCounts(start_ms, {column: _counted(values, hours) for column, values in said.items()})


def _counted(said: Mapping[Value, Sequence[int]], n_hours: int) -> tuple[list[Value], NDArray[np.int64]]:
    counts = [np.bincount(np.array(hours, np.int64), minlength=n_hours) for hours in said.values()]
    return list(said), np.stack(counts)


def _said(fields: dict[str, Any]) -> list[tuple[str, Value]]:
    """What pipelines/drift/measures.py reads of an event."""
    event_type, context = fields["event_type"], fields["context"]
    said = [("event_type", event_type), ("device_type", context["device_type"]), ("location", context["location"])]
    if event_type in INTERACTION_TYPES:
        said += [("category", fields.get("category")), ("brand", fields.get("brand"))]
    if event_type in PRICED:
        said.append(("price", _key(fields.get("price"))))
    if event_type in COUNTED:
        said.append(("quantity", _key(fields.get("quantity"))))
    return said


_KEYS: dict[float, str] = {}


def _key(value: float | None) -> Value:
    if value is None:
        return None
    if value not in _KEYS:
        _KEYS[value] = str(keys(np.array([value], np.float64))[0])
    return _KEYS[value]
