"""Keeps the feature tables in Delta: one current row per key, every event counted once."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StructField, StructType
from pyspark.storagelevel import StorageLevel

from pipelines.errors import StateError
from pipelines.logs.batches import tell_batch
from pipelines.sinks.commits import commit
from pipelines.sinks.delta_tables import make_clustered_table

BATCH_ID = StructField(
    "batch_id", LongType(), True, {"comment": "last micro-batch in the row: what came is not added again"}
)
STREAM, DEFINITIONS = "liveshelf.stream", "liveshelf.definitions"  # table properties


@dataclass(frozen=True)
class FeatureTable:
    """One table: a row per key, and how a micro-batch changes it."""

    name: str
    path: str
    schema: StructType  # the keys first; without batch_id
    keys: tuple[str, ...]
    states: Callable[[DataFrame], DataFrame]  # micro-batch → rows of `schema`, one per key, no key null
    merged: Mapping[str, Column]  # every other column of the row that rows `old` and `new` of one key make


@dataclass(frozen=True)
class FeatureTables:
    """Merge each micro-batch into every table: a key that is there gets the merged row, another one a new row.

    Safe to replay. Each row says which micro-batch was merged into it last, and one with the id of this batch, or a later
    one, is left alone. The tables commit one after the other; a crash between two of them heals, for the replay finds its
    rows in the first and merges into the second. Safe beside `maintain_tables` (commits.py); one stream a table.

    Batch ids mean something within one checkpoint only, so each table remembers the stream that made it. Raises StateError
    before anything is written where the checkpoint, the tables and the definitions do not belong together: another
    checkpoint, or an older copy of it; a table that was deleted in mid-stream; other definitions under the same version.
    """

    tables: Sequence[FeatureTable]
    definitions: str  # a hash of what the values mean
    on_batch: Callable[[dict[str, Any]], None] | None = None  # told what each batch did, when all tables have it
    _n_rows: dict[str, int] = field(default_factory=dict, init=False, repr=False, compare=False)  # of tables looked at

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        started = time.perf_counter()
        rows = batch.persist(StorageLevel.MEMORY_AND_DISK)  # each table reads them
        try:
            self._open(batch.sparkSession, batch_id)
            n_events, newest_ms = rows.agg(F.count(F.lit(1)), F.unix_millis(F.max("event_time"))).collect()[0]
            merges = [self._merge(table, rows, batch_id) for table in self.tables if n_events]
        finally:
            rows.unpersist()
        n_updated, n_inserted = (
            sum(int(merge[name]) for merge in merges) for name in ("num_updated_rows", "num_inserted_rows")
        )
        tell_batch(rows=n_events, updated=n_updated, inserted=n_inserted)
        if self.on_batch:
            self.on_batch({
                "batch_id": batch_id,
                "n_events": n_events,
                "newest_event_ms": newest_ms,
                "n_rows_updated": n_updated,
                "n_rows_inserted": n_inserted,
                "table_rows": dict(self._n_rows),
                "duration_ms": round((time.perf_counter() - started) * 1000),
            })  # fmt: skip

    def check_definitions(self, spark: SparkSession) -> None:
        """Raise StateError where a table was made by other definitions: at the start, and not at the first event."""
        for table in self.tables:
            if DeltaTable.isDeltaTable(spark, table.path):
                _check_definitions(table, _properties(spark, table), self.definitions)

    def _open(self, spark: SparkSession, batch_id: int) -> None:
        """Make the tables, or see that they are this stream's. Once a process: it reads every table's log."""
        stream = spark.sparkContext.getLocalProperty("sql.streaming.queryId") or "batch"
        for table in self.tables:
            if table.name not in self._n_rows:
                self._n_rows[table.name] = _opened(
                    spark, table, {STREAM: stream, DEFINITIONS: self.definitions}, batch_id
                )

    def _merge(self, table: FeatureTable, rows: DataFrame, batch_id: int) -> Row:
        new = table.states(rows).withColumn(BATCH_ID.name, F.lit(batch_id).cast("long"))
        same_key = " AND ".join(f"old.`{key}` = new.`{key}`" for key in table.keys)
        update: dict[str, str | Column] = {**table.merged, BATCH_ID.name: F.col(f"new.{BATCH_ID.name}")}

        def merge() -> Row:
            return (
                DeltaTable.forPath(rows.sparkSession, table.path)
                .alias("old")
                .merge(new.alias("new"), same_key)
                .whenMatchedUpdate(f"old.{BATCH_ID.name} < new.{BATCH_ID.name}", set=update)
                .whenNotMatchedInsert(values={name: F.col(f"new.{name}") for name in new.columns})
                .execute()
                .collect()[0]
            )

        done = commit(table.path, merge)
        self._n_rows[table.name] += int(done["num_inserted_rows"])
        return done


def _opened(spark: SparkSession, table: FeatureTable, marks: Mapping[str, str], batch_id: int) -> int:
    """Make `table` with these properties, or check that it has them; returns how many rows it has."""
    if DeltaTable.isDeltaTable(spark, table.path):
        _check_marks(spark, table, marks)
        return _checked_rows(spark, table, batch_id)
    if batch_id > 0:
        raise StateError(
            f"{table.path}: no table, but the checkpoint has {batch_id} micro-batches behind it that the table would "
            f"lack; {_BEGIN_ANEW}"
        )
    schema = StructType([*table.schema.fields, BATCH_ID])
    stats = ",".join((*table.keys, "as_of", BATCH_ID.name))
    make_clustered_table(spark, table.path, schema, table.keys, {"delta.dataSkippingStatsColumns": stats, **marks})
    return 0


def _check_marks(spark: SparkSession, table: FeatureTable, marks: Mapping[str, str]) -> None:
    stored = _properties(spark, table)
    _check_definitions(table, stored, marks[DEFINITIONS])
    if stored.get(STREAM) != marks[STREAM]:
        raise StateError(
            f"{table.path}: filled by the stream {stored.get(STREAM)}, and this is {marks[STREAM]}, whose checkpoint "
            f"counts from 0 again: its micro-batches would be taken for old ones; {_BEGIN_ANEW}"
        )


def _properties(spark: SparkSession, table: FeatureTable) -> Mapping[str, str]:
    properties: Mapping[str, str] = DeltaTable.forPath(spark, table.path).detail().collect()[0]["properties"]
    return properties


def _check_definitions(table: FeatureTable, stored: Mapping[str, str], definitions: str) -> None:
    if stored.get(DEFINITIONS) != definitions:
        raise StateError(
            f"{table.path}: made by definitions {stored.get(DEFINITIONS)}, and these are {definitions}: its values "
            "would mean two things; raise `version` in the file of the definitions and rebuild, or take the change back"
        )


def _checked_rows(spark: SparkSession, table: FeatureTable, batch_id: int) -> int:
    newest, n_rows = (
        spark.read.format("delta").load(table.path).agg(F.max(BATCH_ID.name), F.count(F.lit(1))).collect()[0]
    )
    if newest is not None and newest > batch_id:
        raise StateError(
            f"{table.path}: has micro-batch {newest}, and the checkpoint is at {batch_id}: it is an older copy, whose next "
            f"micro-batches would be taken for old ones; {_BEGIN_ANEW}"
        )
    return int(n_rows)


_BEGIN_ANEW = (
    "delete the checkpoint AND the feature tables of this version, or raise `version` in the file of the definitions: "
    "either way they are built anew from `events`"
)
