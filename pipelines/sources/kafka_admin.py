"""A client for Kafka's own affairs: topics, brokers, offsets."""

from typing import Any

from kafka import KafkaAdminClient


class KafkaAdmin(KafkaAdminClient):  # type: ignore[misc]
    """As of kafka-python, but one that finds no broker leaves no thread behind: who asks again and again would pile them up."""

    def __init__(self, **settings: Any) -> None:
        """Raises KafkaError where no broker answers."""
        try:
            super().__init__(**settings)
        except BaseException:
            if network := getattr(
                self, "_net", None
            ):  # an internal of the pinned version; a test sees that it is there
                network.stop()
            raise
