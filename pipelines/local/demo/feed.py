"""Sends records at a steady rate from a thread of its own, and remembers what was sent."""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import orjson

from pipelines.events.logs import KafkaRecord
from pipelines.local.replay import DistinctRecords
from pipelines.schemas import INTERACTION_TYPES
from pipelines.sinks.kafka import KafkaRecordSink

LOOK_AHEAD = 50_000  # records looked through for the user to be featured
SHORTEST_WAIT_SECONDS = 0.001
WARM_UP_RECORDS = 100  # sent first: the first micro-batches of a new JVM take seconds
FEATURED_AT_MOST = 40  # interactions: with many more, one list hardly differs from the next


class Feed:
    """Feeds `records` to `sink` at `events_per_second` (None: as fast as it goes)."""

    def __init__(self, records: Iterable[KafkaRecord], events_per_second: float | None) -> None:
        iterator = iter(records)
        ahead = list(islice(iterator, LOOK_AHEAD))
        self.featured_user = _most_active(ahead)
        self._records: Iterator[KafkaRecord] = chain(ahead, iterator)
        self._rate = events_per_second
        self._distinct = DistinctRecords()
        self._stop, self._is_warm = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._sink: KafkaRecordSink | None = None
        self.featured_clicks: list[tuple[str, str]] = []  # (event type, item) of the featured user, as sent
        self.n_sent = 0
        self.error: Exception | None = None

    def start(self, sink: KafkaRecordSink) -> None:
        """Begin to send. The thread flushes the sink at its end; an error is kept in `error`."""
        self._sink = sink
        self._thread.start()

    def go_on(self) -> None:
        """Send the rest; until then only the first WARM_UP_RECORDS are sent."""
        self._is_warm.set()

    def stop(self) -> None:
        """Send no more, and wait until what was sent is confirmed. Does nothing where nothing was begun."""
        self._stop.set()
        self._is_warm.set()
        if self._thread.ident is not None:
            self._thread.join()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    @property
    def n_distinct(self) -> int:
        """Records that differ: by event id where there is one, else by their bytes."""
        return self._distinct.count()

    def _run(self) -> None:
        try:
            self._send(islice(self._records, WARM_UP_RECORDS))
            self._is_warm.wait()
            self._send(self._records)
        except Exception as error:
            self.error = error

    def _send(self, records: Iterable[KafkaRecord]) -> None:
        assert self._sink is not None
        started, sent_before = time.monotonic(), self.n_sent
        for record in records:
            due = started + (self.n_sent - sent_before) / self._rate if self._rate else started
            if (ahead_seconds := due - time.monotonic()) > SHORTEST_WAIT_SECONDS:
                self._stop.wait(ahead_seconds)
            if self._stop.is_set():
                break
            self._sink.send(record)
            self._remember(record)
        self._sink.flush()

    def _remember(self, record: KafkaRecord) -> None:
        self.n_sent += 1
        self._distinct.add(record)
        if record.key is not None and record.key.decode() == self.featured_user and (click := _interaction(record)):
            self.featured_clicks.append(click)


def _most_active(records: list[KafkaRecord]) -> str:
    """The user with the most interactions, not counting those with more than FEATURED_AT_MOST."""
    per_user = Counter(record.key for record in records if record.key and not record.is_broken)
    fitting = [(count, user) for user, count in per_user.items() if count <= FEATURED_AT_MOST]
    return max(fitting)[1].decode() if fitting else ""


def _interaction(record: KafkaRecord) -> tuple[str, str] | None:
    try:
        event = orjson.loads(record.value)
        kind, item = event["event_type"], event["item_id"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return (kind, item) if kind in INTERACTION_TYPES else None
