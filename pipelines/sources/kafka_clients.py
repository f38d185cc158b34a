"""Clients of Kafka that leave nothing behind where they find no broker."""

from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer


class _LeavesNothing:
    """kafka-python starts a thread before it looks for a broker, and leaves it running: they would pile up in who asks again."""

    def __init__(self, **settings: Any) -> None:
        """Raises KafkaError where no broker answers."""
        try:
            super().__init__(**settings)
        except BaseException:
            if network := getattr(
                self, "_net", None
            ):  # an internal of the pinned version; a test sees that it is there
                network.stop()
                network.close()
            raise


class Admin(_LeavesNothing, KafkaAdminClient):  # type: ignore[misc]
    """For topics, brokers and offsets."""


class Consumer(_LeavesNothing, KafkaConsumer):  # type: ignore[misc]
    """For a few records."""
