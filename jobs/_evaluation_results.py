"""What becomes of an evaluation: rows in a table, metrics and tags in MLflow, alerts, JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from jobs._evaluating import Result
from jobs._watching import Findings
from pipelines.config import Config
from pipelines.evaluation.alerts import Watched, fallen, limit_of, no_better
from pipelines.evaluation.figures import ALL, Figure
from pipelines.evaluation.gate import Decision
from pipelines.evaluation.rankings import MODEL, OWN_HISTORY, POPULARITY
from pipelines.evaluation.rows import Window, gate_rows, holdout_rows, served_rows
from pipelines.evaluation.served import PERSONAL, RATES, ServedFigure
from pipelines.evaluation_schemas import EVALUATIONS
from pipelines.evaluation_sections import EvaluationConfig
from pipelines.sinks.results import ResultTable
from pipelines.sources.delta import read_table
from pipelines.stores.outcomes import Told
from pipelines.tracking.versions import CHALLENGER, CHAMPION, HIGH, LOW

if TYPE_CHECKING:
    from pipelines.tracking.registry import Registry

HEADLINES = ("ndcg", "recall", "hit_rate", "log_loss", "coverage", "calibration_error")
MOST_EARLIER = 500  # rows that are looked back at


@dataclass(frozen=True)
class Alerts:
    """Why somebody should look; lines for people."""

    no_better: Sequence[str] = ()
    fallen: Sequence[str] = ()
    limits: Mapping[str, float | None] = field(default_factory=dict)  # metric: below, it has fallen

    @property
    def lines(self) -> list[str]:
        return [*self.no_better, *self.fallen]


@dataclass(frozen=True)
class Evaluation:
    """All that was found."""

    window: Window
    results: Sequence[Result]
    served: Sequence[ServedFigure]
    history: Sequence[dict[str, Any]]  # rows of earlier evaluations, the newest first
    decision: Decision | None  # None: the gate was not asked
    alerts: Alerts
    is_dry_run: bool


def read_history(spark: SparkSession, config: Config, as_of: datetime) -> list[dict[str, Any]]:
    """The headlines of evaluations before `as_of`, the newest first: NDCG of the champions, click-through of personal lists."""
    rows = read_table(spark, config.table("evaluations"), "evaluations")
    of_champion = (F.col("kind") == "holdout") & (F.col("role") == CHAMPION) & (F.col("metric") == "ndcg")
    of_champion &= F.col("ranking").isin(MODEL, POPULARITY) & (F.col("k") == config.evaluation.k)
    of_served = (F.col("kind") == "served") & (F.col("ranking") == PERSONAL) & (F.col("metric") == "click_through")
    of_served &= F.col("version").isNull()
    told = rows.where((F.col("as_of") < as_of) & (F.col("segment") == ALL) & (of_champion | of_served))
    newest = told.withColumn("as_of", F.col("as_of").cast("double")).orderBy(F.desc("as_of"), "kind", "ranking")
    found = (
        row.asDict() for row in newest.limit(MOST_EARLIER).collect()
    )  # a timestamp would come in this machine's zone
    return [row | {"as_of": datetime.fromtimestamp(row["as_of"], timezone.utc)} for row in found]


def alerts_of(
    config: EvaluationConfig,
    results: Sequence[Result],
    served: Sequence[ServedFigure],
    history: Sequence[dict[str, Any]],
) -> Alerts:
    """What somebody should look at (docs/evaluation.md#alerts)."""
    champion = next((result for result in results if result.candidate.role == CHAMPION), None)
    worse, fell = None, list[str | None]()
    if champion and (above := champion.figure("above_popularity", "ndcg")):
        worse = no_better(champion.number, above.interval, above.n, config.alerts.min_n)
    watched = {
        f"NDCG@{config.k} of the champion": ("holdout", MODEL, champion and champion.figure(MODEL, "ndcg")),
        "click-through of personal lists": ("served", PERSONAL, personal_click_through(served)),
    }
    limits = dict[str, float | None]()
    for name, (kind, ranking, now) in watched.items():
        own = (row for row in history if (row["kind"], row["ranking"]) == (kind, ranking))
        earlier = [row["value"] for row in own if row["n"] >= config.alerts.min_n]
        limits["ndcg" if kind == "holdout" else "click_through"] = limit_of(earlier, config.alerts)
        if now and now.n >= config.alerts.min_n:
            fell.append(fallen(Watched(name, now.interval, earlier), config.alerts))
    return Alerts([worse] if worse else [], [line for line in fell if line], limits)


def personal_click_through(served: Sequence[ServedFigure]) -> Figure | None:
    """Of the personal lists of all versions together."""
    wanted = PERSONAL, ALL, "click_through"
    mine = (s.figure for s in served if s.version is None)
    return next((f for f in mine if (f.ranking, f.segment, f.metric) == wanted), None)


def keep(config: Config, registry: "Registry", evaluation: Evaluation) -> Evaluation:
    """Write all of it, and do what the gate decided. Returns the evaluation with what was done.

    MLflow first: the same metrics again change nothing, and the table's rows say that all is written. Safe to repeat: an
    evaluation that the table has is not written again.
    """
    from pipelines.tracking.promotion import act_on

    window, table = evaluation.window, ResultTable(config.table("evaluations"), EVALUATIONS, "evaluation_id")
    for result in evaluation.results:
        registry.measured_later(result.candidate.version, _metrics(result), int(window.as_of.timestamp()))
        table.append(holdout_rows(window, result.number, result.candidate.role, result.figures))
    table.append(served_rows(window, evaluation.served))
    decision = evaluation.decision
    if decision is None:
        return evaluation
    done = act_on(registry, decision, window.as_of)
    table.append(gate_rows(window, done, config.evaluation.gate.primary_metric))
    return replace(evaluation, decision=done)


def to_findings(job: str, evaluation: Evaluation, page: Path | None) -> Findings:
    """For machines: alerts, models, what was served, the gate."""
    decision = evaluation.decision
    figures = {
        "since": evaluation.window.since.isoformat(),
        "k": evaluation.window.k,
        "is_dry_run": evaluation.is_dry_run,
        "is_relevance_falling": bool(evaluation.alerts.fallen),
        "models": [_model(result) for result in evaluation.results],
        "served": [
            {"source": s.figure.ranking, "version": s.version, "metric": s.figure.metric, **_bounds(s.figure)}
            for s in evaluation.served
            if s.figure.segment == ALL
        ],
        "gate": decision
        and {
            "decision": decision.outcome,
            "reason": decision.reason,
            "champion": decision.champion,
            "challenger": decision.challenger,
        },
        "report": str(page) if page else None,
    }
    return Findings(job, evaluation.window.as_of, evaluation.alerts.lines, figures, told(evaluation))


def told(evaluation: Evaluation) -> Told:
    """What the outcome of the run has: each metric of the versions with a role, of popularity, and of what was served."""
    roles = {
        result.candidate.role: result
        for result in evaluation.results
        if result.candidate.role in (CHAMPION, CHALLENGER)
    }
    judged = {role: (result, MODEL) for role, result in roles.items()}
    if CHAMPION in roles:
        judged |= {name: (roles[CHAMPION], name) for name in (POPULARITY, OWN_HISTORY)}
    holdout = {
        metric: {
            of: figure.value for of, (result, ranking) in judged.items() if (figure := result.figure(ranking, metric))
        }
        for metric in HEADLINES
    }
    whole = [one.figure for one in evaluation.served if one.version is None and one.figure.segment == ALL]
    served = {rate: {figure.ranking: figure.value for figure in whole if figure.metric == rate} for rate in RATES}
    choices = {role: float(len(result.choices)) for role, result in roles.items() if result.choices}
    limits = evaluation.alerts.limits
    return {
        **holdout,
        **served,
        "choices": choices,
        "ndcg_limit": {CHAMPION: limits.get("ndcg")},
        "click_through_limit": {PERSONAL: limits.get("click_through")},
    }


def _model(result: Result) -> dict[str, Any]:
    return {
        "version": result.number,
        "role": result.candidate.role,
        "not_judged": result.not_judged or None,
        "judged_from": datetime.fromtimestamp(result.judged_from_s, timezone.utc).isoformat(),
        "n_choices": len(result.choices) if result.choices else 0,
        "figures": {f"{f.ranking}.{f.metric}": _bounds(f) for f in result.figures if f.segment == ALL},
    }


def _bounds(figure: Figure) -> dict[str, Any]:
    return {name: getattr(figure, name) for name in ("value", "low", "high", "n", "n_users")}


def _metrics(result: Result) -> dict[str, float]:
    """Of the version's own lists and popularity's, over all: `holdout_ndcg`, with `_low` and `_high`."""
    told: dict[str, float] = {}
    for figure in result.figures:
        if figure.segment == ALL and figure.ranking in (MODEL, POPULARITY):
            name = f"holdout_{figure.metric}" if figure.ranking == MODEL else f"holdout_popularity_{figure.metric}"
            told[name] = figure.value
            if figure.low is not None and figure.high is not None:
                told |= {name + LOW: figure.low, name + HIGH: figure.high}
    return told
