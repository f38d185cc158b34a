"""Reading a payload, part by part: what is there and of the right kind, and a note of what is not."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipelines.events.adapters.adapted import Adapted, Event, Ignored, PayloadError
from pipelines.events.adapters.values import WELL_FORMED_ID, as_number, as_text, as_whole_number, iso_utc, shown

MAX_TEXT_CHARS = 2_048
MAX_ENTRIES = 5_000  # events and notes of one payload: a megabyte of `{},` must not become gigabytes
MAX_PRICE = 1e10
MAX_QUANTITY = 1_000_000
MAX_POSITION = 100_000
MIN_MICROS, MAX_MICROS = 946_684_800_000_000, 253_402_300_799_999_999  # the years 2000 to 9999

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}")
_TIMES = TypeAdapter(datetime)


class UnusableError(Exception):
    """The event that was being made cannot be: a field it needs, and why. Caught within the adapter (`Draft.told`)."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


class Draft:
    """What an adapter has made so far."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._ignored: list[Ignored] = []
        self._n_alike: Counter[str] = Counter()

    def add(self, event: Event) -> None:
        """Add an event. Raises PayloadError beyond MAX_ENTRIES."""
        self._events.append(event)
        self._stay_bounded()

    def ignore(self, name: str, reason: str) -> None:
        """Note what is not used. Raises PayloadError beyond MAX_ENTRIES."""
        self._ignored.append(Ignored(name, reason))
        self._stay_bounded()

    def n_alike(self, content: str) -> int:
        """How often this was asked for the same content before."""
        self._n_alike[content] += 1
        return self._n_alike[content] - 1

    @contextmanager
    def told(self) -> Iterator[None]:
        """Note an UnusableError of the block, and go on after it."""
        try:
            yield
        except UnusableError as error:
            self.ignore(error.path, error.reason)

    def adapted(self) -> Adapted:
        """What has become of the payload."""
        return Adapted(self._events, self._ignored)

    def _stay_bounded(self) -> None:
        if len(self._events) + len(self._ignored) > MAX_ENTRIES:
            raise PayloadError(f"more than {MAX_ENTRIES:,} events and remarks in one payload; send it in parts")


class Part:
    """One object of a payload, and where in it.

    A reader gives None for a field that is missing, null or an empty text. A field of a wrong kind gives None as well, and is
    noted in the draft with its path.
    """

    def __init__(self, value: Mapping[str, Any], path: str, draft: Draft) -> None:
        self._value, self._path, self.draft = value, path, draft

    @classmethod
    def whole(cls, payload: Any, draft: Draft) -> "Part":
        """The payload itself. Raises PayloadError where it is no object."""
        if not isinstance(payload, dict):
            raise PayloadError(f"expected an object, got {shown(payload)}")
        return cls(payload, "", draft)

    def path(self, name: str) -> str:
        """Where the field is in the payload, such as `events[0].params.items`."""
        return f"{self._path}.{name}" if self._path else name

    def has(self, name: str) -> bool:
        """Whether there is anything under this name."""
        return self._value.get(name) is not None

    def part(self, name: str) -> "Part":
        """The object under this name; where there is none, an empty one."""
        value = self._value.get(name)
        if value is not None and not isinstance(value, dict):
            self._note(name, "an object")
        return Part(value if isinstance(value, dict) else {}, self.path(name), self.draft)

    def parts(self, name: str) -> list["Part"]:
        """The objects of the array under this name; what is no object in it is noted."""
        value = self._value.get(name)
        if value is not None and not isinstance(value, list):
            self._note(name, "an array")
        found = []
        for index, entry in enumerate(value if isinstance(value, list) else []):
            path = f"{self.path(name)}[{index}]"
            if isinstance(entry, dict):
                found.append(Part(entry, path, self.draft))
            else:
                self.draft.ignore(path, f"expected an object, got {shown(entry)}")
        return found

    def text(self, name: str) -> str | None:
        """A text of at most MAX_TEXT_CHARS; a whole number is one too."""
        value = self._value.get(name)
        if value is None or value == "":
            return None
        text = as_text(value)
        if text is None or len(text) > MAX_TEXT_CHARS:
            self._note(name, f"a text of at most {MAX_TEXT_CHARS:,} characters")
            return None
        return text

    def identifier(self, name: str) -> str | None:
        """An id as text: 1 to 128 characters without blanks, control characters and double quotes; or a whole number."""
        value = self._value.get(name)
        if value is None or value == "":
            return None
        text = as_text(value)
        if text is None or not WELL_FORMED_ID.match(text):
            self._note(name, "an id: 1 to 128 characters, no blank, control character or double quote")
            return None
        return text

    def needed(self, name: str, *others: str) -> str:
        """The id under the first of these names that has one. Raises UnusableError where none has."""
        for candidate in (name, *others):
            if (found := self.identifier(candidate)) is not None:
                return found
        raise UnusableError(self.path(name), "has no id that can be used, and without one there is no event")

    def price(self, name: str) -> float | None:
        """An amount of money: a number of 0 or more, also as text."""
        value = self._value.get(name)
        number = as_number(value)
        if value is None or value == "":
            return None
        if number is None or not 0 <= number <= MAX_PRICE:
            self._note(name, f"an amount from 0 to {MAX_PRICE:,.0f}")
            return None
        return abs(number)  # -0.0 is none

    def quantity(self, name: str) -> int | None:
        """Pieces: a whole number from 1, also as text."""
        return self._whole_number(name, 1, MAX_QUANTITY)

    def position(self, name: str) -> int | None:
        """A rank: a whole number from 0, also as text."""
        return self._whole_number(name, 0, MAX_POSITION)

    def currency(self, name: str) -> str | None:
        """Three letters, in capitals."""
        value = self._value.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str) or not re.fullmatch("[A-Za-z]{3}", value):
            self._note(name, "three letters, as in ISO 4217")
            return None
        return value.upper()

    def flag(self, name: str) -> bool:
        """Whether it is true; anything but true is not."""
        return self._value.get(name) is True

    def time(self, name: str) -> str | None:
        """ISO 8601, UTC where it names no zone, as ISO 8601 in UTC. Raises UnusableError where it cannot be read."""
        value = self._value.get(name)
        if value is None or value == "":
            return None
        try:
            if not isinstance(value, str) or not _DATED.match(value):
                raise ValueError
            moment = _TIMES.validate_python(value)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
            return iso_utc(moment.astimezone(timezone.utc))
        except (ValidationError, ValueError, OverflowError):
            raise UnusableError(self.path(name), f"expected a time as ISO 8601, got {shown(value)}") from None

    def time_micros(self, name: str) -> str | None:
        """Epoch microseconds, also as text, as ISO 8601 in UTC. Raises UnusableError where they cannot be that."""
        return self._epoch(name, "microseconds", 1)

    def time_ms(self, name: str) -> str | None:
        """Epoch milliseconds, also as text, as ISO 8601 in UTC. Raises UnusableError where they cannot be that."""
        return self._epoch(name, "milliseconds", 1_000)

    def _epoch(self, name: str, unit: str, micros_each: int) -> str | None:
        value = self._value.get(name)
        if value is None or value == "":
            return None
        number = as_whole_number(value)
        micros = None if number is None else number * micros_each
        if micros is None or not MIN_MICROS <= micros <= MAX_MICROS:
            raise UnusableError(self.path(name), f"expected epoch {unit} after the year 2000, got {shown(value)}")
        return iso_utc(_EPOCH + timedelta(microseconds=micros))

    def _whole_number(self, name: str, least: int, most: int) -> int | None:
        value = self._value.get(name)
        if value is None or value == "":
            return None
        number = as_whole_number(value)
        if number is None or not least <= number <= most:
            self._note(name, f"a whole number from {least} to {most:,}")
            return None
        return number

    def _note(self, name: str, expected: str) -> None:
        self.draft.ignore(self.path(name), f"expected {expected}, got {shown(self._value.get(name))}; left out")
