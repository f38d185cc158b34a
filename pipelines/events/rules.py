"""The suite, compiled once: the names of the rules that a row breaks, as columns that cost next to nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from pathlib import Path

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from pipelines.errors import RuleError
from pipelines.events.compiler import compile_columns, why_not_compilable
from pipelines.events.suite import QUARANTINE, WARN, Rule, load_suite, ruleset_id


@dataclass(frozen=True)
class CompiledRules:
    """The rules of a suite and, for each of a row, a boolean column that is true on a row that breaks it (never null)."""

    rules: tuple[Rule, ...]  # of one row each
    columns: tuple[Column, ...]
    batch_rules: tuple[Rule, ...]  # of many rows together: they only warn, and only the audit looks at them

    @property
    def ruleset(self) -> str:
        """The version of the rules that judge rows; a batch rule decides about none."""
        return ruleset_id(self.rules)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the quarantine rules, in the order of the suite."""
        return tuple(name for name, _ in self._of(QUARANTINE))

    @property
    def is_valid(self) -> Column:
        """Whether a row breaks no quarantine rule. Never null."""
        return ~_any(self._of(QUARANTINE))

    def broken_rules(self) -> Column:
        """Names of the quarantine rules that a row breaks, in the order of the suite; empty for a valid row."""
        return _names_where_true(self._of(QUARANTINE))

    def warnings(self) -> Column:
        """Names of the rules that a row breaks without being put aside for it."""
        return _names_where_true(self._of(WARN))

    def _of(self, severity: str) -> list[tuple[str, Column]]:
        pairs = zip(self.rules, self.columns, strict=True)
        return [(rule.name, column) for rule, column in pairs if rule.severity == severity]


def compile_rules(spark: SparkSession, suite_path: Path, schema: StructType) -> CompiledRules:
    """Compile the suite for rows of `schema`; a second or two, once, at start.

    Raises RuleError when the suite cannot be read, a rule names a column that is not there, or a quarantine rule cannot be
    judged row by row.
    """
    rules, batch_rules = classify(load_suite(suite_path))
    # Empty for certain, so that Spark plans what GX asks about the table without running it.
    nothing = spark.range(1).select([F.lit(None).cast(field.dataType).alias(field.name) for field in schema])
    return CompiledRules(rules, tuple(compile_columns(nothing.where(F.lit(False)), rules)), batch_rules)


def classify(rules: Sequence[Rule]) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    """(Rules that judge one row, rules about many rows together). Raises RuleError where one of the latter would quarantine."""
    batch_rules = tuple(rule for rule in rules if why_not_compilable(rule))
    for rule in batch_rules:
        if rule.severity == QUARANTINE:
            raise RuleError(
                f"rule '{rule.name}': {rule.kind} cannot quarantine a row: {why_not_compilable(rule)}. "
                f"With severity {WARN} the audit looks at it"
            )
    return tuple(rule for rule in rules if rule not in batch_rules), batch_rules


def _any(pairs: Sequence[tuple[str, Column]]) -> Column:
    return reduce(or_, [broken for _, broken in pairs], F.lit(False))


def _names_where_true(pairs: Sequence[tuple[str, Column]]) -> Column:
    none = F.array().cast("array<string>")
    if not pairs:
        return none
    names = F.array(*[F.when(broken, F.lit(name)) for name, broken in pairs])
    # The names are put together for broken rows only. Spark keeps this projection out of its whole-stage code because of the
    # lambda, which is good: inside, the method would grow beyond what Java compiles, at five times the cost of the rules.
    return F.when(_any(pairs), F.filter(names, lambda name: name.isNotNull())).otherwise(none)
