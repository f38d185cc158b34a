"""Single values of a payload: as text, number or time, or None where they cannot be that. Nothing fails, whatever comes."""

import math
import re
from datetime import datetime
from typing import Any

# As the suite has it (rule event_id_well_formed): what is made here must be accepted there. A test holds the two equal.
WELL_FORMED_ID = re.compile(
    r"\A(?!\[|\{\})(?:[!#-~]{1,128}"
    r'|[^"\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]{1,128})(?![\s\S])'
)

_NUMERIC = re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?\Z")


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


def as_text(value: Any) -> str | None:
    """A text that UTF-8 can write, or a whole number of 64 bits as one."""
    if isinstance(value, str):
        return value if _is_unicode(value) else None
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_whole and abs(value) < 2**63 else None


def _is_unicode(text: str) -> bool:
    """Whether it can be written as UTF-8: JSON's `\\ud800` alone cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_number(value: Any) -> float | None:
    """A finite number, also of text such as "19.90"."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, str) and not _NUMERIC.match(value):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def as_whole_number(value: Any) -> int | None:
    """A whole number, also of text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _NUMERIC.match(value) and "." not in value:
        return int(value)
    number = as_number(value)
    return int(number) if number is not None and number.is_integer() else None


def iso_utc(moment: datetime) -> str:
    """A moment in UTC as text, to the microsecond."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
