"""Tells Kafka what was answered, beside the answers. The tracker's own impressions are better: it saw them on a screen."""

import queue
import threading
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol

import orjson

from pipelines.serving.metrics import Metrics
from pipelines.sinks.event_producer import Record


class Producer(Protocol):
    """Who takes records to Kafka."""

    def send_all(self, records: Sequence[Record]) -> "Future[None]": ...

    def close(self, timeout_seconds: float) -> bool: ...


class Impressions:
    """A bounded queue and a thread. What does not fit is dropped and counted: no answer waits for Kafka."""

    def __init__(self, producer: Producer, max_pending: int, metrics: Metrics) -> None:
        self._producer, self._max_pending, self._metrics = producer, max_pending, metrics
        self._queue: queue.SimpleQueue[tuple[str, str, list[str], int] | None] = queue.SimpleQueue()
        self._n_waiting = 0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._send, name="impressions", daemon=True)
        self._thread.start()

    def log(self, user: str, list_id: str, items: list[str]) -> None:
        """Note what was answered. Returns at once."""
        with self._lock:
            fits = self._n_waiting + len(items) <= self._max_pending
            self._n_waiting += len(items) if fits else 0
        if fits:
            self._queue.put((user, list_id, items, time.time_ns() // 1_000_000))
        else:
            self._metrics.impressions.labels("dropped").inc(len(items))

    def close(self, timeout_seconds: float) -> None:
        """Send what waits."""
        self._queue.put(None)
        self._thread.join(timeout_seconds)
        self._producer.close(timeout_seconds)

    def _send(self) -> None:
        while (told := self._queue.get()) is not None:
            user, list_id, items, at_ms = told
            records = [(user.encode(), _event(user, list_id, item, place, at_ms)) for place, item in enumerate(items)]
            try:
                self._producer.send_all(records).add_done_callback(partial(self._count, len(items)))
            except Exception:  # no room, no Kafka; whatever it is, the thread goes on
                self._metrics.impressions.labels("dropped").inc(len(items))
            with self._lock:
                self._n_waiting -= len(items)

    def _count(self, n: int, sent: "Future[None]") -> None:
        self._metrics.impressions.labels("dropped" if sent.exception() else "sent").inc(n)


def _event(user: str, list_id: str, item: str, place: int, at_ms: int) -> bytes:
    event: dict[str, Any] = {
        "event_id": uuid.uuid4().hex,
        "event_type": "impression",
        "anonymous_id": user,  # the key of both kinds of id; `user_id` would say for good that it is no visitor's
        "item_id": item,
        "list_id": list_id,
        "position": place,
        "event_time": at_ms,
    }
    return orjson.dumps(event)
