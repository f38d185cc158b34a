"""The section of the configuration about freshness: how old is too old, and what is done then."""

from datetime import time
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from pipelines.section import Section


class Limits(Section):
    """From which age on somebody is told, and from which nobody gets a personal list."""

    soft_minutes: float | None = Field(None, gt=0, description="older than that: an alert; none: never")
    hard_minutes: float | None = Field(
        None, gt=0, description="older than that: everybody gets what stands in, until it is fresh again; none: never"
    )

    @model_validator(mode="after")
    def _soft_comes_first(self) -> "Limits":
        if self.hard_minutes is not None and (self.soft_minutes is None or self.soft_minutes > self.hard_minutes):
            raise ValueError(
                f"soft_minutes is {self.soft_minutes}, hard_minutes {self.hard_minutes}: the soft limit comes first, for "
                "personal lists come back only below it; null for both judges nothing"
            )
        return self


class DailyPause(NamedTuple):
    """Hours of every day in which a shop sleeps, by its clock; over midnight where `end` is not after `start`."""

    start: time
    end: time


class FreshnessConfig(Section):
    """From which ages on `check_freshness` alerts, and from which it takes personal lists away."""

    events: Limits = Field(
        Limits(soft_minutes=60, hard_minutes=360),
        description="the newest record of the topic: does the shop still send?",
    )
    personalize: Limits = Field(
        Limits(soft_minutes=5, hard_minutes=60), description="the oldest record that the hot path has not come to"
    )
    validate_events: Limits = Field(
        Limits(soft_minutes=15), description="the oldest record that is not filed in Delta yet"
    )
    build_features: Limits = Field(
        Limits(soft_minutes=60), description="the oldest commit of `events` that is not in the feature tables yet"
    )
    heartbeats: Limits = Field(
        Limits(soft_minutes=5), description="the last sign of life of a stream; it gives one every five seconds"
    )
    lists: Limits = Field(Limits(soft_minutes=120), description="the newest list that was published")
    fallback_lists: Limits = Field(
        Limits(soft_minutes=1440), description="the newest event in the lists of those who have none of their own"
    )
    tables: dict[str, Limits] = Field(
        {"events": Limits(soft_minutes=90)},
        description="the newest row of a table in the lake, else its last commit that added some; tables that are not named "
        "here are shown and not judged",
    )
    champion: Limits = Field(
        Limits(soft_minutes=7 * 1440),
        description="the champion among the versions of the model, since it was registered",
    )
    quiet_hours: list[str] = Field(
        [],
        description="hours of every day in which the shop sleeps, such as 00:30-06:00: silence does not age in them; what "
        "waits for a stream does",
    )
    time_zone: str = Field("UTC", description="of quiet_hours, such as Europe/Vienna")
    recover_minutes: float = Field(
        5.0,
        ge=0,
        description="personal lists come back when all that has a hard limit has been below its soft one for so long, in "
        "every look",
    )
    refresh_pause_hours: float = Field(
        24.0, ge=0, description="no training is asked for while a trained version is younger than that"
    )

    @field_validator("quiet_hours")
    @classmethod
    def _two_times_of_day(cls, hours: list[str]) -> list[str]:
        for text in hours:
            _pause(text)
        return hours

    @field_validator("time_zone")
    @classmethod
    def _a_zone_that_is_known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"expected a name of the IANA time zones, such as Europe/Vienna, got '{name}'") from error
        return name

    @property
    def pauses(self) -> list[DailyPause]:
        """`quiet_hours`, read."""
        return [_pause(text) for text in self.quiet_hours]


def _pause(text: str) -> DailyPause:
    try:
        start, end = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError as error:
        raise ValueError(f"expected hours such as 00:30-06:00, got '{text}'") from error
    if start == end:
        raise ValueError(f"'{text}' is no time, or the whole day; to judge nothing by silence, set its limits to null")
    return DailyPause(start, end)
