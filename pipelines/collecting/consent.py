"""What is kept of an event whose sender said no."""

import zlib
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

Fate = Literal["drop_ids", "drop_event"]
N_NOBODIES = 64
_KEPT = (
    "event_id",
    "event_type",
    "event_time",
    "item_id",
    "quantity",
    "price",
    "currency",
    "query",
    "list_id",
    "position",
)


def is_refused(event: dict[str, Any]) -> bool:
    """Whether the event itself says `consent: false` (or "denied", as consent tools do)."""
    return event.get("consent") in (False, "denied", "false")


def without_ids(event: dict[str, Any]) -> dict[str, Any] | None:
    """Return what was done and to which item, by one of 64 nobodies; None for an event that is nothing but ids (identify).

    Trends and rankings go on counting it. A nobody is chosen by the event's id, so that a retry is the same event, and
    so that no two events of a visitor can be told to be of one. Fields that the contract does not know are dropped:
    nobody can say what is in them. URLs lose what follows `?` and `#`.
    """
    if event.get("event_type") == "identify":
        return None
    kept = {name: event[name] for name in _KEPT if name in event}
    number = zlib.crc32(str(event.get("event_id")).encode()) % N_NOBODIES
    context = event.get("context")
    if isinstance(context, dict):
        urls = {name: _without_query(context[name]) for name in ("page_url", "referrer") if name in context}
        kept["context"] = {name: context[name] for name in ("device_type", "location") if name in context} | urls
    return {**kept, "anonymous_id": f"nobody-{number:02}"}


def _without_query(url: Any) -> str | None:
    if not isinstance(url, str):
        return None
    try:
        return urlunsplit(urlsplit(url)._replace(query="", fragment="")) or None
    except ValueError:  # no URL
        return None
