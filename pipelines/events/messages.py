"""From a message of a queue to records of the topic. Nothing is dropped: what cannot be read goes on as it is."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from pipelines.events.adapters import Adapted, Event, Ignored, PayloadError

Record = tuple[bytes | None, bytes]  # key, value
Adapter = Callable[[Any], Adapted]


@dataclass(frozen=True)
class Bridged:
    """What becomes of one message. `is_readable` false: its one record is the message as it came, for the quarantine."""

    records: list[Record]
    ignored: list[Ignored] = field(default_factory=list)
    is_readable: bool = True


def bridged(body: bytes, message_id: str | None, sent_ms: int, adapter: Adapter | None = None) -> Bridged:
    """Make the records of one message.

    Without an adapter the message is one event of the contract, and its bytes stay as they are. With one, it is a payload of
    that vendor. `message_id` and `sent_ms` (epoch milliseconds) are what the queue says of the message: the first goes into the
    id of an event that has none, the second is the time of a vendor's event that tells none.

    The key is the user: user_id, else anonymous_id. Where there is none the record has no key.
    """
    payload = _parsed(body)
    if adapter is None:
        return _as_event(body, payload, message_id)
    try:
        adapted = adapter(payload)
    except PayloadError:
        return _as_it_is(body)
    events = [{"event_time": sent_ms, **event} for event in adapted.events]
    return Bridged([(_key_of(event), orjson.dumps(event)) for event in events], adapted.ignored)


def derived_event_id(body: bytes, message_id: str | None) -> str:
    """The id of an event whose sender gave it none: of the message's own id and its bytes.

    A delivery that is repeated has both again, so it is the same event. The id of the message alone is not enough: some
    clients count from 1 at each start. The bytes alone, where the message has no id, make one event of two messages that say
    the same to the millisecond.
    """
    digest = hashlib.sha256(json.dumps(message_id).encode() + b"\n" + body).hexdigest()
    return f"rabbitmq-{digest[:32]}"


def _as_event(body: bytes, payload: Any, message_id: str | None) -> Bridged:
    if not isinstance(payload, dict):
        return _as_it_is(body)
    if payload.get("event_id") not in (None, ""):
        return Bridged([(_key_of(payload), body)])
    return Bridged([(_key_of(payload), _with_event_id(body, bool(payload), derived_event_id(body, message_id)))])


def _with_event_id(body: bytes, has_fields: bool, event_id: str) -> bytes:
    """Put the id last: of a name given twice, the last counts. All other bytes stay, so that no number is rounded."""
    start, _, _ = body.rstrip().rpartition(b"}")
    return start + (b"," if has_fields else b"") + f'"event_id":"{event_id}"}}'.encode()


def _as_it_is(body: bytes) -> Bridged:
    return Bridged([(None, body)], is_readable=False)


def _key_of(event: Event) -> bytes | None:
    """The key under which all records of the user are in one partition."""
    for name in ("user_id", "anonymous_id"):
        value = event.get(name)
        if value not in (None, "") and isinstance(value, (str, int)) and not isinstance(value, bool):
            return str(value).encode(errors="replace")
    return None


def _parsed(body: bytes) -> Any:
    """The JSON of the body, or None."""
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
