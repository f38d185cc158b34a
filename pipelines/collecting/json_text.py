"""JSON to values and back without a change in what it says: fast where that is safe, exact where it is not."""

import json
import math
from typing import Any, NoReturn

import orjson

NESTED = (dict, list)
# The fast parser makes a double of a number beyond 64 bits: two ids would become one. A number of 19 digits may be beyond.
_DIGITS = bytes.maketrans(b"123456789", b"0" * 9)
_LONG_NUMBER = b"0" * 19


def loads(text: bytes) -> Any:
    """Return the value of one JSON text in UTF-8. Of a key given twice the last counts.

    Half a surrogate pair, as a text cut in two has at its end, is read as "?". Raises ValueError, saying where, for what is
    no JSON; NaN, Infinity and numbers beyond a double are none.
    """
    if _LONG_NUMBER in text.translate(_DIGITS):
        return _loads_exactly(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        try:
            return _loads_exactly(text)  # it may be no more than half a surrogate pair
        except ValueError:
            raise error from None


def dumps(value: Any) -> bytes:
    """Return a value of `loads` as JSON in UTF-8, in one line."""
    try:
        return orjson.dumps(value)
    except TypeError:  # a number beyond 64 bits
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects are nested more than `levels` deep. Looks no deeper."""
    if not isinstance(value, NESTED):
        return False
    if levels <= 0:
        return True
    inner = value.values() if isinstance(value, dict) else value
    return any(is_deeper(part, levels - 1) for part in inner if isinstance(part, NESTED))


def _loads_exactly(text: bytes) -> Any:
    try:
        value = json.loads(text.decode(), parse_float=_finite, parse_constant=_refuse)
        whole = json.dumps(value, ensure_ascii=False).encode(errors="replace")
        return json.loads(whole)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _finite(digits: str) -> float:
    number = float(digits)
    return number if math.isfinite(number) else _refuse(digits)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant[:20]} is no number of JSON")
