"""Fixes for quarantined records, to copy and change: `liveshelf quarantine replay --rule NAME --fix examples.fixes:FUNCTION`.

A fix gets the bytes of a record and gives back the bytes that should have come, or None where the record is none of its
business. It never needs to judge: what it gives back goes through all rules, and stays in quarantine if it breaks one. Keep
the event_id, so that the event is still the same one if the client has sent it right in the meantime.
"""

import json
import re

_COMMA_IN_PRICE = re.compile(r"-?\d+,\d{1,2}")
_LAST_SECOND = 10_000_000_000  # as milliseconds this is April 1970, as seconds the year 2286
_TYPES = ("page_view", "product_view", "click", "search", "add_to_cart", "remove_from_cart", "purchase", "impression")


def comma_in_price(value: bytes) -> bytes | None:
    """Rule record_parseable: a till that writes prices as text with a decimal comma, "12,50"."""
    event = json.loads(value)
    price = event.get("price")
    if not isinstance(price, str) or not _COMMA_IN_PRICE.fullmatch(price):
        return None
    return _json(event | {"price": float(price.replace(",", "."))})


def seconds_to_milliseconds(value: bytes) -> bytes | None:
    """Rule event_time_not_ancient: a client that sends epoch seconds where milliseconds belong."""
    event = json.loads(value)
    event_time = event.get("event_time")
    if not isinstance(event_time, int) or not 0 < event_time < _LAST_SECOND:
        return None
    return _json(event | {"event_time": event_time * 1000})


def complete_type(value: bytes) -> bytes | None:
    """Rule event_type_known: type names cut off by a column that was too narrow, "remove_from_c". Only where one fits."""
    event = json.loads(value)
    cut = event.get("event_type")
    if not isinstance(cut, str) or len(cut) < 3 or cut in _TYPES:
        return None
    meant = [name for name in _TYPES if name.startswith(cut)]
    return _json(event | {"event_type": meant[0]}) if len(meant) == 1 else None


def _json(event: dict[str, object]) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode()
