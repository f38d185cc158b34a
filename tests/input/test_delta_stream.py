"""The table `events` as a stream: what comes, once; not what is taken away or written again."""

from datetime import datetime

import pytest
from delta.tables import DeltaTable
from pyspark.sql.types import StringType, StructField

from pipelines.errors import InputError
from pipelines.schemas import Contract
from pipelines.sinks.delta_tables import ensure_table
from pipelines.sources.delta import read_stream
from pipelines.streams import start_stream

pytestmark = pytest.mark.spark

SCHEMA = Contract().events
WIDER = Contract((StructField("coupon", StringType()),)).events
NOON = datetime(2024, 6, 1, 12)


class Events:
    def __init__(self, spark, root):
        self.spark, self.path, self.checkpoint = spark, str(root / "events"), str(root / "checkpoint")
        ensure_table(spark, self.path, "events", SCHEMA)

    def add(self, *event_ids):
        rows = [
            tuple({"event_id": e, "event_time": NOON, "event_date": NOON.date()}.get(n) for n in SCHEMA.names)
            for e in event_ids
        ]
        self.spark.createDataFrame(rows, SCHEMA).coalesce(1).write.format("delta").mode("append").save(self.path)

    def read(self, max_bytes_per_trigger="1g"):
        """The event ids of each new micro-batch."""
        batches = []
        rows = read_stream(self.spark, self.path, "events", WIDER, max_bytes_per_trigger=max_bytes_per_trigger)
        start_stream(
            rows,
            lambda batch, _: batches.append(sorted(tuple(row) for row in batch.select("event_id", "coupon").collect())),
            name="test",
            checkpoint=self.checkpoint,
            once=True,
        ).wait()
        return [[event_id for event_id, coupon in batch if coupon is None] for batch in batches]


@pytest.fixture
def events(spark, tmp_path):
    return Events(spark, tmp_path)


def test_only_rows_that_came_are_read_whatever_is_deleted_or_compacted(events):
    events.add("a", "b")
    events.add("c", "d")
    assert events.read(max_bytes_per_trigger="1") == [["a", "b"], ["c", "d"]]

    table = DeltaTable.forPath(events.spark, events.path)
    table.delete("event_id = 'a'")  # the file of a and b is written again
    table.optimize().executeCompaction()
    events.add("e")

    assert [row for batch in events.read() for row in batch] == ["e"]


def test_a_table_that_is_not_there_yet_is_said_so(spark, tmp_path):
    with pytest.raises(InputError, match=r"no table `events` yet; `liveshelf validate_events` makes it"):
        read_stream(spark, str(tmp_path / "events"), "events", max_bytes_per_trigger="1g")
