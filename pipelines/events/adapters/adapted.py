"""What an adapter makes of a vendor's payload."""

from dataclasses import dataclass, field
from typing import Any

from pipelines.errors import LiveshelfError

Event = dict[str, Any]  # schemas.EVENT_JSON and, beside it, what else the vendor says; only values that JSON has


class PayloadError(LiveshelfError, ValueError):
    """The payload is not of this vendor: the text says which field, what was expected and what came."""


@dataclass(frozen=True)
class Ignored:
    """What became no event, or a field that was left out of one.

    `name` is the vendor's name of the event, or the path of the field; `reason` is for people.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Adapted:
    """Events in the order of the payload, and what of it was not used. Nothing of a payload vanishes unsaid."""

    events: list[Event] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
