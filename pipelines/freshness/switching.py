"""When everybody gets what stands in, and when personal lists come back.

At once past a hard limit. Back when all that has a hard limit has been below its *soft* one, in every look, for
`recover_ms`: two thresholds and a time, so that data which trickles does not switch to and fro (hysteresis). Times and not
numbers of looks, so that it does not matter how often one looks, or that two look at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pipelines.freshness.ages import AHEAD_MS, Age, duration

Mode = Literal["personal", "fallback"]


@dataclass(frozen=True)
class Watch:
    """What is remembered from look to look."""

    as_of_ms: int = 0  # of the newest look
    fresh_since_ms: int | None = None  # of the first look since when all was fresh in every look
    newest_event_ms: int | None = None  # of the newest event ever seen: for when Kafka cannot be asked


@dataclass(frozen=True)
class Serving:
    """What is served now."""

    mode: Mode = "personal"
    held_by: str = ""  # who set it by hand: then it stays


@dataclass(frozen=True)
class Switch:
    """Another mode from now on."""

    mode: Mode
    reason: str


@dataclass(frozen=True)
class Decision:
    """What becomes of a look."""

    watch: Watch
    switch: Switch | None = None
    note: str = ""  # why nothing is switched, where one might wonder


def decide(watch: Watch, serving: Serving, ages: Sequence[Age], now_ms: int, recover_ms: int) -> Decision:
    """Take in one look. The same look again, and a look older than the newest, change nothing more."""
    if now_ms < watch.as_of_ms <= now_ms + AHEAD_MS:
        return Decision(watch, note="a newer look has decided")
    limited = [age for age in ages if age.limits.hard_minutes is not None]
    is_fresh = all(age.verdict == "fresh" for age in limited)
    fresh_since_ms = min(now_ms if watch.fresh_since_ms is None else watch.fresh_since_ms, now_ms)
    seen = replace(watch, as_of_ms=now_ms, fresh_since_ms=fresh_since_ms if is_fresh else None)
    stale = [age for age in limited if age.verdict == "stale"]
    if serving.held_by:
        return Decision(seen, note=_held(serving, stale))
    if serving.mode == "personal":
        return Decision(seen, Switch("fallback", "; ".join(age.line for age in stale)) if stale else None)
    if not is_fresh:
        return Decision(seen, note="until fresh: " + ", ".join(age.what for age in limited if age.verdict != "fresh"))
    fresh_ms = now_ms - fresh_since_ms
    if fresh_ms < recover_ms:
        return Decision(seen, note=f"all is fresh; back when it has been for {duration(recover_ms / 1000)}")
    return Decision(seen, Switch("personal", f"all has been fresh for {duration(fresh_ms / 1000)}"))


def refresh_reason(ages: Sequence[Age], trained_ms: int | None, now_ms: int, pause_ms: int) -> str:
    """Why the model is to be trained anew; empty: it is not, or it was within `pause_ms`.

    `trained_ms` is when the newest trained version was registered, champion or not: a training that did not make a champion
    is not begun again with every look.
    """
    if trained_ms is not None and now_ms - trained_ms < pause_ms:
        return ""
    old = [age.what for age in ages if age.verdict in ("late", "stale")]
    old += [age.what for age in ages if age.verdict == "missing" and age.what == "champion"]
    return ", ".join(old)


def _held(serving: Serving, stale: Sequence[Age]) -> str:
    note = f"{serving.held_by} set {serving.mode} by hand; `liveshelf serving auto` lets this job decide again"
    return f"{note}; past a hard limit: {', '.join(age.what for age in stale)}" if stale else note
