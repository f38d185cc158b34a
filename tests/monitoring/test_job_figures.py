"""What jobs that end tell of what they found: figures in their outcome, which the exporter gives, and which may be plotted."""

from datetime import datetime, timezone
from types import SimpleNamespace

import numpy as np
import pytest

from jobs import _audits, _evaluation_results, _reconciliation, _training_runs, check_consistency, maintain_tables
from jobs._evaluating import Candidate, Result
from jobs._evaluation_results import Alerts, Evaluation
from jobs._freshness import Freshness
from pipelines.audit.results import AuditResult, Outcome, RuleResult
from pipelines.drift.concept import detect, points_of
from pipelines.evaluation.figures import Figure
from pipelines.evaluation.intervals import Interval
from pipelines.evaluation.rows import Window
from pipelines.evaluation.served import ServedFigure
from pipelines.events.reconcile import Account
from pipelines.features.consistency import EQUAL, Finding, summary
from pipelines.freshness.ages import Reading, judge
from pipelines.freshness.quiet import Clock
from pipelines.freshness_sections import Limits
from pipelines.monitoring.curves import CURVES
from pipelines.monitoring.job_meanings import OF_JOB
from pipelines.monitoring.meanings import JOBS_THAT_END
from pipelines.sinks.maintenance import Size, Upkeep
from pipelines.stores.history import NOTED_OF_JOBS
from pipelines.stores.outcomes import bounded
from tests.drift.test_results import changed, emptied, quiet, result

NOW_MS = 1_790_000_000_000
AS_OF = datetime(2026, 11, 8, tzinfo=timezone.utc)


def of_freshness():
    limits = Limits(soft_minutes=1, hard_minutes=2)
    readings = [Reading("events", NOW_MS - 90_000), Reading("lists")]
    ages = [judge(reading, limits, Clock(), NOW_MS) for reading in readings]
    return Freshness(NOW_MS, ages, SimpleNamespace(problem="", figures=dict), "").findings("check_freshness").told


def of_drift():
    start = 100_000
    concept = detect(points_of([(s, 60, 12.0 + s % 3) for s in range(0, 200_000, 1_000)], start, 50), start)
    assert concept.is_judged
    return result(changed("a"), quiet(column="b"), emptied("c"), concept=concept).told()


def of_evaluation():
    metrics = [*_evaluation_results.HEADLINES]
    figures = [Figure(who, "all", metric, 0.5, 0.4, 0.6, 9, 3) for who in ("model", "popularity") for metric in metrics]
    roles = [Candidate(None, role, None, 0) for role in ("champion", "challenger", "version")]
    results = [Result(candidate, figures, choices=[1, 2]) for candidate in roles]
    rates = ("click_through", "cart_rate", "conversion")
    served = [ServedFigure(v, Figure("personal", "all", rate, 0.1, 0, 1, 9, 3)) for v in (None, 7) for rate in rates]
    alerts = Alerts(limits={"ndcg": 0.3, "click_through": 0.02})
    return _evaluation_results.told(Evaluation(Window(AS_OF, AS_OF, 10), results, served, [], None, alerts, False))


def of_training():
    data = SimpleNamespace(training=range(3), validation=range(3, 4), n_events=len)
    names = [f"{who}{metric}" for who in ("", "popularity_") for metric in ("ndcg10_all", "recall10_all", "log_loss")]
    metrics = {name: Interval(0.5, 0.4, 0.6) for name in names}
    return _training_runs.told(data, _training_runs.Cost(2.0, 100, 1, 1), metrics)


def of_audit():
    rules = [SimpleNamespace(name=name, severity="quarantine", mostly=1.0) for name in "ab"]
    results = tuple(RuleResult(Outcome(rule, 9, n), n) for n, rule in enumerate(rules))
    return _audits.told([AuditResult("tables", "spark", "all", "r", AS_OF, 9, results)])


def of_upkeep():
    return maintain_tables._told([Upkeep("events", Size(9, 900), Size(3, 800), [], 5, Size(9, 900), Size(2, 200))])


TOLD = {
    "audit_events": of_audit,
    "check_consistency": lambda: check_consistency._told(summary([Finding("u", EQUAL, "", 1e-12)])),
    "check_freshness": of_freshness,
    "detect_drift": of_drift,
    "evaluate_model": of_evaluation,
    "maintain_tables": of_upkeep,
    "reconcile_events": lambda: _reconciliation.told(Account(5, 2, 1, 0, 0, 3)),
    "train_model": of_training,
}


@pytest.mark.parametrize("job", TOLD)
def test_every_figure_that_a_job_tells_has_a_meaning_and_every_meaning_is_told(job):
    told = bounded(TOLD[job]())

    assert told.keys() == {meaning.figure for meaning in OF_JOB[job]}


def test_every_job_that_ends_has_figures():
    assert set(OF_JOB) == set(JOBS_THAT_END) == {*TOLD, "rebuild_profiles"}


@pytest.mark.parametrize("job", NOTED_OF_JOBS)
def test_what_is_noted_of_runs_is_told_and_is_plotted(job):
    told = {f"{name}.{of}" for name, by in bounded(TOLD[job]()).items() for of in by}
    plotted = {name for plot in CURVES if plot.job == job for name in (plot.figure, plot.beside) if name}

    assert plotted <= told
    assert {*NOTED_OF_JOBS[job]} == {name.split(".")[0] for name in plotted}


def test_ages_stand_beside_their_limits():
    told = bounded(of_freshness())

    assert told["age_seconds"] == {"events": 90.0}  # of lists there is none
    assert told["soft_limit_seconds"] == {"events": 60.0, "lists": 60.0}


def test_drift_is_told_of_each_column_that_was_compared():
    told = bounded(of_drift())

    assert told["psi"].keys() == told["psi_limit"].keys() == {"events.a", "events.b"}
    assert told["psi"]["events.a"] > told["psi_limit"]["events.a"] and told["worst_psi_ratio"]["columns"] > 1
    assert told["columns"] == {"missing": 1, "drift": 1, "stable": 1}


def test_an_evaluation_tells_of_roles_not_of_every_version():
    told = bounded(of_evaluation())

    assert told["ndcg"] == {"champion": 0.5, "challenger": 0.5, "popularity": 0.5}
    assert told["click_through"] == {"personal": 0.1} and told["ndcg_limit"] == {"champion": 0.3}
    assert told["choices"] == {"champion": 2, "challenger": 2}


def test_what_a_job_tells_is_bounded_and_finite():
    many = {f"figure {n}": {f"label {m}": m for m in range(900)} for n in range(99)}

    kept = bounded(
        {"odd": {"nan": np.nan, "none": None, "inf": np.inf, "well": np.float64(1)}, "of nothing": {}, **many}
    )

    assert kept["odd"] == {"well": 1.0} and "of nothing" not in kept
    assert len(kept) == 23 and {len(of) for of in kept.values()} == {1, 250}
