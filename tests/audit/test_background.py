"""The audit beside the stream: seldom, alone, and never in the stream's way."""

import threading
from dataclasses import replace

import pytest
from pyspark.sql import functions as F

from pipelines.audit import background
from pipelines.audit.background import BackgroundAudit
from pipelines.events.rules import compile_rules
from pipelines.schemas import Contract
from tests.audit.builders import AS_OF, judged
from tests.events.builders import SUITE, a_value

pytestmark = pytest.mark.spark

SECONDS = 60.0  # bound of every wait; none is expected to last


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class Listener:
    """An audit and what it reported."""

    def __init__(self, rules, every_seconds=60.0):
        self.results, self.errors, self.clock = [], [], Clock()
        self.audit = BackgroundAudit(
            rules,
            every_seconds=every_seconds,
            max_rows=50,
            on_result=self.results.append,
            on_error=self.errors.append,
            clock=self.clock,
            now=lambda: AS_OF,
        )

    def offer(self, rows, batch_id):
        """Offer a batch and wait for the audit, if there is one."""
        self.audit.offer(rows, batch_id)
        if self.audit._running:
            self.audit._running.join(SECONDS)


@pytest.fixture(scope="module")
def rules(spark):
    return compile_rules(spark, SUITE, Contract().checked)


@pytest.fixture(scope="module")
def rows(spark, rules):
    rows = judged(spark, rules, [a_value(), a_value(price=-1), b"{", None]).cache()
    yield rows
    rows.unpersist()


def test_a_batch_is_audited_and_the_result_reported(rules, rows):
    listener = Listener(rules)

    listener.offer(rows, 7)

    (result,) = listener.results
    assert (result.verdict, result.n_rows, result.as_of, result.ruleset) == ("well", 4, AS_OF, rules.ruleset)
    assert result.scope == "micro-batch 7: a sample of at most 50 rows"
    assert listener.errors == []


def test_a_wrong_verdict_is_reported_as_a_difference(rules, rows):
    listener = Listener(rules)

    listener.offer(rows.withColumn("rules", F.array().cast("array<string>")), 0)

    assert {rule.outcome.rule.name for rule in listener.results[0].differing} == {"price_in_range", "record_parseable"}


def test_the_next_audit_begins_when_it_is_due(rules, rows):
    listener = Listener(rules, every_seconds=60.0)

    for batch_id, now in enumerate((100.0, 159.9, 160.0, 161.0, 300.0)):
        listener.clock.now = now
        listener.offer(rows, batch_id)

    assert [result.scope.split(":")[0] for result in listener.results] == [f"micro-batch {n}" for n in (0, 2, 4)]


def test_while_an_audit_runs_no_other_begins_and_the_stream_does_not_wait(rules, rows, monkeypatch):
    listener, may_go_on = Listener(rules, every_seconds=0.0), threading.Event()
    audit_sample = background.audit_sample

    def slow(*args, **kwargs):
        may_go_on.wait(SECONDS)
        return audit_sample(*args, **kwargs)

    monkeypatch.setattr(background, "audit_sample", slow)
    for batch_id in range(3):
        listener.audit.offer(rows, batch_id)  # the second and third come back though the first still runs
    may_go_on.set()
    listener.audit.stop(SECONDS)

    assert [result.scope.split(":")[0] for result in listener.results] == ["micro-batch 0"]


def test_what_fails_is_reported_and_does_not_reach_the_stream(spark, rules, rows):
    no_columns = Listener(rules)
    no_columns.offer(spark.range(1), 0)  # in the sample: in the stream's own thread
    bad_rule = replace(rules.rules[0], expectation=None)
    no_rule = Listener(replace(rules, rules=(bad_rule,)))
    no_rule.offer(rows, 0)

    assert [len(listener.errors) for listener in (no_columns, no_rule)] == [1, 1]
    assert no_columns.results == no_rule.results == []


def test_a_callback_that_fails_does_not_reach_the_stream_and_audits_go_on(spark, rules, rows):
    listener = Listener(rules, every_seconds=0.0)

    def fail(_):
        raise ConnectionError("Redis is away")

    listener.audit._on_result = listener.audit._on_error = fail
    listener.offer(rows, 0)
    listener.offer(spark.range(1), 1)  # fails in the stream's own thread
    listener.audit._on_result = listener.results.append
    listener.offer(rows, 2)

    assert len(listener.results) == 1


def test_an_audit_that_takes_too_long_at_the_end_reports_nothing(rules, rows, monkeypatch):
    listener, may_go_on = Listener(rules), threading.Event()
    audit_sample = background.audit_sample

    def slow(*args, **kwargs):
        may_go_on.wait(SECONDS)
        return audit_sample(*args, **kwargs)

    monkeypatch.setattr(background, "audit_sample", slow)
    listener.audit.offer(rows, 0)
    listener.audit.stop(patience_seconds=0.0)
    may_go_on.set()
    listener.audit._running.join(SECONDS)
    listener.audit.offer(rows, 1)

    assert listener.results == listener.errors == []
