"""Reading a payload, part by part: what is there and of the right kind, and a note of what is not."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pipelines.events.adapters.adapted import Adapted, Event, Ignored, PayloadError
from pipelines.events.adapters.values import (
    MAX_POSITION,
    MAX_PRICE,
    MAX_QUANTITY,
    MAX_TEXT_CHARS,
    as_currency,
    as_id,
    as_position,
    as_price,
    as_quantity,
    as_text,
    as_time,
    as_time_of_micros,
    as_time_of_ms,
    shown,
)

MAX_ENTRIES = 5_000  # events and notes of one payload: a megabyte of `{},` must not become gigabytes

_T = TypeVar("_T")
_TEXT = f"a text of at most {MAX_TEXT_CHARS:,} characters"
_ID = "an id: 1 to 128 characters, no blank, control character or double quote"


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

    def __init__(self, value: Mapping[str, Any], path: str, draft: Draft, index: int = 0) -> None:
        self._value, self._path, self.draft = value, path, draft
        self.index = index  # its place in the array that it is an entry of, from 0

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
            self.draft.ignore(self.path(name), f"expected an object, got {shown(value)}")
        return Part(value if isinstance(value, dict) else {}, self.path(name), self.draft)

    def parts(self, name: str) -> list["Part"]:
        """The objects of the array under this name; what is no object in it is noted."""
        value = self._value.get(name)
        if value is not None and not isinstance(value, list):
            self.draft.ignore(self.path(name), f"expected an array, got {shown(value)}")
        found = []
        for index, entry in enumerate(value if isinstance(value, list) else []):
            path = f"{self.path(name)}[{index}]"
            if isinstance(entry, dict):
                found.append(Part(entry, path, self.draft, index))
            else:
                self.draft.ignore(path, f"expected an object, got {shown(entry)}")
        return found

    def flag(self, name: str) -> bool:
        """Whether it is true; anything but true is not."""
        return self._value.get(name) is True

    def text(self, name: str) -> str | None:
        """A text; a whole number is one too."""
        return self._optional(name, as_text, _TEXT)

    def identifier(self, name: str) -> str | None:
        """An id, as text."""
        return self._optional(name, as_id, _ID)

    def price(self, name: str) -> float | None:
        """An amount of money, also given as text."""
        return self._optional(name, as_price, f"an amount from 0 to {MAX_PRICE:,.0f}")

    def quantity(self, name: str) -> int | None:
        """Pieces."""
        return self._optional(name, as_quantity, f"a whole number from 1 to {MAX_QUANTITY:,}")

    def position(self, name: str) -> int | None:
        """A rank, as it is given."""
        return self._optional(name, as_position, f"a whole number from 0 to {MAX_POSITION:,}")

    def currency(self, name: str) -> str | None:
        """Three letters, in capitals."""
        return self._optional(name, as_currency, "three letters, as in ISO 4217")

    def needed_text(self, name: str) -> str:
        """The text under this name. Raises UnusableError where there is none."""
        return self._needed((name,), as_text, _TEXT)

    def needed_id(self, *names: str) -> str:
        """The id under the first of these names that is there. Raises UnusableError where none is, or it is no id."""
        return self._needed(names, as_id, _ID)

    def time(self, name: str) -> str | None:
        """ISO 8601, as ISO 8601 in UTC. Raises UnusableError where it cannot be read: a time that was told is not guessed."""
        return self._read(name, as_time, "a time as ISO 8601")

    def time_of_micros(self, name: str) -> str | None:
        """Epoch microseconds, as ISO 8601 in UTC. Raises UnusableError where they cannot be that."""
        return self._read(name, as_time_of_micros, "epoch microseconds after the year 2000")

    def time_of_ms(self, name: str) -> str | None:
        """Epoch milliseconds, as ISO 8601 in UTC. Raises UnusableError where they cannot be that."""
        return self._read(name, as_time_of_ms, "epoch milliseconds after the year 2000")

    def _needed(self, names: tuple[str, ...], convert: Callable[[Any], str | None], expected: str) -> str:
        for name in names:
            if (found := self._read(name, convert, expected)) is not None:
                return found
        raise UnusableError(self.path(names[0]), "is missing, and without it there is no event")

    def _optional(self, name: str, convert: Callable[[Any], _T | None], expected: str) -> _T | None:
        try:
            return self._read(name, convert, expected)
        except UnusableError as error:
            self.draft.ignore(error.path, f"{error.reason}; left out")
            return None

    def _read(self, name: str, convert: Callable[[Any], _T | None], expected: str) -> _T | None:
        value = self._value.get(name)
        if value is None or value == "":
            return None
        if (found := convert(value)) is None:
            raise UnusableError(self.path(name), f"expected {expected}, got {shown(value)}")
        return found
