"""One look of `check_freshness`: readings, verdicts, what is served from now on, and how it is told."""

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from jobs._readings import look_at_all
from jobs._serving_switch import Served, ServingSwitch
from jobs._watching import Findings
from pipelines.config import Config
from pipelines.freshness.ages import Age, duration, judge
from pipelines.freshness.quiet import Clock
from pipelines.freshness.switching import refresh_reason
from pipelines.freshness_sections import FreshnessConfig, Limits
from pipelines.stores.outcomes import Told

_STYLES = {"fresh": "green", "late": "yellow", "stale": "red", "missing": "yellow", "unreadable": "yellow"}


@dataclass(frozen=True)
class Freshness:
    """What one look found, and did."""

    as_of_ms: int
    ages: list[Age]
    served: Served
    refresh: str  # why the model is to be trained anew; empty: it is not

    @property
    def as_of(self) -> datetime:
        return datetime.fromtimestamp(self.as_of_ms / 1000, timezone.utc)

    def findings(self, job: str) -> Findings:
        """For machines."""
        alerts = [age.line for age in self.ages if age.is_alert]
        if self.served.problem:
            alerts.append(f"serving: {self.served.problem}")
        figures = {
            "is_model_refresh_due": bool(self.refresh),
            "refresh_reason": self.refresh,
            "serving": self.served.figures(),
            "ages": [_figures(age) for age in self.ages],
        }
        return Findings(job, self.as_of, alerts, figures, self._told())

    def _told(self) -> Told:
        limits = {"soft_limit_seconds": "soft_minutes", "hard_limit_seconds": "hard_minutes"}
        told = {name: {age.what: _seconds(getattr(age.limits, of)) for age in self.ages} for name, of in limits.items()}
        return {"age_seconds": {age.what: age.seconds for age in self.ages}, **told}

    def show(self) -> None:
        """For people."""
        figures = [Column(name, justify="right", min_width=8) for name in ("age", "soft", "hard")]
        title = f"freshness at {self.as_of:%Y-%m-%d %H:%M:%S} UTC"
        grid = Table(Column("what", overflow="fold"), *figures, Column("verdict", min_width=10), "", title=title)
        for age in self.ages:
            limits = (_minutes(age.limits.soft_minutes), _minutes(age.limits.hard_minutes))
            seconds = "" if age.seconds is None else duration(age.seconds)
            grid.add_row(
                age.what,
                seconds,
                *limits,
                age.verdict,
                "" if age.is_alert else age.note,
                style=_STYLES.get(age.verdict),
            )
        console = Console()
        console.print(grid)
        console.print(f"serving: {self.served.text}", soft_wrap=True, markup=False, highlight=False)
        console.print(f"model refresh: {f'due, for {self.refresh}' if self.refresh else 'not due'}", soft_wrap=True)


def look(config: Config, job: str, now_ms: int, *, is_dry_run: bool) -> Freshness:
    """Read, judge, and switch where it is time; `is_dry_run`: say what would be.

    The same look again, two at once, and one after another that died anywhere end in the same state (`ServingSwitch`).
    """
    limits = config.freshness
    switch = ServingSwitch.open(config, job)
    found = look_at_all(config, switch.client, switch.known_event_ms, now_ms)
    clock = Clock.of(limits)
    ages = [judge(reading, _limits(limits, reading.what), clock, now_ms) for reading in found.readings]
    event_ms = next(reading.at_ms for reading in found.readings if reading.what == "events")
    served = switch.take_in(ages, event_ms, now_ms, round(limits.recover_minutes * 60_000), is_dry_run=is_dry_run)
    refresh = refresh_reason(ages, found.trained_ms, now_ms, round(limits.refresh_pause_hours * 3_600_000))
    return Freshness(now_ms, ages, served, refresh)


def _limits(config: FreshnessConfig, what: str) -> Limits:
    """Of a heartbeat none where its stream has none: nobody expects that one to run."""
    kind, _, name = what.partition(":")
    if kind == "table":
        return config.tables.get(name, Limits())
    limits: Limits = getattr(config, name or kind)
    return config.heartbeats if kind == "heartbeat" and limits.soft_minutes is not None else limits


def _figures(age: Age) -> dict[str, Any]:
    soft, hard = _seconds(age.limits.soft_minutes), _seconds(age.limits.hard_minutes)
    figures = {"what": age.what, "age_seconds": age.seconds, "soft_seconds": soft, "hard_seconds": hard}
    return figures | {"verdict": age.verdict, "note": age.note}


def _seconds(minutes: float | None) -> float | None:
    return None if minutes is None else minutes * 60


def _minutes(minutes: float | None) -> str:
    return "" if minutes is None else duration(minutes * 60)
