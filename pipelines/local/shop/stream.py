"""The simulated shop: its records in the order in which they are sent, and what is true about each."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

import numpy as np
import orjson

from pipelines.events.logs import KafkaRecord
from pipelines.local.shop.broken import BrokenKind, kind_of_nth
from pipelines.local.shop.catalogue import Catalogue
from pipelines.local.shop.config import ShopConfig
from pipelines.local.shop.people import People
from pipelines.local.shop.planted import Plant, planter
from pipelines.local.shop.sessions import event_blocks
from pipelines.local.shop.writing import EventWriter, WrittenEvent

Kind = Literal["good", "retry", "broken", "broken_retry"]
RETRY_AFTER_MS = (500, 30_000)
RETRY_AFTER_SHARE = 0.1  # of the whole run, so that a short one does not end with waiting for retries


@dataclass(frozen=True, slots=True)
class ShopRecord:
    """A record and the truth about it. A retry is a copy of an earlier record to the last byte."""

    record: KafkaRecord
    send_at_ms: int  # from the start of the shop
    kind: Kind
    user: str  # the person's user_id, else anonymous_id; a broken record keeps the key of its user
    event_type: str  # of the good event; for a broken record of the one it was made from
    broken_as: BrokenKind | None = None


class Shop:
    """Everything follows from `config` and `plant`: `records()` gives the same bytes whenever it is called."""

    def __init__(self, config: ShopConfig, plant: Plant | None = None) -> None:
        self.config = config
        self._plant = plant
        setting, *self._streams = np.random.SeedSequence(config.seed).spawn(4)
        rng = np.random.default_rng(setting)
        self.catalogue = Catalogue(config, rng)
        self.people = People(config, self.catalogue, rng)

    def records(self) -> Iterator[ShopRecord]:
        """All records, lazily, by `send_at_ms`."""
        waiting: list[tuple[int, int, ShopRecord]] = []  # retries, by when they are due
        n_waited = 0
        for first in self._first_sendings():
            while waiting and waiting[0][0] <= first.send_at_ms:
                yield heapq.heappop(waiting)[2]
            yield first
            retry = self._retry_of(first)
            if retry is not None:
                n_waited += 1
                heapq.heappush(waiting, (retry.send_at_ms, n_waited, retry))
        while waiting:
            yield heapq.heappop(waiting)[2]

    def _first_sendings(self) -> Iterator[ShopRecord]:
        """Good events, and the broken records between them."""
        broken_rng = np.random.default_rng(self._streams[1])
        self._retry_rng = np.random.default_rng(self._streams[2])
        n_broken = 0
        for event in self.good_events():
            if broken_rng.random() < self.config.broken_share:
                yield self._broken(event, n_broken)
                n_broken += 1
            yield self._good(event)

    def _events(self) -> Iterator[WrittenEvent]:
        rng = np.random.default_rng(self._streams[0])
        writer = EventWriter(self.config, self.catalogue, self.people, rng)
        for block in event_blocks(self.config, self.catalogue, self.people, rng):
            yield from writer.write(block)

    def good_events(self) -> Iterator[WrittenEvent]:
        """The good events as they happened, in the order in which they are sent, with what is planted."""
        events = islice(self._events(), self.config.n_events)
        if self._plant is None:
            return events
        planted = planter(self._plant, self.catalogue)
        return (replace(event, fields=planted(number, event.fields)) for number, event in enumerate(events))

    def _good(self, event: WrittenEvent) -> ShopRecord:
        key, user = self.people.keys[event.person], self.people.names[event.person]
        value = orjson.dumps(event.fields)
        record = KafkaRecord(key, value, event.event_time_ms, event_id=event.fields["event_id"])
        return ShopRecord(record, event.sent_ms, "good", user, event.event_type)

    def _broken(self, event: WrittenEvent, n: int) -> ShopRecord:
        """Make the `n`-th broken record. It has an event id of its own: no two broken ones are equal."""
        key, user = self.people.keys[event.person], self.people.names[event.person]
        kind = kind_of_nth(n)
        value = kind.write(event.fields | {"event_id": f"{event.fields['event_id']}-b", "attempt": n})
        record = KafkaRecord(key, value, event.event_time_ms, is_broken=True)
        return ShopRecord(record, event.sent_ms, "broken", user, event.event_type, kind)

    def _retry_of(self, first: ShopRecord) -> ShopRecord | None:
        is_good = first.kind == "good"
        share = self.config.retry_share if is_good else self.config.broken_retry_share
        if self._retry_rng.random() >= share:
            return None
        shortest, longest = RETRY_AFTER_MS
        longest = min(longest, round(self.config.duration_seconds * 1000 * RETRY_AFTER_SHARE))
        later = int(self._retry_rng.integers(min(shortest, longest), longest + 1))
        return replace(first, send_at_ms=first.send_at_ms + later, kind="retry" if is_good else "broken_retry")
