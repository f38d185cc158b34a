"""The ways in which records are broken, and the rules that each way breaks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

Event = dict[str, Any]
TOO_LONG = "x" * 300
HUGE_BYTES = 1_800_000


@dataclass(frozen=True)
class BrokenKind:
    """`write` makes the bytes of a broken record out of the fields of a good event, with an event id of its own."""

    name: str
    rules: frozenset[str]  # exactly the names of the rules that it breaks
    write: Callable[[Event], bytes]


def _with(**changes: Any) -> Callable[[Event], bytes]:
    return lambda event: orjson.dumps(event | changes)


def _without(*fields: str, **changes: Any) -> Callable[[Event], bytes]:
    return lambda event: orjson.dumps({k: v for k, v in (event | changes).items() if k not in fields})


def _truncated(event: Event) -> bytes:
    return orjson.dumps(event)[:-7]


def _error_page(event: Event) -> bytes:
    return b"<html>502 Bad Gateway, request %s</html>" % event["event_id"].encode()


def _null_byte(event: Event) -> bytes:
    """Put in a raw one, which JSON does not allow."""
    return orjson.dumps(event | {"session_id": "a?b"}).replace(b"a?b", b"a\x00b")


def _in_seconds(event: Event) -> bytes:
    return orjson.dumps(event | {"event_time": 1_767_225_600})


def _long_event_id(event: Event) -> bytes:
    return orjson.dumps(event | {"event_id": event["event_id"] + TOO_LONG})


def _two_in_one(event: Event) -> bytes:
    value = orjson.dumps(event)
    return value + value


def _not_utf8(event: Event) -> bytes:
    return orjson.dumps(event | {"query": "caf?"}).replace(b"caf?", b"caf\xe9")


def _kind(name: str, rules: str, write: Callable[[Event], bytes]) -> BrokenKind:
    return BrokenKind(name, frozenset(rules.split()), write)


# "view" changes make the type need what is taken away.
_VIEW: Event = {"event_type": "product_view"}
_SEARCH: Event = {"event_type": "search"}

KINDS = (
    _kind("not_json", "record_parseable", _error_page),
    _kind("truncated_json", "record_parseable", _truncated),
    _kind("null_byte", "record_parseable", _null_byte),
    _kind("two_events_in_one_record", "record_parseable", _two_in_one),
    _kind("not_utf8", "record_parseable", _not_utf8),
    _kind("price_as_text", "record_parseable", _with(price="cheap")),
    _kind("negative_price", "price_in_range", _with(price=-9.99)),
    _kind("zero_quantity", "quantity_in_range", _with(quantity=0)),
    _kind("time_in_2099", "event_time_not_ahead", _with(event_time="2099-01-01T00:00:00Z")),
    _kind("seconds_instead_of_milliseconds", "event_time_not_ancient", _in_seconds),
    _kind("time_as_words", "event_time_present", _with(event_time="yesterday")),
    _kind("no_time", "event_time_present", _without("event_time")),
    _kind("unknown_type", "event_type_known", _with(event_type="wishlist_share")),
    _kind("no_event_id", "event_id_present", _without("event_id")),
    _kind("event_id_too_long", "event_id_well_formed", _long_event_id),
    _kind("no_user", "user_present", _without("user_id", "anonymous_id")),
    _kind("blank_in_user", "user_well_formed", _with(user_id="some one")),
    _kind("session_id_too_long", "session_id_well_formed", _with(session_id=TOO_LONG)),
    _kind("no_item", "item_id_present", _without("item_id", **_VIEW)),
    _kind("null_character_in_item", "item_id_well_formed", _with(item_id="item\0-1", **_VIEW)),
    _kind("search_without_query", "query_present", _without("query", **_SEARCH)),
    _kind("currency_in_words", "currency_well_formed", _with(currency="euro")),
    _kind("negative_position", "position_in_range", _with(position=-1)),
    _kind(
        "nearly_everything", "event_id_present user_present event_time_present item_id_present price_in_range",
        _without("event_id", "user_id", "anonymous_id", "event_time", "item_id", price=-1.0, **_VIEW),
    ),
)  # fmt: skip
# Sent once only: it weighs as much as thousands of others.
HUGE = _kind("two_megabytes", "record_within_size", lambda event: orjson.dumps(event | {"note": "x" * HUGE_BYTES}))
HUGE_AFTER = 3  # broken records


def kind_of_nth(n: int) -> BrokenKind:
    """How the `n`-th broken record is broken, from 0: each kind in turn, and once, early, the huge one."""
    if n == HUGE_AFTER:
        return HUGE
    return KINDS[(n - (n > HUGE_AFTER)) % len(KINDS)]
