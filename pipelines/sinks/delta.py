"""Files judged events in Delta: the valid ones in `events`, the others in `quarantine`. Both by insert-only merges."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StructType
from pyspark.storagelevel import StorageLevel

from pipelines.logs.batches import tell_batch
from pipelines.logs.log import log
from pipelines.schemas import QUARANTINE, Contract
from pipelines.sinks.commits import commit
from pipelines.sinks.delta_tables import ensure_table
from pipelines.sinks.summary import BatchSummary, TimeRange, summarize


@dataclass(frozen=True)
class EventTables:
    """Insert what the tables do not have yet. Rows: Contract.verdicts; they are computed once, whatever they come from.

    `events` keeps of each event_id the first that came, among those whose event_times lie at most `event_dedupe_minutes`
    apart. A retry carries the same event_time, so it is known again however much later it comes; the slack is for clients
    that stamp each attempt anew. The merge looks only at files whose times the batch touches, and its cost does not grow
    with the table. `quarantine` keeps the same bytes once within `quarantine_dedupe_days`. Of several in one batch the one
    with the lowest (partition, offset) stays.

    Safe to replay, and to read the whole topic again with a new checkpoint: a row meets its own copy and nothing is
    written. A crash between the two commits heals the same way: at the replay the first finds its rows and the second
    adds them. It needs no batch id, so nothing is skipped when the checkpoint is lost. Safe beside other writers: commits.py.
    """

    events_path: str
    quarantine_path: str
    event_dedupe_minutes: float
    quarantine_dedupe_days: int
    contract: Contract = field(default_factory=Contract)
    on_batch: Callable[[dict[str, Any]], None] | None = None  # told what each batch did, when it is done
    observe: Callable[[DataFrame, int], None] | None = None  # shown the rows of each batch when both tables have them
    _ensured: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    @property
    def guarantee(self) -> str:
        """What is kept once, and how far that reaches, for people."""
        return (
            f"Each event_id is kept once among events whose times lie at most {self.event_dedupe_minutes:g} minutes apart, "
            f"however much later it comes again; the same broken bytes once in {self.quarantine_dedupe_days} days. An id "
            "used again farther away is another event: reconcile_events reports it."
        )

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        started = time.perf_counter()
        rows = batch.persist(StorageLevel.MEMORY_AND_DISK)
        try:
            summary = summarize(rows)
            n_inserted = self._insert_events(rows, summary) + self._insert_quarantine(rows, summary)
            if self.observe:
                self.observe(rows, batch_id)
        finally:
            rows.unpersist()
        duration_ms = round((time.perf_counter() - started) * 1000)
        _tell(summary, n_inserted)
        if self.on_batch:
            n_known = summary.n_rows - n_inserted
            figures = summary.figures() | {"n_known_already": n_known, "duration_ms": duration_ms}
            self.on_batch({"batch_id": batch_id, **figures})

    def _insert_events(self, rows: DataFrame, summary: BatchSummary) -> int:
        if not summary.n_valid:
            return 0
        schema = self.contract.events
        valid = _first_of_each("event_id", rows.where(F.size("rules") == 0).select(schema.names))
        where = _within(summary.event_times, timedelta(minutes=self.event_dedupe_minutes))
        self._ensure(rows, self.events_path, "events", schema)
        return _insert_missing(self.events_path, "event_id", where, valid)

    def _insert_quarantine(self, rows: DataFrame, summary: BatchSummary) -> int:
        if not (days := summary.quarantine_days):
            return 0
        reach = timedelta(days=self.quarantine_dedupe_days)
        broken = _first_of_each("record_id", rows.where(F.size("rules") > 0).select(QUARANTINE.names))
        where = F.col("old.ingest_date").between(F.lit(days[0] - reach), F.lit(days[1] + reach))
        self._ensure(rows, self.quarantine_path, "quarantine", QUARANTINE)
        return _insert_missing(self.quarantine_path, "record_id", where, broken)

    def _ensure(self, rows: DataFrame, path: str, name: str, schema: StructType) -> None:
        if path not in self._ensured:  # once: looking at a table costs as much as reading its log
            ensure_table(rows.sparkSession, path, name, schema)
            self._ensured.add(path)


def _tell(summary: BatchSummary, n_inserted: int) -> None:
    known = summary.n_rows - n_inserted
    tell_batch(rows=summary.n_rows, valid=summary.n_valid, quarantined=summary.n_quarantined, known=known)
    if summary.n_quarantined:
        log.info("records_quarantined", records=summary.n_quarantined, by_rule=dict(summary.quarantined_by_rule))


def _insert_missing(path: str, key: str, where: Column, rows: DataFrame) -> int:
    """Insert the rows whose key the table does not have `where` it is looked for; returns how many."""
    same_key = F.col(f"old.{key}") == F.col(f"new.{key}")
    # By name: the table may have a column that the configuration does not know any more.
    values: dict[str, str | Column] = {name: F.col(f"new.{name}") for name in rows.columns}

    def insert() -> int:
        table = DeltaTable.forPath(rows.sparkSession, path).alias("old")
        merged = table.merge(rows.alias("new"), where & same_key).whenNotMatchedInsert(values=values).execute()
        return int(merged.collect()[0]["num_inserted_rows"])

    return commit(path, insert)


def _first_of_each(key: str, rows: DataFrame) -> DataFrame:
    order = Window.partitionBy(key).orderBy("partition", "offset")
    return rows.withColumn("_rank", F.row_number().over(order)).where(F.col("_rank") == 1).drop("_rank")


def _within(ranges: list[TimeRange], slack: timedelta) -> Column:
    """Rows of `old` in any of the ranges, in literals, so that Delta skips the partitions and files outside of them."""
    inside = F.lit(False)
    for first, last in ranges:
        start, end = first - slack, last + slack
        of_the_days = F.col("old.event_date").between(F.lit(start.date()), F.lit(end.date()))
        inside = inside | (of_the_days & F.col("old.event_time").between(F.lit(start), F.lit(end)))
    return inside
