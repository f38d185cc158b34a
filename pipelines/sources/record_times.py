"""When records of the topic were written: the newest of each partition, and those that a stream has not come to.

By the record's timestamp: the producer's clock, or the broker's where the topic says LogAppendTime.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from pipelines.errors import ServerError, StateError
from pipelines.sections import KafkaConfig
from pipelines.sources.checkpoints import Offsets
from pipelines.sources.kafka_clients import Consumer

TIMEOUT_MS = 5_000


@dataclass(frozen=True)
class Waiting:
    """Records that a stream has not committed."""

    n_records: int
    since_ms: int | None  # timestamp of the oldest; None: there is none


class RecordTimes:
    """Looks at single records. Joins no group, commits nothing."""

    def __init__(self, consumer: KafkaConsumer, topic: str) -> None:
        self._consumer, self._topic = consumer, topic
        partitions = consumer.partitions_for_topic(topic)
        if not partitions:
            raise ServerError(f"there is no topic '{topic}'")
        places = [TopicPartition(topic, partition) for partition in sorted(partitions)]
        self._begins = _by_partition(consumer.beginning_offsets(places))
        self._ends = _by_partition(consumer.end_offsets(places))

    def newest_ms(self) -> list[int]:
        """Timestamps of the last record of each partition that has one, epoch ms."""
        last = {partition: end - 1 for partition, end in self._ends.items() if end > self._begins[partition]}
        return list(self._timestamps(last).values())

    def waiting(self, committed: Offsets) -> Waiting:
        """What lies at or after the `committed` offsets. Records that the topic has no more do not count.

        Raises StateError where they lie beyond the topic's end.
        """
        for partition, at in committed.items():
            if at > self._ends.get(partition, 0):
                raise StateError(
                    f"it has read up to offset {at} of partition {partition}, which ends at {self._ends.get(partition, 0)}: "
                    "was the topic made anew?"
                )
        nexts = {partition: max(committed.get(partition, 0), begin) for partition, begin in self._begins.items()}
        left = {partition: at for partition, at in nexts.items() if at < self._ends[partition]}
        n_records = sum(self._ends[partition] - at for partition, at in left.items())
        return Waiting(n_records, min(self._timestamps(left).values(), default=None))

    def _timestamps(self, offsets: Offsets) -> Mapping[int, int]:
        """Timestamps of the first records from these offsets on. Raises ServerError where one does not come in time."""
        places = {TopicPartition(self._topic, partition): offset for partition, offset in offsets.items()}
        self._consumer.assign(list(places))
        self._consumer.resume(*places)  # a place that was asked before is still paused
        for place, offset in places.items():
            self._consumer.seek(place, offset)
        found: dict[int, int] = {}
        deadline = time.monotonic() + TIMEOUT_MS / 1000
        while len(found) < len(places) and time.monotonic() < deadline:
            for place, records in self._consumer.poll(timeout_ms=200).items():
                found.setdefault(place.partition, records[0].timestamp)
                self._consumer.pause(place)
        if len(found) < len(places):
            raise ServerError(
                f"partitions {sorted(set(offsets) - set(found))} gave no record in {TIMEOUT_MS / 1000:g} s"
            )
        return found


@contextmanager
def record_times(kafka: KafkaConfig) -> Iterator[RecordTimes]:
    """Ask the broker. Raises ServerError when it does not answer, or has no such topic."""
    try:
        consumer = Consumer(
            bootstrap_servers=kafka.bootstrap_servers,
            bootstrap_timeout_ms=TIMEOUT_MS,
            group_id=None,
            enable_auto_commit=False,
            max_partition_fetch_bytes=65_536,  # one record comes in any case, and one is enough
        )
        try:
            yield RecordTimes(consumer, kafka.topic)
        finally:
            consumer.close()
    except KafkaError as error:
        raise ServerError(
            f"Kafka at {kafka.bootstrap_servers} does not answer: {error or type(error).__name__}"
        ) from error


def _by_partition(offsets: Mapping[TopicPartition, int]) -> Offsets:
    return {place.partition: offset for place, offset in offsets.items()}
