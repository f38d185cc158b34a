"""Feature tables: each event counts once, whatever is interrupted; what does not belong together is refused."""

import os
import shutil
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from delta.tables import DeltaTable
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StringType, StructField, StructType, TimestampType

from pipelines.sinks.feature_tables import FeatureTable, FeatureTables
from tests.streams import CountedSink, forget_last_commit, run_once

pytestmark = pytest.mark.spark

NOON = datetime(2024, 6, 1, 12)
HOUR_S = 3600
EVENTS = StructType([
    StructField("user", StringType()), StructField("item", StringType()),
    StructField("event_time", TimestampType()), StructField("weight", DoubleType()),
])  # fmt: skip


def decayed(value, at, to):
    return value * F.pow(F.lit(2.0), (F.unix_seconds(at) - F.unix_seconds(to)) / HOUR_S)


def a_table(root, key):
    """A decayed sum of half-life one hour: the whole hours of these tests are exact in floating point."""

    def states(events):
        newest = events.groupBy(key).agg(F.max("event_time").alias("as_of"))
        weight = decayed(F.col("weight"), F.col("event_time"), F.col("as_of"))
        return events.join(newest, key).groupBy(key, "as_of").agg(F.sum(weight).alias("interest"))

    as_of = F.greatest("old.as_of", "new.as_of")
    sums = [decayed(F.col(f"{row}.interest"), F.col(f"{row}.as_of"), as_of) for row in ("old", "new")]
    schema = StructType([
        StructField(key, StringType(), True, {"comment": "key"}), StructField("as_of", TimestampType()),
        StructField("interest", DoubleType()),
    ])  # fmt: skip
    path = os.path.relpath(root / key)  # as the shipped configuration gives it
    return FeatureTable(key, path, schema, (key,), states, {"as_of": as_of, "interest": sums[0] + sums[1]})


class Lake:
    def __init__(self, spark, root):
        self.spark, self.source, self.checkpoint = spark, root / "source", root / "checkpoint"
        self.reports = []
        self.tables = FeatureTables([a_table(root, "user"), a_table(root, "item")], "meaning-1", self.reports.append)
        self.sink = CountedSink(self.tables)

    def add(self, *events):
        rows = [(user, item, NOON + timedelta(hours=hours), weight) for user, item, hours, weight in events]
        self.spark.createDataFrame(rows, EVENTS).coalesce(1).write.mode("append").parquet(str(self.source))

    def run(self, *events, sink=None):
        """Run `events` (user, item, hours after noon, weight) as one micro-batch."""
        if events:
            self.add(*events)
        run_once(self.spark, self.source, EVENTS, sink or self.sink, self.checkpoint)

    def rows(self):
        return {
            table.name: {
                row[table.name]: ((row.as_of - NOON).total_seconds() / HOUR_S, row.interest, row.batch_id)
                for row in self.spark.read.format("delta").load(table.path).collect()
            }
            for table in self.tables.tables
        }


@pytest.fixture
def lake(spark, tmp_path):
    return Lake(spark, tmp_path)


def test_a_replayed_batch_changes_nothing_and_late_events_count(lake):
    lake.run(("u", "i", 0, 8.0), ("u", "j", 1, 1.0), ("v", "i", 0, 1.0))
    lake.run(("u", "i", -1, 4.0), ("v", "i", 2, 1.0), ("w", "k", 0, 1.0))
    written = lake.rows()

    forgotten = forget_last_commit(lake.checkpoint)
    lake.run()

    assert lake.sink.batch_ids == [0, 1, 1] and forgotten == 1
    assert lake.rows() == written
    assert written["user"] == {"u": (1, 6.0, 1), "v": (2, 1.25, 1), "w": (0, 1.0, 1)}
    assert written["item"] == {"i": (2, 3.75, 1), "j": (1, 1.0, 0), "k": (0, 1.0, 1)}
    assert [(r["n_events"], r["n_rows_inserted"], r["n_rows_updated"]) for r in lake.reports] == [
        (3, 4, 0), (3, 2, 3), (3, 0, 0)
    ]  # fmt: skip
    assert lake.reports[-1]["table_rows"] == {"user": 3, "item": 3}
    assert (
        lake.reports[1]["newest_event_ms"]
        == round((NOON + timedelta(hours=2) - datetime(1970, 1, 1)).total_seconds()) * 1000
    )


def test_a_crash_between_two_tables_heals(lake, monkeypatch):
    lake.run(("u", "i", 0, 1.0))
    merge = FeatureTables._merge

    def crash_at_the_second(self, table, rows, batch_id):
        if table.name == "item":
            raise RuntimeError("killed")
        return merge(self, table, rows, batch_id)

    with monkeypatch.context() as killed:
        killed.setattr(FeatureTables, "_merge", crash_at_the_second)
        with pytest.raises(Exception, match="killed"):
            lake.run(("u", "i", 0, 2.0))
    assert lake.rows() == {"user": {"u": (0, 3.0, 1)}, "item": {"i": (0, 1.0, 0)}}

    lake.run()

    assert lake.sink.batch_ids == [0, 1, 1]
    assert lake.rows() == {"user": {"u": (0, 3.0, 1)}, "item": {"i": (0, 3.0, 1)}}


def test_what_does_not_belong_together_is_refused_before_anything_is_written(lake, tmp_path):
    lake.run(("u", "i", 0, 1.0))
    shutil.copytree(lake.checkpoint, tmp_path / "old copy")
    lake.run(("u", "i", 0, 1.0))
    written = lake.rows()

    def refused(saying, **changed):
        anew = replace(lake.tables, **changed)  # as another process has it: it has not looked at the tables
        with pytest.raises(Exception, match=saying):
            lake.run(("u", "i", 0, 1.0), sink=anew)
        assert lake.rows() == written

    refused("made by definitions meaning-1, and these are meaning-2.* raise `version`", definitions="meaning-2")

    shutil.move(lake.checkpoint, tmp_path / "lost")
    refused("filled by the stream .* counts from 0 again.* delete the checkpoint AND the feature tables")

    shutil.rmtree(lake.checkpoint)
    shutil.move(tmp_path / "old copy", lake.checkpoint)
    forget_last_commit(lake.checkpoint)
    refused("has micro-batch 1, and the checkpoint is at 0: it is an older copy")

    shutil.rmtree(lake.checkpoint)
    shutil.move(tmp_path / "lost", lake.checkpoint)
    shutil.move(tmp_path / "item", tmp_path / "deleted")
    with pytest.raises(Exception, match="no table, but the checkpoint has 2 micro-batches behind it"):
        lake.run(sink=replace(lake.tables))


def test_a_table_is_clustered_by_its_keys_and_says_what_its_columns_are(lake):
    lake.run(("u", "i", 0, 1.0))

    table = DeltaTable.forPath(lake.spark, lake.tables.tables[0].path)
    detail, schema = table.detail().first(), table.toDF().schema
    assert detail.clusteringColumns == ["user"]
    assert detail.properties["delta.autoOptimize.autoCompact"] == "true"
    assert "delta.enableDeletionVectors" not in detail.properties
    assert schema.names == ["user", "as_of", "interest", "batch_id"]
    assert (
        schema["user"].metadata == {"comment": "key"} and "last micro-batch" in schema["batch_id"].metadata["comment"]
    )
