"""Hands events to Kafka and says of each when Kafka has it. For servers: any thread, bounded, never waiting for a broker."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.partitioner import StickyPartitioner, murmur2

from pipelines.errors import InputError, LiveshelfError

Record = tuple[bytes | None, bytes]  # key, value

COMPRESSION = "lz4"
BATCH_BYTES = 262_144
RECORD_OVERHEAD_BYTES = 256  # what a record costs in memory beside its key and value, about
REQUEST_OVERHEAD_BYTES = 1_024
CONNECT_SECONDS = 5.0
RETRY_SECONDS = 0.5
MAX_BLOCK_MS = 1_000  # `send` waits so long for a topic that was there and is gone
PROBE_SECONDS = 1.0


class NotTakenError(LiveshelfError):
    """Kafka does not have the records for certain: it is away, slow, or refused them. Sending them again is right."""


class QueueFullError(NotTakenError):
    """As many records wait for Kafka as may: the caller should tell its clients to come back later."""


@dataclass(frozen=True)
class Bounds:
    """What may wait for Kafka's answer, and for how long."""

    max_events: int = 50_000
    max_bytes: int = 67_108_864
    max_record_bytes: int = 1_310_720
    delivery_timeout_seconds: float = 20.0
    linger_ms: int = 5


class EventProducer:
    """Records go out in batches from a thread of kafka-python: idempotent, acknowledged by all replicas, compressed.

    Records of one key go to one partition, in the order they were sent. A broker that comes back within
    `delivery_timeout_seconds` gets what waited for it; after that the records fail, and it is not known whether Kafka has
    them. On replay everything is sent again: the streams fold a repeated event away by its event id.

    Memory is bounded by `bounds`: what does not fit is refused at once. Connects in the background, so a process can start
    before its broker; until then every record is refused.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        bounds: Bounds | None = None,
        make_topic: Callable[[], None] = lambda: None,
    ) -> None:
        """Begin to connect. `make_topic` is called before, and again while it raises LiveshelfError."""
        self._addresses = [address.strip() for address in bootstrap_servers.split(",")]
        self._topic, self._bounds, self._make_topic = topic, bounds or Bounds(), make_topic
        self._lock = threading.Lock()
        self._in_flight: dict[_Delivery, None] = {}  # in the order of sending
        self._producer: KafkaProducer | None = None
        self._is_connected, self._is_closed = threading.Event(), threading.Event()
        self.n_pending = 0
        self.pending_bytes = 0
        self._connecting: threading.Thread | None = None
        self._connect()

    def send(self, key: bytes | None, value: bytes) -> "Future[None]":
        """Do as `send_all`, with one record."""
        return self.send_all([(key, value)])

    def send_all(self, records: Sequence[Record]) -> "Future[None]":
        """Hand over records, together. The future is done when Kafka has acknowledged every one.

        It fails with NotTakenError where one was refused or not acknowledged in time; others may then be in Kafka.
        Raises QueueFullError or NotTakenError at once, with no record handed over, where there is no room or no broker;
        InputError for a record that is larger than `max_record_bytes`.
        """
        producer, delivery = self._admitted(records)
        n_sent = 0
        try:
            for key, value in records:
                sent = producer.send(self._topic, value, key)
                n_sent += 1
                sent.add_callback(delivery.acknowledged)
                sent.add_errback(delivery.failed)
        except KafkaError as error:  # the topic is gone
            self._connect()
            delivery.fail_rest(len(records) - n_sent, error)
        except BaseException as error:  # the rest was never sent: the count must not wait for it
            delivery.fail_rest(len(records) - n_sent, error)
            raise
        return delivery.future

    def wait_connected(self, timeout_seconds: float) -> bool:
        """Wait for the first contact with the broker and the topic. Returns whether there was one."""
        return self._is_connected.wait(timeout_seconds)

    def why_not_ready(self, patience_seconds: float = 5.0) -> str:
        """Say what keeps records from Kafka now; empty when nothing does. May take a second: not for an event loop."""
        if not self._is_connected.is_set():
            return f"no contact with topic '{self._topic}' of Kafka at {', '.join(self._addresses)}"
        if self.n_pending >= self._bounds.max_events or self.pending_bytes >= self._bounds.max_bytes:
            return f"the queue is full: {self.n_pending:,} events wait for Kafka"
        if self.oldest_seconds() > patience_seconds:
            return f"Kafka is slow: an event has waited for {self.oldest_seconds():.0f} s"
        return "" if any(map(_answers, self._addresses)) else f"nobody answers at {', '.join(self._addresses)}"

    def oldest_seconds(self) -> float:
        """How long the oldest records have waited for Kafka's answer; 0 where none wait."""
        with self._lock:
            oldest = next(iter(self._in_flight), None)
        return time.monotonic() - oldest.since if oldest else 0.0

    def close(self, timeout_seconds: float) -> bool:
        """Send what waits, then disconnect. Returns whether everything was answered in `timeout_seconds`."""
        self._is_closed.set()
        if (producer := self._producer) is None:
            return True
        with contextlib.suppress(KafkaError):
            producer.flush(timeout=timeout_seconds)
        is_flushed = self.n_pending == 0
        producer.close(timeout=1)  # fails what is left
        return is_flushed

    def _admitted(self, records: Sequence[Record]) -> tuple[KafkaProducer, "_Delivery"]:
        sizes = [len(value) + len(key or b"") for key, value in records]
        n_bytes = sum(sizes) + len(sizes) * RECORD_OVERHEAD_BYTES
        if max(sizes, default=0) > self._bounds.max_record_bytes:
            raise InputError(
                f"a record of {max(sizes):,} bytes is too large: expected at most {self._bounds.max_record_bytes:,}"
            )
        producer = self._producer
        if producer is None or self._is_closed.is_set() or not self._is_connected.is_set():
            raise NotTakenError(f"no contact with topic '{self._topic}' of Kafka at {', '.join(self._addresses)}")
        delivery = _Delivery(self, len(records), n_bytes)
        with self._lock:
            n, size = self.n_pending + len(records), self.pending_bytes + n_bytes
            if n > self._bounds.max_events or size > self._bounds.max_bytes:
                raise QueueFullError(
                    f"{self.n_pending:,} events ({self.pending_bytes:,} bytes) wait for Kafka: there is no room for more"
                )
            if records:
                self.n_pending, self.pending_bytes = n, size
                self._in_flight[delivery] = None
        if not records:
            delivery.future.set_result(None)
        return producer, delivery

    def _settle(self, delivery: "_Delivery", n: int, error: BaseException | None) -> None:
        """Count `n` answers; with the last one the future is done."""
        with self._lock:
            delivery.n_left -= n
            delivery.error = delivery.error or error
            if delivery.n_left:
                return
            self._in_flight.pop(delivery)
            self.n_pending -= delivery.n
            self.pending_bytes -= delivery.n_bytes
        delivery.finish()

    def _connect(self) -> None:
        with self._lock:
            self._is_connected.clear()
            if self._connecting and self._connecting.is_alive():
                return
            self._connecting = threading.Thread(target=self._keep_connecting, name="kafka-connect", daemon=True)
            self._connecting.start()

    def _keep_connecting(self) -> None:
        while not self._is_closed.is_set():
            with contextlib.suppress(KafkaError, LiveshelfError):
                self._make_topic()
                self._producer = self._producer or self._new_producer()
                if self._producer.partitions_for(self._topic):
                    self._is_connected.set()
                    return
            self._is_closed.wait(RETRY_SECONDS)

    def _new_producer(self) -> KafkaProducer:
        timeout_ms = int(self._bounds.delivery_timeout_seconds * 1000)
        return KafkaProducer(
            bootstrap_servers=self._addresses,
            acks="all",
            enable_idempotence=True,
            compression_type=COMPRESSION,
            batch_size=BATCH_BYTES,
            linger_ms=self._bounds.linger_ms,
            partitioner=_RememberingPartitioner(),
            max_request_size=self._bounds.max_record_bytes + REQUEST_OVERHEAD_BYTES,
            allow_auto_create_topics=False,  # it would have another number of partitions than configured
            bootstrap_timeout_ms=int(CONNECT_SECONDS * 1000),
            max_block_ms=MAX_BLOCK_MS,
            request_timeout_ms=timeout_ms // 2,
            delivery_timeout_ms=timeout_ms,
            reconnect_backoff_max_ms=1_000,
        )


