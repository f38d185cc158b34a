"""Whether the stream's rules will take an event, as far as the event alone can tell: the rules of the shipped suite, by hand.

A test holds this equal to the compiled suite. It exists beside it because a client that is told at once can be mended at
once, and because Spark judges no single event in ten microseconds.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pipelines.collecting.event_times import epoch_ms_of
from pipelines.collecting.json_text import NESTED, dumps, is_deeper
from pipelines.schemas import EVENT_TYPES, INTERACTION_TYPES, Contract

MAX_AHEAD_MS = 300_000
MIN_TIME_MS = 946_684_800_000  # the year 2000
MAX_PRICE = 10_000_000_000
MAX_QUANTITY = 1_000_000
MAX_POSITION = 100_000
MAX_LONG = 2**63 - 1
RULES = (  # names of the suite, and the one that only a request can break
    *("record_parseable", "record_within_size", "event_id_present", "event_id_well_formed", "event_type_known"),
    *("user_present", "user_well_formed", "session_id_well_formed", "event_time_present", "event_time_not_ahead"),
    *("event_time_not_ancient", "item_id_present", "item_id_well_formed", "query_present", "price_in_range"),
    *("quantity_in_range", "currency_well_formed", "position_in_range", "event_within_depth"),
)

_SCALARS = (int, float)
_TYPES = frozenset(EVENT_TYPES)
_NEED_ITEM = frozenset((*INTERACTION_TYPES, "impression"))
_ID = re.compile(
    r"(?!\[|\{\})(?:[!#-~]{1,128}|[^\"\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]{1,128})"
).fullmatch
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII).fullmatch
_ID_IS = "expected 1 to 128 characters, none blank, invisible or a double quote"
_NON_FINITE = ("NaN", "Infinity", "+Infinity", "-Infinity", "INF", "+INF", "-INF")


class Fault(NamedTuple):
    """The first rule that an event breaks."""

    rule: str
    field: str
    reason: str


class EventCheck:
    """`check(event, now_ms)` gives the first fault of an event, or None; it looks at values, and knows no clock."""

    def __init__(self, contract: Contract | None = None, max_depth: int = 16) -> None:
        """`contract`: with the shop's optional fields, whose types are checked too."""
        own, all_fields = set(Contract().json.names), (contract or Contract()).json
        self._optional = [
            (field.name, field.dataType.typeName(), _FITS[field.dataType.typeName()])
            for field in all_fields
            if field.name not in own and field.dataType.typeName() in _FITS
        ]
        self._max_depth = max_depth

    def __call__(self, event: Any, now_ms: int) -> Fault | None:
        """Return the first fault of a parsed JSON value received at `now_ms`.

        Ids that are numbers or true and false become the text that the stream would make of them. `event_time` may be
        missing: who receives the event fills it.
        """
        if not isinstance(event, dict):
            return Fault("record_parseable", "", f"expected an object, got {_kind(event)}")
        for name, value in event.items():
            if isinstance(value, NESTED) and is_deeper(value, self._max_depth - 1):
                return Fault("event_within_depth", name, f"nested more than {self._max_depth} deep")
        return _identity_fault(event) or _time_fault(event, now_ms) or _what_fault(event) or self._type_fault(event)

    def _type_fault(self, event: dict[str, Any]) -> Fault | None:
        context = event.get("context")
        if context is not None and not isinstance(context, dict):
            return Fault("record_parseable", "context", f"expected an object, got {_kind(context)}")
        for name, kind, fits in self._optional:
            value = event.get(name)
            if value is not None and not fits(value):
                return Fault("record_parseable", name, f"expected a {kind}, got {_kind(value)}")
        return None


def _identity_fault(event: dict[str, Any]) -> Fault | None:
    event_type = event.get("event_type")
    if not isinstance(event_type, str) or event_type not in _TYPES:
        return Fault("event_type_known", "event_type", f"expected one of {', '.join(EVENT_TYPES)}")
    if _text(event, "event_id") is None:
        return Fault(
            "event_id_present", "event_id", "missing: the client makes it, and sends the same again with a retry"
        )
    user = "anonymous_id" if _text(event, "user_id") is None else "user_id"
    if user == "anonymous_id" and _text(event, "anonymous_id") is None:
        return Fault("user_present", "user_id", "missing, and anonymous_id too: an event belongs to somebody")
    for name, rule in (("event_id", "event_id"), (user, "user"), ("session_id", "session_id"), ("item_id", "item_id")):
        value = _text(event, name)
        if value is not None and not (isinstance(value, str) and _ID(value)):
            return Fault(f"{rule}_well_formed", name, _ID_IS)
    return None


def _time_fault(event: dict[str, Any], now_ms: int) -> Fault | None:
    value = event.get("event_time")
    if value is None or value == "":
        return None
    time_ms = epoch_ms_of(value)
    if time_ms is None:
        return Fault("event_time_present", "event_time", "expected ISO 8601, such as 2024-06-01T12:00:00Z, or epoch ms")
    if time_ms > now_ms + MAX_AHEAD_MS:
        return Fault("event_time_not_ahead", "event_time", "more than five minutes ahead of the server's clock")
    if time_ms < MIN_TIME_MS:
        return Fault(
            "event_time_not_ancient", "event_time", "before the year 2000: epoch seconds instead of milliseconds?"
        )
    return None


def _what_fault(event: dict[str, Any]) -> Fault | None:
    event_type = event["event_type"]
    if event_type in _NEED_ITEM and event.get("item_id") in (None, ""):
        return Fault("item_id_present", "item_id", f"missing: {event_type} is about an item")
    if event_type == "search" and event.get("query") in (None, ""):
        return Fault("query_present", "query", "missing: what was searched")
    for name, rule, fits, expected in _VALUES:
        value = event.get(name)
        if value is not None and not fits(value):
            return Fault(rule, name, expected)
    return None


def _text(event: dict[str, Any], name: str) -> Any:
    """Return the id as text, None where it is missing or empty, and what is no text as it is."""
    value = event.get(name)
    if isinstance(value, str):
        return value or None
    if isinstance(value, _SCALARS):
        value = event[name] = dumps(value).decode()
    return value


def _is_long(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return _is_long(value) or (isinstance(value, float) and math.isfinite(value))


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "an array", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


_VALUES: tuple[tuple[str, str, Callable[[Any], bool], str], ...] = (
    (
        "price",
        "price_in_range",
        lambda value: _is_number(value) and 0 <= value <= MAX_PRICE,
        f"expected a number from 0 to {MAX_PRICE:,}",
    ),
    (
        "quantity",
        "quantity_in_range",
        lambda value: _is_long(value) and 1 <= value <= MAX_QUANTITY,
        f"expected a whole number from 1 to {MAX_QUANTITY:,}",
    ),
    (
        "position",
        "position_in_range",
        lambda value: _is_long(value) and 0 <= value <= MAX_POSITION,
        f"expected a whole number from 0 to {MAX_POSITION:,}",
    ),
    (
        "currency",
        "currency_well_formed",
        lambda value: isinstance(value, str) and bool(_CURRENCY(value)),
        "expected three capital letters, such as EUR",
    ),
)
_FITS: Mapping[str, Callable[[Any], bool]] = {
    "long": lambda value: _is_long(value) and -MAX_LONG - 1 <= value <= MAX_LONG,
    "double": lambda value: _is_number(value) or value in _NON_FINITE,
    "boolean": lambda value: isinstance(value, bool),
}
