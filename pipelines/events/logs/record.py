"""What a line of a log becomes: one Kafka record."""

from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import blake2b
from typing import Any

import orjson


class UnreadableLineError(ValueError):
    """The line is not what its format says. It is sent as it is, so that it ends in quarantine."""


@dataclass(frozen=True, slots=True)
class KafkaRecord:
    """Key and value as they are sent; the rest is known about them without reading the value again."""

    key: bytes | None  # the user, so that one partition holds all of a user's events in order; None: unknown
    value: bytes
    event_time_ms: int | None = None  # when the user acted, epoch ms UTC; paces a replay; None: unknown
    is_broken: bool = False  # the line could not be read
    event_id: str | None = None  # tells a repeated event from a new one; None: unknown


def unread(line: bytes) -> KafkaRecord:
    """Make the record of a line that could not be read: its bytes, without a key, for nobody knows whose it is."""
    return KafkaRecord(None, line, is_broken=True)


def event_record(event: dict[str, Any], event_time_ms: int) -> KafkaRecord:
    """Make the record of `event`, keyed by its user. Empty fields (None and "") are left out.

    Raises UnreadableLineError when a value has no place in JSON (a number beyond 64 bits).
    """
    user = event.get("user_id") or event.get("anonymous_id")
    filled = {name: value for name, value in event.items() if value is not None and value != ""}
    try:
        value = orjson.dumps(filled)
    except TypeError as error:
        raise UnreadableLineError(str(error)) from error
    return KafkaRecord(user.encode() if user else None, value, event_time_ms, event_id=event["event_id"])


def content_id(line: bytes, log_format: str) -> str:
    """Make an event id for logs that have none: 128 bits of a hash of what the line says, as 32 hex digits.

    The id depends on nothing but the content, so that a second replay gives the same ids, also when the file was
    renamed, split, joined or sorted in between. The price: lines that are equal to the last byte are one event. A log
    without line numbers cannot tell a line exported twice from a second piece bought in the same second, and counting
    an event twice for ever is worse than once too little.
    """
    return blake2b(line, digest_size=16, person=log_format.encode()).hexdigest()


def utc_ms(text: str) -> int:
    """Epoch milliseconds of an ISO 8601 text; UTC where it names no zone. Raises ValueError."""
    instant = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=timezone.utc)
    return round(instant.timestamp() * 1000)
