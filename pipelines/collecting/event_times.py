"""The instant that the stream will read from an `event_time`: the same forms, and no others."""

import math
import re
from calendar import timegm
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

MAX_EPOCH_MS = 253_402_300_800_000  # the year 10000
_BLANKS = "".join(map(chr, range(33)))
_DATED = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](?:(\d\d?)(?::(\d\d?)(?::(\d\d?)(?:\.(\d*))?(?: *([^ ].*))?)?)?)?)?", re.ASCII
).fullmatch
_USUAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII).fullmatch  # of JavaScript: read faster
_EPOCH, _MILLISECOND = datetime(1970, 1, 1), timedelta(milliseconds=1)
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[dDfF]?", re.ASCII).fullmatch
_OFFSET = re.compile(
    r"(?:UTC|GMT|UT)?([+-])(?:(\d\d?)(?::(\d\d?))?|(\d\d):(\d\d):(\d\d)|(\d\d)(\d\d)(\d\d)?)", re.ASCII
).fullmatch
_NO_ZONES = {"localtime", "posixrules", "Factory"}


def epoch_ms_of(value: object) -> float | None:
    """Epoch milliseconds of an ISO 8601 text (UTC where it names no zone), or of a number or its text; None for others.

    Of a clock, hours alone and hours with minutes are read too; a zone needs the seconds before it, as in the stream.
    """
    if isinstance(value, str):
        if _USUAL(value):
            return _usual(value)
        text = value.rstrip(_BLANKS)
        return _dated(text) if value[4:5] == "-" and value[7:8] == "-" else _number(text.lstrip(_BLANKS))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if abs(value) < MAX_EPOCH_MS else None


def _usual(text: str) -> int | None:
    try:
        return (datetime.fromisoformat(text[:-1]) - _EPOCH) // _MILLISECOND
    except ValueError:  # 30 February
        return None


def _number(text: str) -> float | None:
    found = _NUMBER(text)
    number = float(found[1]) if found else math.nan
    return number if abs(number) < MAX_EPOCH_MS else None


def _dated(text: str) -> float | None:
    found = _DATED(text)
    if not found or (text[10:11] == "T" and found[4] is None):
        return None
    year, month, day, hour, minute, second, fraction, zone_name = found.groups()
    zone = zone_of(zone_name) if zone_name else timezone.utc
    if zone is None:
        return None
    try:
        local = datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=zone
        )
        seconds = timegm(local.utctimetuple())
    except (ValueError, OverflowError):  # 30 February; a zone that leads out of all years
        return None
    return seconds * 1000 + int((fraction or "")[:3].ljust(3, "0"))


@lru_cache(maxsize=1_024)
def zone_of(name: str) -> tzinfo | None:
    """Return the zone of a name (Z, UTC, Europe/Berlin) or an offset (+02:00, +2, +0200, GMT+2); None for others.

    Names of three letters that stand for several zones (PST, IST) are none.
    """
    if name in ("Z", "UTC", "GMT", "UT"):
        return timezone.utc
    if found := _OFFSET(name):
        sign, *parts = found.groups()
        hours, minutes, seconds = ([int(part) for part in parts if part is not None] + [0, 0])[:3]
        offset = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        if minutes > 59 or seconds > 59 or offset > timedelta(hours=18):
            return None
        return timezone(-offset if sign == "-" else offset)
    return ZoneInfo(name) if name in _zone_names() else None


@lru_cache(maxsize=1)
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones() - _NO_ZONES)
