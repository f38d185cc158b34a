"""Compare the newest events, lists and features with those before, and tell what changed more than it usually does.

\b
    liveshelf detect_drift                                  the last 24 hours against the 7 days before
    liveshelf detect_drift --window-hours 6 --report out/   the last 6 hours against the same hours of those days
    spark-submit --properties-file conf/spark-defaults.conf --py-files dist/pyfiles.zip jobs/detect_drift.py

Compared are event types, prices, quantities and fields of the context (drift.fields); what lists are made from, their scores and
what is in them; the current values of user and item features; and whether users still choose what is in their lists. What is
missing counts as drift. Ends with code 3 when something drifted: docs/drift.md says how that is decided, and what to do.

\b
Reads   {lake_root}/events, lists, catalogue, the feature tables of users and items, and what earlier runs left in drift
Writes  {lake_root}/drift       one row per run and column; a run that is there is not written again
        --report DIR            drift.html, a page with plots that needs nothing else
"""

import sys
from datetime import datetime
from pathlib import Path

import click
from pydantic import ValidationError

from jobs._drift import Looking
from jobs._drift_texts import print_drift, write_report
from jobs._options import config_option
from jobs._outcomes import tells_outcome
from jobs._spark import job_session
from jobs._watching import Findings, Telling, as_of_option, telling_options
from pipelines.config import Config
from pipelines.drift.windows import Windows
from pipelines.drift_schemas import DRIFT
from pipelines.drift_sections import DriftConfig
from pipelines.errors import InputError
from pipelines.sinks.results import ResultTable

JOB = "detect_drift"


@click.command(help=__doc__)
@config_option
@tells_outcome(JOB)
@as_of_option
@click.option(
    "--window-hours", type=click.FloatRange(0, min_open=True), help="The current window.  [default: drift.window_hours]"
)
@click.option(
    "--reference-days", type=click.FloatRange(0, min_open=True), help="The reference.  [default: drift.reference_days]"
)
@click.option(
    "--report", type=click.Path(path_type=Path, file_okay=False), help="Write a page with plots into this folder."
)
@telling_options
def main(
    config: Config,
    as_of: datetime,
    window_hours: float | None,
    reference_days: float | None,
    report: Path | None,
    telling: Telling,
) -> None:
    config = config.model_copy(update={"drift": _settings(config.drift, window_hours, reference_days)})
    result = Looking(job_session(JOB), config, Windows.of(as_of, config.drift)).result()
    ResultTable(config.table("drift"), DRIFT, "drift_id").append(result.rows())
    page = write_report(result, report) if report else None
    findings = Findings(JOB, as_of, result.alerts(), result.figures(), result.told())
    telling.conclude(findings, lambda: print_drift(result, page))


def _settings(config: DriftConfig, window_hours: float | None, reference_days: float | None) -> DriftConfig:
    given = {"window_hours": window_hours, "reference_days": reference_days}
    try:
        return DriftConfig(**config.model_dump() | {name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise InputError("; ".join(problem["msg"] for problem in error.errors())) from error


if __name__ == "__main__":
    sys.exit(main())
