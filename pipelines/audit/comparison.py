"""Holds what Great Expectations counts against what the compiled rules said of the same rows."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines.audit.results import AuditResult, RuleResult, compared
from pipelines.audit.validation import validate
from pipelines.events.suite import QUARANTINE, WARN, Rule


def audit_sample(
    sample: pd.DataFrame, rules: Sequence[Rule], *, ruleset: str, scope: str, as_of: datetime
) -> AuditResult:
    """Audit rows of `take_sample` by the pandas engine. Rules about many rows together are no matter of a sample."""
    verdicts = [name for column in ("rules", "warnings") for names in sample[column] for name in names]
    outcomes, reports = validate(sample, rules, "clickstream")
    results = compared(outcomes, Counter(verdicts))
    return AuditResult("sample", "pandas", scope, ruleset, as_of, len(sample), results, tuple(reports))


def audit_tables(
    events: DataFrame,
    records: DataFrame,
    recorded: DataFrame,
    rules: Sequence[Rule],
    batch_rules: Sequence[Rule],
    *,
    ruleset: str,
    scope: str,
    as_of: datetime,
) -> AuditResult:
    """Audit what is filed, by the Spark engine.

    In:   `events`: rows of `checked_events`, with `warnings`. `records`: rows of `parse_records`, made of the quarantine's
          bytes. `recorded`: the quarantine itself, with `rules`. All of one rule set.
    Quarantine rules are run on all rows; those that warn, and those about many rows together, on the events: of a
    quarantined record no warnings are kept.
    """
    strict = [rule for rule in rules if rule.severity == QUARANTINE]
    mild = [rule for rule in rules if rule.severity == WARN]
    checked = events.select(records.columns).unionByName(records)
    strict_outcomes, strict_reports = validate(checked, strict, "clickstream: what quarantines")
    other_outcomes, other_reports = validate(events, [*mild, *batch_rules], "clickstream: what warns")
    results = (
        *compared(strict_outcomes, _counts(recorded, "rules")),
        *compared(other_outcomes[: len(mild)], _counts(events, "warnings")),
        *(RuleResult(outcome) for outcome in other_outcomes[len(mild) :]),
    )
    reports = (*strict_reports, *other_reports)
    return AuditResult("tables", "spark", scope, ruleset, as_of, checked.count(), results, reports)


def audit_hours(
    measures: pd.DataFrame, rules: Sequence[Rule], *, ruleset: str, scope: str, as_of: datetime
) -> AuditResult:
    """Judge rows of `hourly_measures`. Nothing compiled judges them, so there is nothing to compare with."""
    outcomes, reports = validate(measures, rules, "clickstream hours", index=("hour", "measure", "value"))
    results = tuple(RuleResult(outcome) for outcome in outcomes)
    return AuditResult("hours", "pandas", scope, ruleset, as_of, len(measures), results, tuple(reports))


def _counts(rows: DataFrame, column: str) -> dict[str, int]:
    names = rows.select(F.explode(column).alias("name")).groupBy("name").count()
    return {row["name"]: row["count"] for row in names.collect()}