class _RememberingPartitioner(StickyPartitioner):  # type: ignore[misc]
    """Kafka's default partitioner, which does not hash a key again that it has just seen: a fifth of `send`."""

    def partition(
        self, topic: str, key: Any, serialized_key: bytes | None, value: Any, serialized_value: bytes, cluster: Any
    ) -> int:
        if serialized_key is None:
            return int(super().partition(topic, key, None, value, serialized_value, cluster))
        return _hash_of(serialized_key) % len(cluster.partitions_for_topic(topic))


@lru_cache(maxsize=65_536)
def _hash_of(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF


class _Delivery:
    """Records that were handed over together: done when each is answered."""

    __slots__ = ("error", "future", "n", "n_bytes", "n_left", "producer", "since")

    def __init__(self, producer: EventProducer, n: int, n_bytes: int) -> None:
        self.producer, self.n, self.n_left, self.n_bytes = producer, n, n, n_bytes
        self.since = time.monotonic()
        self.error: BaseException | None = None
        self.future: Future[None] = Future()
        self.future.set_running_or_notify_cancel()  # a client that hangs up cancels nothing: the records are on their way

    def acknowledged(self, _metadata: object) -> None:
        self.producer._settle(self, 1, None)

    def failed(self, error: BaseException) -> None:
        self.producer._settle(self, 1, error)

    def fail_rest(self, n: int, error: BaseException) -> None:
        """Take it that the last `n` were never sent."""
        self.producer._settle(self, n, error)

    def finish(self) -> None:
        if self.error is None:
            self.future.set_result(None)
        else:
            reason = str(self.error) or type(self.error).__name__
            self.future.set_exception(NotTakenError(f"Kafka did not acknowledge: {reason}"))


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True
