"""Reads the clickstream from Kafka, as it came: key, value, topic, partition, offset, timestamp."""

from pyspark.sql import DataFrame, SparkSession

from pipelines.errors import ServerError
from pipelines.sections import KafkaConfig

_COLUMNS = ("key", "value", "topic", "partition", "offset", "timestamp")


def read_records(spark: SparkSession, kafka: KafkaConfig, *, max_offsets: int, starting: str = "earliest") -> DataFrame:
    """Read the topic as a stream of at most `max_offsets` records a micro-batch.

    `starting` counts only for a checkpoint that is new. Records that are gone before they were read fail the stream
    rather than go unnoticed. Raises ServerError when no address is configured.
    """
    options = {**_options(kafka), "startingOffsets": starting, "maxOffsetsPerTrigger": str(max_offsets)}
    return spark.readStream.format("kafka").options(**options).load().select(*_COLUMNS)


def read_all_records(spark: SparkSession, kafka: KafkaConfig) -> DataFrame:
    """Read what the topic holds now, earliest to latest, as a finite frame. Raises ServerError without an address."""
    options = {**_options(kafka), "startingOffsets": "earliest", "endingOffsets": "latest"}
    return spark.read.format("kafka").options(**options).load().select(*_COLUMNS)


def _options(kafka: KafkaConfig) -> dict[str, str]:
    if not kafka.bootstrap_servers:
        raise ServerError(
            "no Kafka: set kafka.bootstrap_servers or KAFKA_BOOTSTRAP_SERVERS, or start one with `liveshelf up`"
        )
    return {"kafka.bootstrap.servers": kafka.bootstrap_servers, "subscribe": kafka.topic, "failOnDataLoss": "true"}
