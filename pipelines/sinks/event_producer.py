"""Hands events to Kafka and says of each when Kafka has it. For servers: any thread, bounded, never waiting for a broker."""

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.partitioner import StickyPartitioner, murmur2

from pipelines.errors import InputError, LiveshelfError
from pipelines.logs.trouble import Trouble
from pipelines.sinks.deliveries import Deliveries, Delivery, NotTakenError, QueueFullError, Record

__all__ = ["Bounds", "EventProducer", "NotTakenError", "QueueFullError", "Record"]

COMPRESSION = "lz4"
BATCH_BYTES = 262_144
REQUEST_OVERHEAD_BYTES = 1_024
CONNECT_MS = 5_000
LOOK_SECONDS = 0.25  # how often the connection is looked after
GRACE_SECONDS = 1.0
MAX_BLOCK_MS = 1_000  # `send` waits so long for a topic that was there and is gone
PROBE_SECONDS = 1.0


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
    `delivery_timeout_seconds` gets what waited for it. What is older is given up: whether Kafka has it is not known, the
    caller is told so, and until there is contact again everything is refused at once. On replay everything is sent again:
    the streams fold a repeated event away by its event id.

    Memory is bounded by `bounds`: what does not fit is refused at once. Connects in the background, so a process can start
    before its broker.
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
        self._deliveries = Deliveries(self._bounds.max_events, self._bounds.max_bytes)
        self._producer: KafkaProducer | None = None
        self._absence = Trouble("kafka_away", "kafka_back")
        self._is_connected, self._is_closed = threading.Event(), threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="kafka-keeper", daemon=True)
        self._keeper.start()

    @property
    def n_pending(self) -> int:
        """Records that Kafka has not answered."""
        return self._deliveries.n

    @property
    def pending_bytes(self) -> int:
        return self._deliveries.n_bytes

    def send(self, key: bytes | None, value: bytes) -> "Future[None]":
        """Do as `send_all`, with one record."""
        return self.send_all([(key, value)])

    def send_all(self, records: Sequence[Record]) -> "Future[None]":
        """Hand over records, together. The future is done when Kafka has acknowledged every one.

        It fails with NotTakenError where one was refused or not acknowledged in time; others may then be in Kafka.
        Raises QueueFullError or NotTakenError at once, with no record handed over, where there is no room or no broker;
        InputError for a record that is larger than `max_record_bytes`.
        """
        producer = self._contact(records)
        if not records:
            nothing: Future[None] = Future()
            nothing.set_result(None)
            return nothing
        delivery = self._deliveries.admit(records)
        self._hand_over(producer, records, delivery)
        return delivery.future

    def wait_connected(self, timeout_seconds: float) -> bool:
        """Wait for contact with the broker and the topic. Returns whether there is."""
        return self._is_connected.wait(timeout_seconds)

    def why_not_ready(self, patience_seconds: float = 5.0) -> str:
        """Say what keeps records from Kafka now; empty when nothing does. May take a second: not for an event loop."""
        if not self._is_connected.is_set():
            return self._no_contact()
        if self._deliveries.is_full:
            return f"the queue is full: {self.n_pending:,} events wait for Kafka"
        if self.oldest_seconds() > patience_seconds:
            return f"Kafka is slow: an event has waited for {self.oldest_seconds():.0f} s"
        return "" if any(map(_answers, self._addresses)) else f"nobody answers at {', '.join(self._addresses)}"

    def oldest_seconds(self) -> float:
        """How long the oldest records have waited for Kafka's answer; 0 where none wait."""
        return self._deliveries.oldest_seconds()

    def close(self, timeout_seconds: float) -> bool:
        """Send what waits, then disconnect. Returns whether everything was answered in `timeout_seconds`."""
        self._is_closed.set()
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError):
                producer.flush(timeout=timeout_seconds)
        is_flushed = self.n_pending == 0
        self._deliveries.give_up(NotTakenError("the producer was closed"))
        _abandon(producer)
        return is_flushed

    def _contact(self, records: Sequence[Record]) -> KafkaProducer:
        largest = max([len(value) + len(key or b"") for key, value in records], default=0)
        if largest > self._bounds.max_record_bytes:
            raise InputError(
                f"a record of {largest:,} bytes is too large: expected at most {self._bounds.max_record_bytes:,}"
            )
        producer = self._producer
        if producer is None or self._is_closed.is_set() or not self._is_connected.is_set():
            raise NotTakenError(self._no_contact())
        return producer

    def _hand_over(self, producer: KafkaProducer, records: Sequence[Record], delivery: Delivery) -> None:
        n_sent = 0
        try:
            for key, value in records:
                sent = producer.send(self._topic, value, key)
                n_sent += 1
                sent.add_callback(delivery.acknowledged)
                sent.add_errback(delivery.failed)
        except KafkaError as error:  # the topic is gone, or the producer was given up just now
            self._is_connected.clear()
            delivery.never_sent(len(records) - n_sent, error)
        except BaseException as error:
            delivery.never_sent(len(records) - n_sent, error)
            raise

    def _keep(self) -> None:
        """Connect; and again after contact was lost, or the topic was gone."""
        n_failed = 0
        while not self._is_closed.is_set():
            if self._has_lost_contact(self._deliveries.n_failed > n_failed):
                self._is_connected.clear()
            if not self._is_connected.is_set():
                self._try_to_reconnect()
            n_failed = self._deliveries.n_failed
            self._is_closed.wait(LOOK_SECONDS)

    def _try_to_reconnect(self) -> None:
        error = None
        try:
            self._reconnect()
        except (
            Exception
        ) as unforeseen:  # such as no file left to open: without this thread there never is contact again
            error = unforeseen
        if self._is_connected.is_set():
            self._absence.over(topic=self._topic)
        else:
            self._absence.failed(error, topic=self._topic, servers=", ".join(self._addresses))

    def _has_lost_contact(self, has_failed: bool) -> bool:
        # kafka-python gives up by itself only while it has a broker: without one it may wait for a producer id, for ever.
        is_stuck = self.oldest_seconds() > self._bounds.delivery_timeout_seconds + GRACE_SECONDS
        return is_stuck or (has_failed and not any(map(_answers, self._addresses)))

    def _reconnect(self) -> None:
        producer, self._producer = self._producer, None
        self._deliveries.give_up(NotTakenError("it was not there in time"))
        _abandon(producer)
        with contextlib.suppress(KafkaError, LiveshelfError):
            self._make_topic()
            producer = self._new_producer()
            if self._is_closed.is_set() or not _has_topic(producer, self._topic):
                _abandon(producer)
                return
            self._producer = producer
            self._is_connected.set()

    def _no_contact(self) -> str:
        return f"no contact with topic '{self._topic}' of Kafka at {', '.join(self._addresses)}"

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
            bootstrap_timeout_ms=CONNECT_MS,
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


def _has_topic(producer: KafkaProducer, topic: str) -> bool:
    try:
        return bool(producer.partitions_for(topic))
    except KafkaError:
        return False


def _abandon(producer: KafkaProducer | None) -> None:
    """End a producer now; its thread fails what it has not sent.

    `close` alone would wait for what cannot be sent and then leave the thread running: internals of the pinned version.
    """
    if producer is None:
        return
    producer._sender.force_close()
    with contextlib.suppress(KafkaError):
        producer.close(timeout=0)


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True
