"""Sends the rows of a finite frame to Kafka, from the executors."""

from py4j.protocol import Py4JJavaError  # type: ignore[import-untyped]
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from pipelines.errors import ServerError
from pipelines.sections import KafkaConfig
from pipelines.sinks.kafka import MAX_BATCH_OVERHEAD_BYTES

DELIVERY_TIMEOUT_MS = 30_000


def send_rows(rows: DataFrame, kafka: KafkaConfig) -> None:
    """Send each row's `key` and `value` to the topic; when this returns, all replicas have them.

    Keys go to the same partitions as those of KafkaRecordSink: both use Kafka's default partitioner. On replay all is
    sent again, as after a failure in the middle; readers know a repeated event by its event_id.
    Raises ServerError when Kafka does not take them all.
    """
    options = {
        "kafka.bootstrap.servers": str(kafka.bootstrap_servers),
        "topic": kafka.topic,
        "kafka.acks": "all",
        "kafka.max.request.size": str(kafka.max_record_bytes + MAX_BATCH_OVERHEAD_BYTES),
        "kafka.delivery.timeout.ms": str(DELIVERY_TIMEOUT_MS),
        "kafka.request.timeout.ms": str(DELIVERY_TIMEOUT_MS // 2),
        "kafka.max.block.ms": str(DELIVERY_TIMEOUT_MS),
    }
    try:
        rows.select("key", "value").write.format("kafka").options(**options).save()
    except (PySparkException, Py4JJavaError) as error:  # the second is what PySpark does not translate
        raise ServerError(
            f"Kafka at {kafka.bootstrap_servers} did not take all records for topic '{kafka.topic}': "
            f"{_cause(error)}. Nothing is lost: run it again, and what was planned is sent first"
        ) from error


def _cause(error: Exception) -> str:
    if not isinstance(error, Py4JJavaError):
        return str(error).strip().partition("\n")[0]
    cause = error.java_exception
    while cause.getCause() is not None:
        cause = cause.getCause()
    return str(cause.getMessage() or cause.toString()).partition("\n")[0]
