"""What the jobs that watch have in common: as of when they look, where their findings go, and how they end.

They end with 0 when all is well, with 3 when they found what somebody should look at, and with 1 when they could not look.
"""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from jobs._files import write_whole
from jobs._outcomes import tell_figures
from pipelines.errors import AlertError
from pipelines.stores.outcomes import Told


@dataclass(frozen=True)
class Findings:
    """What a job found. `figures` is what the JSON has beside the rest, `told` what its outcome has (Outcome.figures)."""

    job: str
    as_of: datetime  # UTC
    alerts: Sequence[str] = ()  # a line each: what is wrong, with the figure and its limit
    figures: dict[str, Any] = field(default_factory=dict)
    told: Told = field(default_factory=dict)

    def to_json(self) -> str:
        about = {
            "job": self.job,
            "as_of": self.as_of.isoformat(),
            "is_well": not self.alerts,
            "alerts": list(self.alerts),
        }
        return json.dumps(about | self.figures)


@dataclass(frozen=True)
class Telling:
    """How the user wants to be told."""

    is_json: bool
    result: Path | None
    is_exit_zero: bool

    def conclude(self, findings: Findings, show: Callable[[], None]) -> None:
        """Tell: as JSON, or by `show` for people; then raise AlertError where there are alerts."""
        tell_figures(findings.told)
        if self.result is not None:
            write_whole(self.result, findings.to_json().encode())
        if self.is_json:
            click.echo(findings.to_json())
        else:
            show()
        if findings.alerts:
            text = "\n".join([f"{findings.job}: an alert", *[f"  {line}" for line in findings.alerts]])
            raise AlertError(text, is_exit_zero=self.is_exit_zero)


def as_of_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--as-of`; the function gets a datetime in UTC as `as_of`."""
    option = click.option(
        "--as-of",
        callback=lambda _context, _option, value: _utc(value),
        metavar="TIME",
        help="Look as of this instant, ISO 8601, UTC where no zone is given. Default: now. The same instant and the same "
        "tables give the same findings.",
    )
    decorated: Callable[..., Any] = option(function)
    return decorated


def telling_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json`, `--result` and `--exit-zero`; the function gets a `Telling` as `telling`."""

    @click.option("--json", "is_json", is_flag=True, help="Print one JSON object instead of tables.")
    @click.option(
        "--result", type=click.Path(path_type=Path, dir_okay=False), help="Also write that JSON object to this file."
    )
    @click.option("--exit-zero", "is_exit_zero", is_flag=True, help="End with 0, not 3, when there is an alert.")
    @functools.wraps(function)
    def run(*args: Any, is_json: bool, result: Path | None, is_exit_zero: bool, **kwargs: Any) -> None:
        function(*args, telling=Telling(is_json, result, is_exit_zero), **kwargs)

    return run


def _utc(value: str | None) -> datetime:
    if value is None:
        return datetime.now(timezone.utc)
    try:
        instant = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError as error:
        raise click.BadParameter(f"expected an instant such as 2026-11-01T06:00, got '{value}'") from error
    return instant.astimezone(timezone.utc) if instant.tzinfo else instant.replace(tzinfo=timezone.utc)
