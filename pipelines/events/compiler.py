"""Row-level expectations → Spark columns, by asking Great Expectations' own Spark engine for its condition.

Rests on internals of the pinned version. The differential test holds what is compiled equal to what GX itself reports.
"""

from collections.abc import Sequence
from functools import reduce
from operator import and_, or_
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from pipelines.errors import RuleError
from pipelines.events.suite import Rule

# Proven by the differential test; docs/expectations.md lists them.
COMPILABLE = frozenset(
    {
        "expect_column_values_to_not_be_null",
        "expect_column_values_to_be_null",
        "expect_column_values_to_be_in_set",
        "expect_column_values_to_not_be_in_set",
        "expect_column_values_to_be_between",
        "expect_column_values_to_match_regex",
        "expect_column_values_to_not_match_regex",
        "expect_column_values_to_match_regex_list",
        "expect_column_values_to_not_match_regex_list",
        "expect_column_value_lengths_to_be_between",
        "expect_column_value_lengths_to_equal",
        "expect_column_pair_values_to_be_equal",
        "expect_column_pair_values_a_to_be_greater_than_b",
        "expect_multicolumn_values_to_be_equal",
        "expect_multicolumn_sum_to_equal",
        "expect_select_column_values_to_be_unique_within_record",
    }
)
_NEEDS_PYTHON = "runs Python for each row, which costs more than the whole stream"
_NEEDS_OTHER_ROWS = "compares a row with others, and a stream never has them all"
_WHY_NOT = {
    "expect_column_values_to_match_json_schema": _NEEDS_PYTHON,
    "expect_column_values_to_match_strftime_format": _NEEDS_PYTHON,
    "expect_column_values_to_be_unique": _NEEDS_OTHER_ROWS,
    "expect_column_values_to_be_increasing": _NEEDS_OTHER_ROWS,
    "expect_column_values_to_be_decreasing": _NEEDS_OTHER_ROWS,
    "expect_compound_columns_to_be_unique": _NEEDS_OTHER_ROWS,
    # compiled, it would be a rule that nothing breaks: the mean of no rows is null
    "expect_column_value_z_scores_to_be_less_than": "needs the mean and the deviation of all rows",
}
_BASIC = {"result_format": {"result_format": "BASIC"}}


def compile_columns(rows: DataFrame, rules: Sequence[Rule]) -> list[Column]:
    """One boolean column per rule, never null: true on a row that GX would count as unexpected.

    In:   `rows` has the columns that the rules speak of; only its schema matters, and it should be empty. The columns
          fit any frame with these names, a stream too. `mostly` is a matter of whole batches and is not looked at.
    Raises RuleError, naming the rule, for a column that is not there and for what GX cannot turn into a condition. The
    rules must be compilable (`why_not_compilable`).
    """
    for rule in rules:
        _check(rule, rows.schema)
    from great_expectations.execution_engine.sparkdf_execution_engine import SparkDFExecutionEngine

    engine = SparkDFExecutionEngine(spark=rows.sparkSession, persist=False)
    engine.load_batch_data("compile", rows)
    conditions = _conditions(engine, rules)
    return [F.coalesce(unexpected & _in_domain(engine, domain), F.lit(False)) for unexpected, domain in conditions]


def why_not_compilable(rule: Rule) -> str:
    """Why no column can judge one row by this rule; empty where one can."""
    if rule.kind in COMPILABLE:
        return ""
    if rule.kind in _WHY_NOT:
        return _WHY_NOT[rule.kind]
    if getattr(rule.expectation, "map_metric", None) is None:
        return "is about many rows together, not about one"
    return "is not among the kinds that were proven to give the verdicts of Great Expectations"


def _check(rule: Rule, schema: StructType) -> None:
    arguments = rule.arguments
    named = [arguments.get(key) for key in ("column", "column_A", "column_B")] + (arguments.get("column_list") or [])
    for name in filter(None, named):
        if name not in schema.names:
            raise RuleError(f"rule '{rule.name}': there is no column '{name}'. Known: {', '.join(schema.names)}")


def _conditions(engine: Any, rules: Sequence[Rule]) -> list[tuple[Column, dict[str, Any]]]:
    """Return the condition that GX counts, and the domain it counts it in, for each rule; all in one go."""
    from great_expectations.validator.metrics_calculator import MetricsCalculator

    metrics = [_condition_metric(engine, rule) for rule in rules]
    resolved, aborted = MetricsCalculator(engine, show_progress_bars=False).compute_metrics(metrics)
    for rule, metric in zip(rules, metrics, strict=True):
        if metric.id not in resolved:
            raise RuleError(f"rule '{rule.name}': Great Expectations cannot compile it: {_why(aborted, metric.id)}")
    columns = [resolved[metric.id] for metric in metrics]
    return [(unexpected, {**domain, **accessor}) for unexpected, domain, accessor in columns]


def _condition_metric(engine: Any, rule: Rule) -> Any:
    from great_expectations.validator.metric_configuration import MetricConfiguration

    name = rule.expectation.map_metric
    needed = rule.expectation.get_validation_dependencies(execution_engine=engine, runtime_configuration=_BASIC)
    count = needed.metric_configurations[f"{name}.unexpected_count"]
    values = {key: value for key, value in (count.metric_value_kwargs or {}).items() if key != "result_format"}
    return MetricConfiguration(f"{name}.condition", count.metric_domain_kwargs, values)


def _why(aborted: dict[Any, Any], metric_id: Any) -> str:
    # Where the condition itself is not among the aborted, what it needs is.
    failed: Any = aborted.get(metric_id) or next(iter(aborted.values()), {})
    return str(failed.get("exception_info", {}).get("exception_message") or "no reason given")


def _in_domain(engine: Any, domain: dict[str, Any]) -> Column:
    """GX filters rows outside the domain away before it counts; a column has to say the same itself."""
    names = domain.get("column_list") or [domain[key] for key in ("column_A", "column_B") if key in domain]
    nulls = [F.col(name).isNull() for name in names]
    inside = _row_condition(engine, domain.get("row_condition"))
    match domain.get("ignore_row_if"):
        case "both_values_are_missing" | "all_values_are_missing":
            return inside & ~reduce(and_, nulls)
        case "either_value_is_missing" | "any_value_is_missing":
            return inside & ~reduce(or_, nulls)
        case _:
            return inside


def _row_condition(engine: Any, stored: Any) -> Column:
    from great_expectations.expectations.row_conditions import PassThroughCondition, deserialize_row_condition

    condition = deserialize_row_condition(stored)
    if condition is None:
        return F.lit(True)
    if isinstance(condition, str):  # the older form, with condition_parser "spark"
        return F.expr(condition)
    if isinstance(condition, PassThroughCondition):
        return F.expr(condition.pass_through_filter)
    return F.expr(engine.condition_to_filter_clause(condition))
