"""The entries of conf/features.yaml, one class a kind: what each may say, and what it must.

To add a kind: a class here, and its meaning in spark_kinds.py, numpy_fold.py and as_of_values.py.
"""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipelines.schemas import EVENT_TYPES, INTERACTION_TYPES

EventType = Literal[EVENT_TYPES]  # type: ignore[valid-type]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
SHORTEST_HALF_LIFE_HOURS = 1 / 12  # 288 half-lives a day: far below where 2^n overflows
RESERVED = {"as_of", "batch_id"}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Entry(_Part):
    entity: Name = Field(description="what a row is about")
    about: str = Field(description="for people: what the feature says")
    online: bool = Field(False, description="kept in the profile in Redis too; of the user, from interactions only")

    @property
    def counted(self) -> tuple[str, ...]:
        """The event types that count."""
        return tuple(getattr(self, "events"))  # noqa: B009  each kind has its own type of it


class DecayedSum(_Entry):
    """Σ weight(type) · value · 2^(−age / half-life)."""

    kind: Literal["decayed_sum"]
    events: dict[EventType, float] = Field(min_length=1, description="event type → weight; may be negative")
    value: str | None = Field(None, description="a field that is summed, or `amount`: price × quantity; none: 1")
    half_lives: tuple[Name, ...] = Field((), description="names under half_lives_hours; none: all")


class DecayedCount(_Entry):
    """Σ 2^(−age / half-life)."""

    kind: Literal["decayed_count"]
    events: tuple[EventType, ...] = Field(min_length=1)
    half_lives: tuple[Name, ...] = ()


class Rate(_Entry):
    """(hits + prior · prior_events) / (of + prior_events), both decayed counts: with few events it is near the prior."""

    kind: Literal["rate"]
    hits: tuple[EventType, ...] = Field(min_length=1)
    of: tuple[EventType, ...] = Field(min_length=1)
    prior: float = Field(ge=0, description="the rate to expect before any event")
    prior_events: float = Field(gt=0, description="how many events it takes to move half-way from the prior")
    half_lives: tuple[Name, ...] = ()

    @property
    def counted(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.hits, *self.of)))


class LastTime(_Entry):
    """When the newest of the events happened."""

    kind: Literal["last_time"]
    events: tuple[EventType, ...] = Field(min_length=1)


class LastValue(_Entry):
    """A field of the newest event that has it; of several at one instant, of the one that arrived last."""

    kind: Literal["last_value"]
    events: tuple[EventType, ...] = Field(min_length=1)
    field: str
    type: Literal["string", "double", "long"] = "string"
    expires_after_days: float | None = Field(None, gt=0, description="an older value is none")


class DistinctCount(_Entry):
    """How many different values: exact below k, beyond it estimated from the k smallest hashes (error about 1/√k).

    Source: Bar-Yossef, Jayram, Kumar, Sivakumar, Trevisan, "Counting Distinct Elements in a Data Stream", RANDOM 2002.
    """

    kind: Literal["distinct_count"]
    events: tuple[EventType, ...] = Field(min_length=1)
    field: str
    k: int = Field(128, ge=16, le=4096, description="hashes kept, 8 bytes each")


class SessionLength(_Entry):
    """Seconds from the first to the last event of the newest session. A session ends at midnight UTC.

    The day's end bounds what must be kept, and makes the value independent of the order of the events: sessions of the
    newest day are kept, MAX_SESSIONS of them. Exact while a user has no more than those on one day.
    """

    MAX_SESSIONS: ClassVar[int] = 16

    kind: Literal["session_length"]
    events: tuple[EventType, ...] = Field(min_length=1)


Entry = Annotated[
    DecayedSum | DecayedCount | Rate | LastTime | LastValue | DistinctCount | SessionLength, Field(discriminator="kind")
]


class RankEntry(_Part):
    """A rank in Redis."""

    feature: str
    top: int = Field(1000, ge=1, le=100_000, description="how many are kept")


class Fallbacks(_Part):
    """The static lists of the segments."""

    feature: str
    n: int = Field(50, ge=1, le=1000, description="items in a list")
    max_segments: int = Field(1000, ge=1, le=100_000, description="the most popular segments have a list")


class Exploration(_Part):
    """What new items are tried by: how often items were clicked where they were shown."""

    feature: str = Field(description="a rate of items: clicks for each impression")
    top: int = Field(20_000, ge=1, le=200_000, description="items, those with the newest events")


class Document(_Part):
    """The whole file."""

    version: int = Field(ge=1, le=65_535)
    half_lives_hours: dict[Name, Annotated[float, Field(ge=SHORTEST_HALF_LIFE_HOURS)]]
    fields: Mapping[Name, str] = Field(
        {}, description="names for fields inside others, as `device: context.device_type`"
    )
    segments: tuple[Name, ...] = ()
    entities: dict[Name, tuple[Name, ...]]
    features: dict[Name, Entry]
    ranks: dict[Name, RankEntry] = {}
    fallbacks: Fallbacks | None = None
    exploration: Exploration | None = None

    @field_validator("fields")
    @classmethod
    def _paths(cls, fields: Mapping[str, str]) -> Mapping[str, str]:
        for name, path in fields.items():
            if not re.fullmatch(r"\w+(\.\w+)*", path):
                raise ValueError(f"'{name}: {path}': expected a field's name, or names joined by dots")
        return fields

    @model_validator(mode="after")
    def _entries_fit(self) -> "Document":
        for name, entry in self.features.items():
            if name in RESERVED or name in self.entities.get(entry.entity, ()):
                raise ValueError(f"features: {name}: the table has a column of this name")
            if entry.entity not in self.entities:
                raise ValueError(f"features: {name}: no entity '{entry.entity}'. Known: {', '.join(self.entities)}")
            for half_life in getattr(entry, "half_lives", ()):
                if half_life not in self.half_lives_hours:
                    known = ", ".join(self.half_lives_hours)
                    raise ValueError(f"features: {name}: no half-life '{half_life}'. Known: {known}")
            _check_online(name, entry)
        return self


def _check_online(name: str, entry: _Entry) -> None:
    if not entry.online:
        return
    if entry.entity != "user" or not isinstance(entry, DecayedSum | DecayedCount | Rate):
        raise ValueError(f"features: {name}: online is for decayed sums, counts and rates of the entity user")
    if isinstance(entry, DecayedSum) and entry.value:
        raise ValueError(f"features: {name}: online is for sums without a value: profiles do not know '{entry.value}'")
    if others := sorted(set(entry.counted) - set(INTERACTION_TYPES)):
        known = ", ".join(INTERACTION_TYPES)
        raise ValueError(f"features: {name}: profiles do not know the event type {others[0]}; they know {known}")


def keys_of(parents: list[str]) -> list[str]:
    """The keys that are known at a place of the file, given as pydantic names it: an entry's kind follows its name."""
    place = parents[2] if parents[:1] == ["features"] else (parents or [""])[0]
    models: dict[str, type[BaseModel]] = {
        "ranks": RankEntry,
        "fallbacks": Fallbacks,
        "exploration": Exploration,
        **_MODEL_OF_KIND,
    }
    return sorted(models.get(place, Document).model_fields)


_MODEL_OF_KIND: dict[str, type[BaseModel]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model
    for model in (DecayedSum, DecayedCount, Rate, LastTime, LastValue, DistinctCount, SessionLength)
}
