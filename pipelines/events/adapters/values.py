"""Single values of a payload as what the contract wants, or None where they cannot be that. Nothing fails, whatever comes."""

import math
import re
from datetime import datetime, timedelta, timezone
from typing import Any

from pydantic import TypeAdapter, ValidationError

# As the suite has it (rule event_id_well_formed): what is made here must be accepted there. A test holds the two equal.
WELL_FORMED_ID = re.compile(
    r"\A(?!\[|\{\})(?:[!#-~]{1,128}"
    r'|[^"\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]{1,128})(?![\s\S])'
)
MAX_TEXT_CHARS = 2_048
MAX_PRICE = 1e10
MAX_QUANTITY = 1_000_000
MAX_POSITION = 100_000
MIN_MICROS, MAX_MICROS = 946_684_800_000_000, 253_402_300_799_999_999  # the years 2000 to 9999

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_NUMERIC = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?\Z")
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")
_TIMES = TypeAdapter(datetime)


def as_text(value: Any) -> str | None:
    """A text of at most MAX_TEXT_CHARS that UTF-8 can write, or a whole number of 64 bits as one."""
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT_CHARS and _is_unicode(value) else None
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_whole and abs(value) < 2**63 else None


def as_id(value: Any) -> str | None:
    """A text, or whole number, that the rules accept as an id."""
    text = as_text(value)
    return text if text is not None and WELL_FORMED_ID.match(text) else None


def as_price(value: Any) -> float | None:
    """An amount of money: 0 or more, also of text such as "19.90"."""
    number = _as_number(value)
    return abs(number) if number is not None and 0 <= number <= MAX_PRICE else None  # -0.0 is none


def as_quantity(value: Any) -> int | None:
    """Pieces: whole, from 1, also of text."""
    return _as_whole_number(value, 1, MAX_QUANTITY)


def as_position(value: Any) -> int | None:
    """A rank: whole, from 0, also of text."""
    return _as_whole_number(value, 0, MAX_POSITION)


def as_currency(value: Any) -> str | None:
    """Three letters, in capitals."""
    return value.upper() if isinstance(value, str) and re.fullmatch("[A-Za-z]{3}", value) else None


def as_time(value: Any) -> str | None:
    """ISO 8601, UTC where it names no zone, as ISO 8601 in UTC to the microsecond."""
    if not isinstance(value, str) or not _DATED.match(value):
        return None
    try:
        moment = _TIMES.validate_python(value)
        return _iso(moment.astimezone(timezone.utc) if moment.tzinfo else moment)
    except (ValidationError, ValueError, OverflowError):
        return None


def as_time_of_micros(value: Any) -> str | None:
    """Epoch microseconds of the years 2000 to 9999, also as text, as ISO 8601 in UTC."""
    micros = _as_whole_number(value, MIN_MICROS, MAX_MICROS)
    return None if micros is None else _iso(_EPOCH + timedelta(microseconds=micros))


def as_time_of_ms(value: Any) -> str | None:
    """Epoch milliseconds of the years 2000 to 9999, also as text, as ISO 8601 in UTC."""
    ms = _as_whole_number(value, MIN_MICROS // 1_000, MAX_MICROS // 1_000)
    return None if ms is None else _iso(_EPOCH + timedelta(milliseconds=ms))


def shown(value: Any) -> str:
    """A value of any size and kind for a message: short, and never failing."""
    if isinstance(value, str):
        return repr(value[:40]) + ("…" if len(value) > 40 else "")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value) if abs(value) < 10**18 else "a number of more than 18 digits"
    if isinstance(value, float):
        return repr(value)
    return "an array" if isinstance(value, list) else "an object"


def _is_unicode(text: str) -> bool:
    """Whether it can be written as UTF-8: JSON's `\\ud800` alone cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and not _NUMERIC.match(value):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _as_whole_number(value: Any, least: int, most: int) -> int | None:
    if isinstance(value, str) and _NUMERIC.match(value) and "." not in value:
        number = int(value)  # float would round the microseconds of the far future
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        real = _as_number(value)
        if real is None or not real.is_integer():
            return None
        number = int(real)
    return number if least <= number <= most else None


def _iso(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
