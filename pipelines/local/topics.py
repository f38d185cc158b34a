"""Makes the topic of events where it is missing."""

from kafka.errors import KafkaError, TopicAlreadyExistsError

from pipelines.errors import ServerError
from pipelines.sources.kafka_clients import Admin


def ensure_topic(
    bootstrap_servers: str, topic: str, partitions: int, max_record_bytes: int, timeout_ms: int = 10_000
) -> None:
    """Make `topic` with so many partitions; one that exists is left as it is.

    Timestamps stay those of the producer (CreateTime). How long records are kept is up to the broker; the embedded one
    keeps them for ever. Raises ServerError when the broker does not answer or refuses.
    """
    options = {"num_partitions": partitions, "configs": {"max.message.bytes": str(max_record_bytes)}}
    addresses = [address.strip() for address in bootstrap_servers.split(",")]
    try:
        with Admin(bootstrap_servers=addresses, bootstrap_timeout_ms=timeout_ms) as admin:
            if topic not in admin.list_topics():  # asking for one that exists may need rights we lack
                admin.create_topics({topic: options}, wait_for_metadata=True)
    except TopicAlreadyExistsError:
        return  # another process was faster
    except KafkaError as error:
        raise ServerError(
            f"the topic '{topic}' cannot be made at {bootstrap_servers}: {error or type(error).__name__}"
        ) from error
