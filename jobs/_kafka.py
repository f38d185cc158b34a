"""Where the input is sent to."""

from pipelines.config import Config
from pipelines.errors import ConfigError
from pipelines.local.addresses import with_running_kafka
from pipelines.local.topics import ensure_topic
from pipelines.sinks.kafka import KafkaRecordSink


def open_kafka_sink(config: Config) -> KafkaRecordSink:
    """Connect to the configured Kafka, else the embedded one that runs, and make the topic where it is missing.

    Raises ServerError when there is none, ConfigError where the topic is of another format: what is sent here is JSON.
    """
    if config.kafka.format != "json":
        raise ConfigError(
            f"what is sent here is JSON, and kafka.format of topic {config.kafka.topic} is {config.kafka.format}: every "
            "record would be quarantined. Name another topic, or set kafka.format: json"
        )
    kafka = with_running_kafka(config).kafka
    address = kafka.bootstrap_servers or ""
    ensure_topic(address, kafka.topic, kafka.partitions, kafka.max_record_bytes)
    return KafkaRecordSink(address, kafka.topic, kafka.max_record_bytes)
