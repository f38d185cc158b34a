"""The table `audits`: each audit once, whoever writes it and however often."""

from datetime import datetime, timedelta, timezone

import pytest
from deltalake import DeltaTable

from pipelines.schemas import AUDITS
from pipelines.sinks import results
from pipelines.sinks.results import ResultTable

NOON = datetime(2024, 6, 1, 12, 0, 0, 123456, tzinfo=timezone.utc)


def audit_table(path):
    return ResultTable(path, AUDITS, "audit_id")


def rows_of(audit_id, as_of=NOON, rules=("a", "b")):
    empty = dict.fromkeys(AUDITS.names)
    return [empty | {"audit_id": audit_id, "as_of": as_of, "rule": rule, "n_rows": 7} for rule in rules]


def written(path):
    return sorted((row["audit_id"], row["rule"]) for row in DeltaTable(path).to_pyarrow_table().to_pylist())


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "audits")


def test_an_audit_written_again_changes_nothing(path):
    for audit in (rows_of("x"), rows_of("y", NOON + timedelta(minutes=1)), rows_of("x")):
        audit_table(path).append(audit)

    assert written(path) == [("x", "a"), ("x", "b"), ("y", "a"), ("y", "b")]
    assert DeltaTable(path).version() == 2  # made, and written twice


def test_another_audit_of_the_same_instant_is_kept(path):
    audit_table(path).append(rows_of("x"))
    audit_table(path).append(rows_of("y"))

    assert written(path) == [("x", "a"), ("x", "b"), ("y", "a"), ("y", "b")]


def test_an_audit_without_rules_writes_nothing(path):
    audit_table(path).append([])

    assert DeltaTable(path).version() == 0


def test_a_writer_that_knows_an_older_version_still_appends(path):
    first, second = audit_table(path), audit_table(path)
    first.append(rows_of("x"))
    stale = second._table()
    first.append(rows_of("y"))

    second._table = lambda: stale
    second.append(rows_of("z"))

    assert [audit_id for audit_id, _ in written(path)] == ["x", "x", "y", "y", "z", "z"]


def test_small_files_are_put_together(path, monkeypatch):
    monkeypatch.setattr(results, "COMPACT_EVERY", 3)

    for n in range(3):
        audit_table(path).append(rows_of(f"{n}", NOON + timedelta(minutes=n)))

    assert len(DeltaTable(path).file_uris()) == 1
    assert len(written(path)) == 6


@pytest.mark.spark
def test_spark_reads_what_the_contract_says(spark, path):
    audit_table(path).append(rows_of("x"))

    table = spark.read.format("delta").load(path)

    assert [(f.name, f.dataType, f.metadata) for f in table.schema] == [
        (f.name, f.dataType, f.metadata) for f in AUDITS
    ]
    assert {row.as_of for row in table.collect()} == {NOON.replace(tzinfo=None)}
