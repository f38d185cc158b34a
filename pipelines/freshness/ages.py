"""From what was read to ages and verdicts."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pipelines.freshness.quiet import Clock
from pipelines.freshness_sections import Limits

# late: past the soft limit. stale: past the hard one. missing: nothing is there. unjudged: nobody has set a limit.
Verdict = Literal["fresh", "late", "stale", "missing", "unreadable", "unjudged"]
AHEAD_MS = 5 * 60_000  # a record whose time lies further ahead says nothing: as the rule about events
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))


@dataclass(frozen=True)
class Reading:
    """What was found of one thing."""

    what: str
    at_ms: int | None = None  # epoch ms that its age counts from; None: there is none
    note: str = ""  # for people
    problem: str = ""  # why it could not be read; `at_ms` is then what was known before
    is_idle: bool = False  # it has nothing to do, and so no age
    sleeps: bool = False  # its age does not grow in the quiet hours


@dataclass(frozen=True)
class Age:
    """A reading, judged."""

    what: str
    verdict: Verdict
    seconds: float | None
    limits: Limits
    note: str = ""

    @property
    def is_alert(self) -> bool:
        return self.verdict not in ("fresh", "unjudged")

    @property
    def line(self) -> str:
        """What is wrong, with the figure and its limit."""
        if self.verdict in ("missing", "unreadable"):
            return f"{self.what}: {self.note}"
        kind, minutes = (
            ("soft", self.limits.soft_minutes) if self.verdict == "late" else ("hard", self.limits.hard_minutes)
        )
        note = f" ({self.note})" if self.note else ""
        return f"{self.what}: {duration(self.seconds or 0.0)} old, {kind} limit {duration((minutes or 0.0) * 60)}{note}"


def judge(reading: Reading, limits: Limits, clock: Clock, now_ms: int) -> Age:
    """Give the verdict. What cannot be read goes on ageing from what was known, and is never called fresh."""
    seconds = None if reading.is_idle else _seconds(reading, clock, now_ms)
    note = "; ".join(part for part in (reading.note, reading.problem and f"cannot be read: {reading.problem}") if part)
    if limits.soft_minutes is None:
        return Age(reading.what, "unjudged", seconds, limits, note)
    verdict = "fresh" if reading.is_idle and not reading.problem else _verdict(reading, seconds, limits)
    return Age(reading.what, verdict, seconds, limits, note or ("there is none" if verdict == "missing" else ""))


def newest(times_ms: Iterable[int | None], now_ms: int) -> int | None:
    """The newest of some times; those that lie ahead of any clock's error are left out."""
    return max((at_ms for at_ms in times_ms if at_ms is not None and at_ms <= now_ms + AHEAD_MS), default=None)


def duration(seconds: float) -> str:
    """`90 s`, `15 min`, `6 h`, `7 d`: in the largest unit of which there are two."""
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= 2 * size), (1.0, "s"))
    return f"{seconds / size:.3g} {unit}"


def _seconds(reading: Reading, clock: Clock, now_ms: int) -> float | None:
    if reading.at_ms is None:
        return None
    return (clock if reading.sleeps else Clock()).awake_ms(reading.at_ms, now_ms) / 1000


def _verdict(reading: Reading, seconds: float | None, limits: Limits) -> Verdict:
    if seconds is None:
        return "unreadable" if reading.problem else "missing"
    if limits.hard_minutes is not None and seconds > limits.hard_minutes * 60:
        return "stale"
    if limits.soft_minutes is not None and seconds > limits.soft_minutes * 60:
        return "late"
    return "unreadable" if reading.problem else "fresh"
