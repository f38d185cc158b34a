"""One RabbitMQ for the whole run."""

from tests.sources.rabbit import queue, rabbit

__all__ = ["queue", "rabbit"]
