"""Single values of a catalogue's record. Each function raises BrokenValueError, which says what was expected and what came."""

import math
import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipelines.errors import LiveshelfError
from pipelines.events.adapters.values import MAX_PRICE, WELL_FORMED_ID

MAX_CHARS = 2_048
MAX_TAGS = 100
MIN_NS = 10**17  # what is so large are nanoseconds: pandas writes them to Parquet
MIN_MS, MAX_MS = 100_000_000_000, 253_402_300_799_999  # from 1973: what is less are seconds; to the year 9999

_PRICE = re.compile(r"(?:[A-Za-z]{3}\s*)?(\d{1,15}(?:\.\d{1,9})?)(?:\s*[A-Za-z]{3})?")
_FLAGS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}
# Google's words, those of schema.org, and what shops write: an item that can be ordered now is in stock.
_AVAILABILITY = {
    **_FLAGS, "instock": True, "preorder": True, "backorder": True, "limitedavailability": True, "onlineonly": True,
    "outofstock": False, "soldout": False, "discontinued": False, "unavailable": False, "available": True,
}  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_TIMES = TypeAdapter(datetime)


class BrokenValueError(LiveshelfError):
    """A value that its field cannot have."""

    def __init__(self, expected: str, value: Any) -> None:
        super().__init__(f"expected {expected}, got {str(value)[:60]!r}")


def is_nothing(value: Any) -> bool:
    """Whether a record says nothing by it: null, NaN, an empty list, blank text."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, Sequence):
        return not len(value)
    return value is None or (isinstance(value, float) and math.isnan(value))


def as_text(value: Any) -> str:
    """Text without the blanks around it, or a whole number as text."""
    if _is_number(value) and value == int(value):
        return str(int(value))
    if not isinstance(value, str) or len(value) > MAX_CHARS or not _is_unicode(value):
        raise BrokenValueError(f"text of at most {MAX_CHARS:,} characters", value)
    return value.strip()


def as_id(value: Any) -> str:
    """An id as events may have it."""
    text = as_text(value)
    if not WELL_FORMED_ID.match(text):
        raise BrokenValueError("1 to 128 characters, none of them blank, invisible or a double quote", value)
    return text


def as_path(value: Any, separator: str) -> str:
    """A category: its text as it is, for events have the same; the parts of a list joined."""
    parts = [as_text(part) for part in value] if isinstance(value, (list, tuple)) else [as_text(value)]
    if not all(parts):
        raise BrokenValueError("parts that are not empty", value)
    return separator.join(parts)


def as_price(value: Any) -> float:
    """A number, or text such as `12.34 EUR`: the currency is passed over."""
    if isinstance(value, str) and (match := _PRICE.fullmatch(value.strip())):
        value = float(match[1])
    if not (_is_number(value) and 0 <= value <= MAX_PRICE):
        raise BrokenValueError("a number from 0, or text such as '12.34 EUR'", value)
    return float(value)


def as_flag(value: Any) -> bool:
    """True or false, also as text or 1 and 0."""
    flag = _FLAGS.get(str(value).strip().lower())
    if flag is None:
        raise BrokenValueError("true or false", value)
    return flag


def as_in_stock(value: Any) -> bool:
    """A flag, or a word: `out of stock`, `in_stock`, `https://schema.org/InStock`."""
    word = re.sub("[^a-z0-9]", "", str(value).lower().rpartition("/")[2])
    flag = _AVAILABILITY.get(word)
    if flag is None:
        raise BrokenValueError("true, false, in_stock, out_of_stock, preorder or backorder", value)
    return flag


def as_tags(value: Any) -> tuple[str, ...]:
    """A list of texts, or one text with commas; each tag once."""
    parts = value if isinstance(value, (list, tuple)) else as_text(value).split(",")
    tags = tuple(dict.fromkeys(tag for tag in map(as_text, parts) if tag))
    if len(tags) > MAX_TAGS:
        raise BrokenValueError(f"at most {MAX_TAGS} tags", len(tags))
    return tags


def as_ms(value: Any) -> int:
    """An instant as epoch ms: ISO 8601 (UTC where it names no zone), epoch milliseconds, a date, a datetime."""
    ms = _ms_of(value)
    if ms is None or not MIN_MS <= ms <= MAX_MS:
        raise BrokenValueError("ISO 8601 or epoch milliseconds", value)
    return ms


def _ms_of(value: Any) -> int | None:
    if _is_number(value):
        return int(value) // (1_000_000 if value >= MIN_NS else 1)
    if isinstance(value, str) and re.fullmatch(r"\d{1,15}", value.strip()):
        return int(value.strip())
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    try:
        moment = value if isinstance(value, datetime) else _TIMES.validate_python(str(value).strip())
        return (moment.replace(tzinfo=moment.tzinfo or timezone.utc) - _EPOCH) // timedelta(milliseconds=1)
    except (ValidationError, ValueError, OverflowError):
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and math.isfinite(value)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
