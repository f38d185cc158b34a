"""Liveshelf's own events, one JSON object a line. Sent byte for byte; read only to know the user and the time."""

import math
from typing import Any

import orjson

from pipelines.events.logs.record import KafkaRecord, UnreadableLineError, utc_ms


def read_jsonl(line: bytes) -> KafkaRecord:
    """Read one event. Raises UnreadableLineError when `line` is not a JSON object."""
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise UnreadableLineError(str(error)) from error
    if not isinstance(event, dict):
        raise UnreadableLineError(f"expected a JSON object, got {type(event).__name__}")
    user = _text(event.get("user_id")) or _text(event.get("anonymous_id"))
    return KafkaRecord(
        key=user.encode() if user else None,
        value=line,
        event_time_ms=_epoch_ms(event.get("event_time")),
        event_id=_text(event.get("event_id")) or None,
    )


def _text(value: Any) -> str:
    """Give an id as text; shops also send numbers. Anything else is no id."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _epoch_ms(value: Any) -> int | None:
    """None where the time cannot be read: the rules will say so, here it only paces."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return round(value) if math.isfinite(value) else None
    try:
        return int(value) if value.lstrip("-").isdecimal() else utc_ms(value)
    except (ValueError, AttributeError, OverflowError):
        return None
