"""From the bytes of a request to its events, each readable or not on its own."""

from dataclasses import dataclass
from typing import Any

from pipelines.collecting.json_text import loads
from pipelines.http.refusals import RefusedError

NDJSON_TYPES = ("application/x-ndjson", "application/jsonl", "application/json-lines")


@dataclass(frozen=True)
class Unreadable:
    """A line of NDJSON that is no JSON."""

    reason: str


def events_of(body: bytes, content_type: str, max_events: int) -> list[Any]:
    """Return what should be events: of one object, an array, or NDJSON; which it is, is seen from the content.

    Raises RefusedError: 400 where nothing can be read, 413 for more than `max_events`.
    """
    is_lines = content_type.partition(";")[0].strip().lower() in NDJSON_TYPES
    events = _lines(body) if is_lines else _whole_or_lines(body)
    if len(events) > max_events:
        raise RefusedError(413, "count", f"the request has {len(events):,} events: expected at most {max_events}")
    return events


def value_of(body: bytes) -> Any:
    """Return the JSON value of a webhook's body. Raises RefusedError (400)."""
    try:
        return loads(body)
    except ValueError as error:
        raise RefusedError(400, "json", f"the body is no JSON: {error}") from error


def _whole_or_lines(body: bytes) -> list[Any]:
    try:
        value = loads(body)
    except ValueError as error:
        if b"\n" not in body.strip():
            raise _unreadable(error) from error
        events = _lines(body)
        if all(isinstance(event, Unreadable) for event in events):  # then it was not meant to be lines
            raise _unreadable(error) from error
        return events
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list):
        return value
    raise RefusedError(400, "json", "expected an event, an array of events, or one event a line")


def _lines(body: bytes) -> list[Any]:
    events = [_line(line) for line in body.split(b"\n") if line.strip()]
    if not events:
        raise RefusedError(
            400, "json", "the request is empty: expected an event, an array of events, or one event a line"
        )
    return events


def _line(line: bytes) -> Any:
    try:
        return loads(line)
    except ValueError as error:
        return Unreadable(f"the line is no JSON: {error}")


def _unreadable(error: ValueError) -> RefusedError:
    return RefusedError(400, "json", f"the request is no JSON: {error}")
