"""Keeps every set of rules that ever judged an event, under the hash that its rows carry."""

from datetime import datetime

from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from pipelines.schemas import RULE_SETS
from pipelines.sinks.commits import commit
from pipelines.sinks.delta_tables import ensure_table


def record_rule_set(spark: SparkSession, path: str, ruleset: str, suite: str, now: datetime) -> None:
    """Insert the rules as JSON under their hash, unless they are there. Safe to repeat: the first time stays."""
    ensure_table(spark, path, "rule_sets", RULE_SETS)
    row = spark.createDataFrame([(ruleset, suite, now)], RULE_SETS).alias("new")

    def insert() -> None:
        table = DeltaTable.forPath(spark, path).alias("old")
        table.merge(row, "old.ruleset = new.ruleset").whenNotMatchedInsertAll().execute()

    commit(path, insert)
