"""Files judged events in Delta: the valid ones in `events`, the others in `quarantine`. Both by insert-only merges."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from pipelines.schemas import EVENTS, QUARANTINE
from pipelines.sinks.delta_tables import create_table_if_missing
from pipelines.sinks.summary import BatchSummary, TimeRange, summarize

# A client that stamps the time anew at each attempt is still recognised when the attempts are so close.
RETRY_SLACK = timedelta(minutes=10)


@dataclass(frozen=True)
class EventTables:
    """Insert what the tables do not have yet. Rows: schemas.VERDICTS; they are computed once, whatever they come from.

    `events` keeps each event_id once, for ever, the first that came: a retry carries the same event_time (or one within
    RETRY_SLACK), so the merge looks only at files whose times the batch touches, and its cost does not grow with the
    table. `quarantine` keeps the same bytes once within `quarantine_dedupe_days`. Of several in one batch the one with
    the lowest (partition, offset) stays.

    Safe to replay, and to read the whole topic again with a new checkpoint: a row meets its own copy and nothing is
    written. A crash between the two commits heals the same way: at the replay the first finds its rows and the second
    adds them. It needs no batch id, so nothing is skipped when the checkpoint is lost. One writer at a time.
    """

    events_path: str
    quarantine_path: str
    quarantine_dedupe_days: int
    on_batch: Callable[[dict[str, Any]], None] | None = None  # told what each batch did, when it is done

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        started = time.perf_counter()
        rows = batch.persist(StorageLevel.MEMORY_AND_DISK)
        try:
            summary = summarize(rows)
            self._insert_events(rows, summary)
            self._insert_quarantine(rows, summary)
        finally:
            rows.unpersist()
        duration_ms = round((time.perf_counter() - started) * 1000)
        if self.on_batch:
            self.on_batch({"batch_id": batch_id, **summary.figures(), "duration_ms": duration_ms})

    def _insert_events(self, rows: DataFrame, summary: BatchSummary) -> None:
        if not summary.n_valid:
            return
        valid = _first_of_each("event_id", rows.where(F.size("rules") == 0).select(EVENTS.names))
        _insert_missing(self.events_path, "events", "event_id", _within(summary.event_times), valid)

    def _insert_quarantine(self, rows: DataFrame, summary: BatchSummary) -> None:
        if not (days := summary.quarantine_days):
            return
        reach = timedelta(days=self.quarantine_dedupe_days)
        broken = _first_of_each("record_id", rows.where(F.size("rules") > 0).select(QUARANTINE.names))
        where = F.col("old.ingest_date").between(F.lit(days[0] - reach), F.lit(days[1] + reach))
        _insert_missing(self.quarantine_path, "quarantine", "record_id", where, broken)


def _insert_missing(path: str, name: str, key: str, where: Column, rows: DataFrame) -> None:
    """Insert the rows whose key the table does not have `where` it is looked for."""
    create_table_if_missing(rows.sparkSession, path, name)
    table = DeltaTable.forPath(rows.sparkSession, path).alias("old")
    same_key = F.col(f"old.{key}") == F.col(f"new.{key}")
    table.merge(rows.alias("new"), where & same_key).whenNotMatchedInsertAll().execute()


def _first_of_each(key: str, rows: DataFrame) -> DataFrame:
    order = Window.partitionBy(key).orderBy("partition", "offset")
    return rows.withColumn("_rank", F.row_number().over(order)).where(F.col("_rank") == 1).drop("_rank")


def _within(ranges: list[TimeRange]) -> Column:
    """Rows of `old` in any of the ranges, in literals, so that Delta skips the partitions and files outside of them."""
    inside = F.lit(False)
    for first, last in ranges:
        start, end = first - RETRY_SLACK, last + RETRY_SLACK
        of_the_days = F.col("old.event_date").between(F.lit(start.date()), F.lit(end.date()))
        inside = inside | (of_the_days & F.col("old.event_time").between(F.lit(start), F.lit(end)))
    return inside
