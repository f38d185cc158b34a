"""Judge the champion and its challenger by later choices, and what was served by what came of it; promote by a gate.

\b
    liveshelf evaluate_model                               the last days, as of now
    liveshelf evaluate_model --report reports              … and a page with plots
    liveshelf evaluate_model --gate --dry-run              what the gate would do; nothing is changed or written
    liveshelf evaluate_model --gate                        and the challenger is champion, if it is better and no guard broken
    spark-submit --properties-file conf/spark-defaults.conf --py-files dist/pyfiles.zip jobs/evaluate_model.py

A version is judged by choices that are later than what it has learned from: its list of the whole catalogue at that moment,
beside popularity and the user's own history. What was served is judged by impressions, clicks, carts and purchases that carry
the list's id. docs/evaluation.md explains every figure, the alerts and the gate.

\b
Reads   {lake_root}/events, {lake_root}/lists, {lake_root}/evaluations; MLflow: champion, challenger, --version
Writes  {lake_root}/evaluations   a row for each metric of each segment; the same instant is written once
        MLflow: metrics holdout_… of each version's run, tags gate_… of the challenger, with --gate its alias
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from jobs._evaluating import (
    Candidate,
    Holdout,
    Result,
    candidates_of,
    features,
    gate_decision,
    judged,
    n_to_judge,
    read_holdout,
)
from jobs._evaluation_results import Evaluation, alerts_of, keep, read_history, to_findings
from jobs._evaluation_texts import print_evaluation
from jobs._notices import notice
from jobs._options import config_option
from jobs._outcomes import tells_outcome
from jobs._progress import SendingProgress
from jobs._spark import job_session
from jobs._watching import Telling, as_of_option, telling_options
from pipelines.config import Config
from pipelines.evaluation.rows import Window
from pipelines.evaluation.served import ServedFigure, grouped, served_figures, served_places
from pipelines.sources.delta import read_table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from pipelines.tracking.registry import Registry

JOB = "evaluate_model"


@dataclass(frozen=True)
class Wanted:
    """What the user asked for."""

    named: Sequence[str]
    is_gated: bool
    is_dry_run: bool


@click.command(help=__doc__)
@as_of_option
@click.option("--holdout-days", type=click.FloatRange(0, min_open=True), help="[default: evaluation.holdout_days]")
@click.option(
    "--version", "named", multiple=True, help="Judge this version too: a number or an alias. May be repeated."
)
@click.option(
    "--report", type=click.Path(path_type=Path, file_okay=False), help="Write a page with plots to this folder."
)
@click.option("--gate", "is_gated", is_flag=True, help="Make the challenger champion if the gate lets it pass.")
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Change nothing: no row, no metric, no tag, no alias.")
@telling_options
@config_option
@tells_outcome(JOB)
def main(
    config: Config, as_of: datetime, holdout_days: float | None, named: tuple[str, ...], report: Path | None,
    is_gated: bool, is_dry_run: bool, telling: Telling,
) -> None:  # fmt: skip
    from pipelines.tracking.registry import Registry  # MLflow takes seconds to import, `--help` need not wait

    as_of = as_of.replace(microsecond=0)
    since = as_of - timedelta(days=holdout_days or config.evaluation.holdout_days)
    evaluation = _evaluated(
        config,
        Registry.open(config.tracking),
        Window(since, as_of, config.evaluation.k),
        Wanted(named, is_gated, is_dry_run),
    )
    page = _reported(evaluation, report) if report else None
    telling.conclude(to_findings(JOB, evaluation, page), lambda: print_evaluation(evaluation, page))


def _evaluated(config: Config, registry: "Registry", window: Window, wanted: Wanted) -> Evaluation:
    candidates = candidates_of(registry, wanted.named)
    spark = job_session(JOB)
    notice("reading events …")
    history = read_history(spark, config, window.as_of)
    served = _served(spark, config, window)
    holdout = read_holdout(spark, config, features(config), window, candidates)
    try:
        results = _judged_with_a_bar(config, holdout, candidates)
        decision = gate_decision(config, holdout, results) if wanted.is_gated else None
    finally:
        holdout.timelines.unpersist()
    alerts = alerts_of(config.evaluation, results, served, history)
    evaluation = Evaluation(window, results, served, history, decision, alerts, wanted.is_dry_run)
    return evaluation if wanted.is_dry_run else keep(config, registry, evaluation)


def _served(spark: "SparkSession", config: Config, window: Window) -> list[ServedFigure]:
    events = read_table(spark, config.table("events"), "events", config.events.contract.events)
    lists = read_table(spark, config.table("lists"), "lists")
    return served_figures(grouped(served_places(events, lists, window.since, window.as_of)))


def _judged_with_a_bar(config: Config, holdout: Holdout, candidates: Sequence[Candidate]) -> list[Result]:
    n_all = sum(n_to_judge(holdout, each) for each in candidates)
    done = 0
    with SendingProgress("judge", n_all, "interactions") as bar:

        def on_slice(n: int) -> None:
            nonlocal done
            done += n
            bar.show(done, done)

        results = list(judged(config, holdout, candidates, on_slice))
        bar.finish(done, n_all)
    return results


def _reported(evaluation: Evaluation, folder: Path) -> Path:
    from jobs._evaluation_page import told_by
    from pipelines.evaluation.report import page  # Matplotlib takes a second to import

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"evaluation-{evaluation.window.as_of:%Y%m%dT%H%M%S}.html"
    path.write_text(page(told_by(evaluation)), encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
