"""What the bridge from RabbitMQ may be told."""

from typing import Literal

from pydantic import Field, field_validator

from pipelines.section import Section
from pipelines.sections import refuse_password

DEFAULT_URL = "amqp://127.0.0.1:5672/"


class BridgeConfig(Section):
    """The queue whose messages go to Kafka. `RABBITMQ_URL` overrides `url`."""

    url: str | None = Field(
        None,
        pattern=r"^amqps?://",
        description=f"amqp(s)://user@host:port/vhost, without a password; none: {DEFAULT_URL}",
    )
    queue: str = Field(
        "clickstream", min_length=1, max_length=240, description="read from here; it must be there already"
    )
    adapter: Literal["none", "ga4", "gtm", "segment", "shopify"] = Field(
        "none", description="none: a message is one event of the contract; else: whose payload it is"
    )
    prefetch: int = Field(
        500,
        ge=1,
        le=65_535,
        description="messages that may be with the bridge and not yet in Kafka; times their size, its memory",
    )
    heartbeat_seconds: int = Field(
        60, ge=2, le=600, description="RabbitMQ takes the bridge for dead after twice as long without a sign"
    )

    @field_validator("url")
    @classmethod
    def _no_password_in_the_file(cls, url: str | None) -> str | None:
        return refuse_password(url, "RABBITMQ_URL")

    @property
    def address(self) -> str:
        """Where RabbitMQ is; a secret, where it has a password."""
        return self.url or DEFAULT_URL
