"""What a topic is called inside Kafka, and how much is in it."""

from dataclasses import dataclass
from uuid import UUID

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from pipelines.errors import ServerError
from pipelines.sections import KafkaConfig
from pipelines.sources.kafka_clients import Admin


@dataclass(frozen=True)
class Topic:
    """A topic as it is now."""

    topic_id: UUID  # another one when the topic is deleted and made again
    end_offsets: dict[int, int]  # by partition

    @property
    def tag(self) -> int:
        """31 bits of the id: tells this topic's offsets from those of another of the same name. Never 0."""
        return (self.topic_id.int & 0x7FFFFFFF) or 1

    @property
    def n_records(self) -> int:
        """Records ever written: exact for a topic without transactions."""
        return sum(self.end_offsets.values())


def describe_topic(kafka: KafkaConfig) -> Topic:
    """Ask the broker. Raises ServerError when it does not answer or has no such topic."""
    try:
        with Admin(bootstrap_servers=kafka.bootstrap_servers, bootstrap_timeout_ms=10_000) as admin:
            description = admin.describe_topics([kafka.topic])[0]
            if description["topic_id"] is None:
                raise ServerError(
                    f"Kafka at {kafka.bootstrap_servers} has no topic '{kafka.topic}': make it, keyed by user, "
                    "or run `liveshelf up`"
                )
            partitions = [TopicPartition(kafka.topic, p["partition_index"]) for p in description["partitions"]]
            ends = admin.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
    except KafkaError as error:
        raise ServerError(
            f"Kafka at {kafka.bootstrap_servers} does not answer: {error or type(error).__name__}"
        ) from error
    return Topic(UUID(str(description["topic_id"])), {p.partition: at.offset for p, at in ends.items()})
