"""Histograms of a simulated shop without Spark: counted by the hour once, then summed to any windows.

A test holds them equal to those that Spark counts. A seed so costs a second, not a minute.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.drift.grid import keys
from pipelines.drift.histogram import CATEGORY, NUMBER, Histogram, Kind, histogram
from pipelines.drift.measures import COUNTED, EVENTS, PRICED
from pipelines.drift.served import CHOICES, SLICE_SECONDS
from pipelines.drift.windows import HOUR_MS, OUTSIDE, Windows
from pipelines.local.shop import Shop
from pipelines.local.shop.writing import WrittenEvent
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


def hourly_counts(shop: Shop, events: Iterable[WrittenEvent]) -> HourlyCounts:
    """Count events of the shop, by when they happened."""
    said: dict[str, dict[Value, list[int]]] = {column: defaultdict(list) for column in KINDS}
    start_ms, hours = shop.config.start_ms, 0
    for event in events:
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


LIST_BEFORE_MS = 1_000
LIST_OF_TASTES = (5, 3, 2)  # the most popular items of a person's three favourite categories


def list_of(shop: Shop, person: int) -> list[str]:
    """The list of a person that whoever knows the truth would make."""
    of_categories = zip(shop.people.tastes[person].tolist(), LIST_OF_TASTES, strict=False)
    n_categories, n_items = shop.catalogue.n_categories, len(shop.catalogue.item_ids)
    places = [rank * n_categories + category for category, n in of_categories for rank in range(n)]
    return [shop.catalogue.item_ids[item] for item in places if item < n_items]


def served_slices(shop: Shop, events: Iterable[WrittenEvent]) -> list[tuple[int, int, float]]:
    """What pipelines/drift/served.py makes, where everybody gets such a list just before the first event of each session."""
    of_person: dict[int, list[tuple[int, bool, str, str]]] = defaultdict(list)  # time, whether a list, session or item
    sessions: set[str] = set()
    for event in events:
        session, at_ms = event.fields["session_id"], event.event_time_ms
        if session not in sessions:
            sessions.add(session)
            of_person[event.person].append((at_ms - LIST_BEFORE_MS, True, session, ""))
        if event.event_type in CHOICES:
            of_person[event.person].append((at_ms, False, "", event.fields["item_id"]))
    sums: dict[int, list[float]] = defaultdict(lambda: [0, 0.0])
    for person, entries in of_person.items():
        for at_ms, gain in _gains(entries, list_of(shop, person)):
            of_slice = sums[at_ms // 1000 // SLICE_SECONDS * SLICE_SECONDS]
            of_slice[0] += 1
            of_slice[1] += gain
    return [(second, int(n), ndcg) for second, (n, ndcg) in sorted(sums.items())]


def _gains(entries: list[tuple[int, bool, str, str]], items: list[str]) -> Iterator[tuple[int, float]]:
    """Time and NDCG of the first choice of each item while a list is the newest."""
    place_of = {item: place for place, item in enumerate(items)}
    newest, seen = "", set[tuple[str, str]]()
    for at_ms, is_list, session, item in sorted(entries):
        if is_list:
            newest = session
        elif newest and (newest, item) not in seen:
            seen.add((newest, item))
            yield at_ms, 1 / math.log2(place_of[item] + 2) if item in place_of else 0.0


_KEYS: dict[float, str] = {}


def _key(value: float | None) -> Value:
    if value is None:
        return None
    if value not in _KEYS:
        _KEYS[value] = str(keys(np.array([value], np.float64))[0])
    return _KEYS[value]
