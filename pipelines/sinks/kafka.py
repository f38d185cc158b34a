"""Sends records to Kafka, keyed by user, and knows of each whether it arrived."""

from collections import deque
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Protocol

from kafka import KafkaProducer
from kafka.codec import has_lz4, has_zstd
from kafka.errors import KafkaError, MessageSizeTooLargeError

from pipelines.errors import InputError, ServerError

BATCH_BYTES = 262_144
LINGER_MS = 10
MAX_BATCH_OVERHEAD_BYTES = 1_024  # headers of the request and the batch around a record of the largest size
MAX_PENDING_RECORDS = 20_000
MAX_PENDING_BYTES = 33_554_432
BOOTSTRAP_TIMEOUT_MS = 10_000
DELIVERY_TIMEOUT_MS = 30_000


class Sendable(Protocol):
    """What is sent: bytes, as they are."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes: ...


class KafkaRecordSink:
    """`with KafkaRecordSink(servers, topic, max_record_bytes) as sink:` sends, flushes and closes.

    Records of one key go to one partition, in the order they were sent (Kafka's default partitioner, idempotent
    producer, acks from all replicas); those without key go to any. `n_acknowledged` counts what the broker confirmed.

    On replay everything is sent again: a producer cannot know what an earlier one had sent. Sending twice does no harm
    because the streams fold a repeated event away by its event id, and a repeated broken record by its bytes.

    Memory is bounded: beyond 20,000 records or 32 MiB without an answer, `send` waits. One thread only.
    """

    def __init__(self, bootstrap_servers: str, topic: str, max_record_bytes: int) -> None:
        """Connect. Raises ServerError when no broker answers within 10 s."""
        self._bootstrap_servers, self._topic, self._max_record_bytes = bootstrap_servers, topic, max_record_bytes
        self._pending: deque[tuple[Any, int]] = deque()
        self._pending_bytes = 0
        self.n_acknowledged = 0
        try:
            self._producer = KafkaProducer(
                bootstrap_servers=[address.strip() for address in bootstrap_servers.split(",")],
                acks="all",
                enable_idempotence=True,
                compression_type=_compression(),
                batch_size=BATCH_BYTES,
                linger_ms=LINGER_MS,
                max_request_size=max_record_bytes + MAX_BATCH_OVERHEAD_BYTES,
                allow_auto_create_topics=False,  # it would have another number of partitions than configured
                bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_MS,
                max_block_ms=BOOTSTRAP_TIMEOUT_MS,
                request_timeout_ms=DELIVERY_TIMEOUT_MS // 2,
                delivery_timeout_ms=DELIVERY_TIMEOUT_MS,
            )
        except KafkaError as error:
            raise self._failure(error) from error

    def send(self, record: Sendable) -> None:
        """Hand over one record; it may still be on its way when this returns.

        Raises InputError for a record larger than `max_record_bytes`; ServerError when this or an earlier
        record was refused or not confirmed within 30 s.
        """
        try:
            future = self._producer.send(self._topic, value=record.value, key=record.key)
        except MessageSizeTooLargeError as error:
            raise InputError(
                f"a record of {len(record.value):,} bytes is too large for topic '{self._topic}': expected at most "
                f"{self._max_record_bytes:,} (kafka.max_record_bytes, and max.message.bytes of the topic)"
            ) from error
        except KafkaError as error:
            raise self._failure(error) from error
        n_bytes = len(record.value)
        self._pending.append((future, n_bytes))
        self._pending_bytes += n_bytes
        if len(self._pending) > MAX_PENDING_RECORDS or self._pending_bytes > MAX_PENDING_BYTES:
            self._confirm(down_to=len(self._pending) // 2)

    def flush(self) -> None:
        """Wait until the broker has confirmed every record. Raises ServerError when one was not."""
        try:
            self._producer.flush(timeout=2 * DELIVERY_TIMEOUT_MS / 1000)
        except KafkaError as error:
            raise self._failure(error) from error
        self._confirm(down_to=0)

    def close(self) -> None:
        """Close the connection; what was not flushed may be lost."""
        self._producer.close(timeout=1)

    def _confirm(self, down_to: int) -> None:
        while len(self._pending) > down_to:
            future, n_bytes = self._pending[0]
            try:
                future.get(timeout=2 * DELIVERY_TIMEOUT_MS / 1000)
            except KafkaError as error:
                raise self._failure(error) from error
            self._pending.popleft()
            self._pending_bytes -= n_bytes
            self.n_acknowledged += 1

    def _failure(self, error: KafkaError) -> ServerError:
        return ServerError(
            f"Kafka at {self._bootstrap_servers} did not take the records for topic '{self._topic}': "
            f"{error or type(error).__name__}; {self.n_acknowledged:,} were confirmed before. "
            "Is the broker running, and does the topic exist?"
        )

    def __enter__(self) -> "KafkaRecordSink":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self.close()


def _compression() -> str | None:
    """Choose the fastest of what is installed, as measured.

    Kafka wants a checksum of every batch. Where that is computed in Python (no package crc32c), it pays to have gzip
    shrink what is summed: 18,000 events/s against 14,000 without compression. With the package no compression is
    fastest after lz4 and zstd: 30,000.
    """
    if has_zstd():
        return "zstd"
    if has_lz4():
        return "lz4"
    return None if find_spec("crc32c") else "gzip"
