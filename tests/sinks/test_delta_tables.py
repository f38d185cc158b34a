import os
from datetime import datetime

import pytest
from delta.tables import DeltaTable
from pyspark.sql.types import DoubleType, StringType, StructField, StructType

from pipelines.schemas import PARTITION_COLUMNS, QUARANTINE, TABLES, Contract
from pipelines.sinks.delta_tables import ensure_table
from pipelines.sinks.rule_sets import record_rule_set
from pipelines.sources.delta import read_table

pytestmark = pytest.mark.spark

NOON = datetime(2024, 6, 1, 12)
WIDER = Contract((StructField("coupon", StringType()), StructField("discount", DoubleType())))


def an_old_table(spark, path):
    """`events` as it was before rules had versions."""
    newer = {"value_bytes", "lateness_seconds", "warnings", "ruleset"}
    old = StructType([field for field in Contract().events if field.name not in newer])
    row = tuple({"event_id": "old", "event_date": NOON.date()}.get(name) for name in old.names)
    spark.createDataFrame([row], old).write.format("delta").partitionBy("event_date").save(path)


@pytest.mark.parametrize("name", TABLES)
def test_tables_have_the_contracts_schema_comments_and_partitions(spark, tmp_path, name):
    path = str(tmp_path / name)
    ensure_table(spark, path, name, TABLES[name])
    ensure_table(spark, path, name, TABLES[name])

    stored = spark.read.format("delta").load(path).schema
    detail = DeltaTable.forPath(spark, path).detail().first()
    assert [(f.name, f.dataType.simpleString(), f.metadata) for f in stored] == [
        (f.name, f.dataType.simpleString(), f.metadata) for f in TABLES[name]
    ]
    assert detail.partitionColumns == [column for column in [PARTITION_COLUMNS.get(name)] if column]
    assert DeltaTable.forPath(spark, path).history().count() == 1


def test_a_judged_row_holds_both_tables_and_what_the_rules_look_at():
    contract = WIDER
    assert {*contract.events.names, *QUARANTINE.names, *contract.checked.names} == set(contract.verdicts.names)


def test_an_older_table_gets_the_new_columns_with_their_comments_and_keeps_its_rows(spark, tmp_path):
    path = os.path.relpath(tmp_path / "events")  # as the shipped configuration gives it
    an_old_table(spark, path)

    ensure_table(spark, path, "events", WIDER.events)

    table = spark.read.format("delta").load(path)
    kinds = [{f.name: f.dataType.simpleString() for f in schema} for schema in (table.schema, WIDER.events)]
    assert kinds[0] == kinds[1]
    assert table.schema["ruleset"].metadata == WIDER.events["ruleset"].metadata
    assert [(row.event_id, row.warnings, row.coupon) for row in table.collect()] == [("old", None, None)]


def test_a_table_that_is_older_than_a_column_is_read_with_it(spark, tmp_path):
    path = str(tmp_path / "events")
    an_old_table(spark, path)

    assert read_table(spark, path, "events").columns == Contract().events.names
    assert read_table(spark, path, "events").first().ruleset is None


def test_the_first_use_of_a_rule_set_is_kept_once(spark, tmp_path):
    path = str(tmp_path / "rule_sets")
    record_rule_set(spark, path, "aaaa", "{}", NOON)
    record_rule_set(spark, path, "aaaa", "{}", NOON.replace(hour=13))
    record_rule_set(spark, path, "bbbb", "{1}", NOON.replace(hour=14))

    kept = sorted(tuple(row) for row in read_table(spark, path, "rule_sets").collect())

    assert kept == [("aaaa", "{}", NOON), ("bbbb", "{1}", NOON.replace(hour=14))]


def test_a_table_that_was_read_stays_as_it_was(spark, tmp_path):
    path = str(tmp_path / "events")
    an_old_table(spark, path)
    table = read_table(spark, path, "events")

    spark.read.format("delta").load(path).write.format("delta").mode("append").save(path)

    assert table.count() == 1
    assert read_table(spark, path, "events").count() == 2
