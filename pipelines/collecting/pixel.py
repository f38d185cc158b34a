"""The event that the address of an image tells: for pages and mails without scripts."""

import base64
import uuid
from collections.abc import Mapping
from typing import Any

GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")  # one transparent point
SHORT = {"e": "event_type", "i": "item_id", "u": "user_id", "a": "anonymous_id", "s": "session_id", "q": "query"}
TEXTS = ("event_id", "event_type", "event_time", "item_id", "user_id", "anonymous_id", "session_id")
MORE_TEXTS = ("query", "currency", "list_id")
WHOLE_NUMBERS, NUMBERS = ("quantity", "position"), ("price",)
CONTEXT = ("page_url", "referrer")


def event_of(parameters: Mapping[str, str], referer: str) -> dict[str, Any]:
    """Return the event of an image's parameters: names of the contract, or `SHORT` for them; others are not looked at.

    In:   `referer` is the header: of an image, it is the page that shows it.
    Out:  a number that cannot be read stays text, for the check to refuse. Without `event_id` each request is an event of
          its own; without ids of a visitor it is nobody's: `consent` false.
    """
    given = {SHORT.get(name, name): value for name, value in parameters.items() if value}
    event: dict[str, Any] = {name: given[name] for name in (*TEXTS, *MORE_TEXTS) if name in given}
    event |= {name: _number(given[name], int) for name in WHOLE_NUMBERS if name in given}
    event |= {name: _number(given[name], float) for name in NUMBERS if name in given}
    event.setdefault("event_id", str(uuid.uuid4()))
    context = {name: given[name] for name in CONTEXT if name in given}
    if referer:
        context.setdefault("page_url", referer)
    if context:
        event["context"] = context
    if not {"user_id", "anonymous_id"} & event.keys() or given.get("consent") in ("false", "0", "denied"):
        event["consent"] = False
    return event


def _number(text: str, kind: type[int] | type[float]) -> float | str:
    try:
        return kind(text)
    except ValueError:
        return text
