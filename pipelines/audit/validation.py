"""Runs rules by Great Expectations itself, on either of its engines, and says of each what it found or why it could not."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame

from pipelines.audit.results import Outcome
from pipelines.events.suite import Rule

# Counts only. A value of a row has no place in a report: it may be a person's.
_COUNTS = {"result_format": "BASIC", "partial_unexpected_count": 0}
MAX_OBSERVED = 300  # characters


def validate(
    rows: DataFrame | pd.DataFrame, rules: Sequence[Rule], name: str, index: Sequence[str] = ()
) -> tuple[list[Outcome], list[Any]]:
    """Judge `rows` by `rules`.

    In:   a Spark frame (each distinct row condition costs a job; nothing is cached) or a pandas one of `to_pandas`.
          `name`: of the suite in the report. `index`: pandas only; columns that name a row that breaks a rule.
    Out:  (one outcome per rule, in order; Great Expectations' reports, for the pages: none where there was nothing to run).
    """
    reasons = {rule.name: "" if isinstance(rows, DataFrame) else why_not_on_pandas(rule) for rule in rules}
    runnable = [rule for rule in rules if not reasons[rule.name]]
    report = _report(rows, runnable, name, index) if runnable else None
    found = {result.expectation_config.meta["name"]: result for result in report.results} if report else {}
    outcomes = [
        Outcome(rule, not_audited=reasons[rule.name]) if reasons[rule.name] else _outcome(rule, found[rule.name], index)
        for rule in rules
    ]
    return outcomes, [report] if report else []


# Where a value is missing, GX's two engines agree for these kinds only if such rows are left out in one of these ways.
_AGREEING = {
    "expect_column_pair_values_to_be_equal": ("both_values_are_missing", "either_value_is_missing"),
    "expect_column_pair_values_a_to_be_greater_than_b": ("either_value_is_missing",),
    "expect_multicolumn_sum_to_equal": ("any_value_is_missing",),
}


def why_not_on_pandas(rule: Rule) -> str:
    """Why Great Expectations' pandas engine cannot stand for its Spark engine in this rule; empty where it can."""
    condition = rule.arguments.get("row_condition")
    if isinstance(condition, str) or _any_part(condition, "type", ("pass_through",)):
        return "its row condition is SQL, which only the Spark engine reads"
    if _any_part(condition, "operator", ("!=", "NOT_IN")):
        return "its row condition has != or NOT IN, which on the pandas engine holds for missing values too"
    ignored = rule.arguments.get("ignore_row_if") or getattr(rule.expectation, "ignore_row_if", None)
    if ignored not in _AGREEING.get(rule.kind, (ignored,)):
        return f"with ignore_row_if '{ignored}' the pandas engine counts missing values otherwise than the Spark engine"
    return ""


def _any_part(condition: Any, key: str, values: Sequence[str]) -> bool:
    """Whether a row condition, or a part of it, has one of the values under `key`."""
    if condition is None:
        return False
    stored = condition if isinstance(condition, Mapping) else condition.dict()
    parts = stored.get("conditions") or []
    return str(stored.get(key)) in values or any(_any_part(part, key, values) for part in parts)


def _report(rows: DataFrame | pd.DataFrame, rules: Sequence[Rule], name: str, index: Sequence[str]) -> Any:
    import great_expectations as gx
    from great_expectations.core import ExpectationSuite
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    sources: Any = context.data_sources
    # What GX persists it never lets go.
    source = sources.add_spark("rows", persist=False) if isinstance(rows, DataFrame) else sources.add_pandas("rows")
    asked = {"result_format": "COMPLETE", "unexpected_index_column_names": list(index)} if index else _COUNTS
    batch = (
        source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("all").get_batch({"dataframe": rows})
    )
    return batch.validate(ExpectationSuite(name=name, expectations=[r.expectation for r in rules]), result_format=asked)


def _outcome(rule: Rule, found: Any, index: Sequence[str]) -> Outcome:
    if why := _failure(found.exception_info):
        return Outcome(rule, not_audited=why)
    result = found.result
    n_rows, n_unexpected = result.get("element_count"), result.get("unexpected_count")
    return Outcome(
        rule=rule,
        n_rows=n_rows,
        n_unexpected=0 if n_rows == 0 else n_unexpected,  # of no rows Spark's sum is null
        is_success=bool(found.success),
        observed=_observed(result, index)[:MAX_OBSERVED],
    )


def _observed(result: Mapping[str, Any], index: Sequence[str]) -> str:
    if index:
        places = result.get("unexpected_index_list") or []
        return "; ".join(sorted(" ".join(_short(place[name]) for name in index) for place in places))
    observed = result.get("observed_value")
    return "" if observed is None else str(observed)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _failure(info: Mapping[str, Any]) -> str:
    """Return the first exception of GX: `info` is about the expectation, or maps its metrics to theirs."""
    for one in (info, *info.values()):
        if isinstance(one, Mapping) and one.get("raised_exception"):
            return f"Great Expectations failed: {' '.join(str(one.get('exception_message')).split())[:MAX_OBSERVED]}"
    return ""
