"""Keeps what checks found in Delta tables, without Spark: a few rows now and then, beside a stream."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Schema, write_deltalake
from pyspark.sql.types import StructType

from pipelines.sinks.commits import commit

COMPACT_EVERY = 200  # commits: one a minute would leave a thousand tiny files a day


class ResultTable:
    """Appends results to the Delta table at `path`, and makes it where there is none.

    Rows have `as_of` and the column `key`, which names one result: all its rows are written in one commit.
    Safe to replay: a result that the table has is not written again. Safe for several writers, a stream and a job.
    """

    def __init__(self, path: str, schema: StructType, key: str) -> None:
        self._path, self._key = path, key
        self._schema = Schema.from_json(schema.json())  # Spark's form of a schema is Delta's
        self._arrow = pa.schema(self._schema.to_arrow())

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write all rows of one result in one commit."""
        commit(self._path, lambda: self._append(rows))

    def _append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        table = self._table()
        if not rows or self._has(table, rows[0]):
            return
        write_deltalake(table, pa.Table.from_pylist([dict(row) for row in rows], schema=self._arrow), mode="append")
        if table.version() % COMPACT_EVERY == 0:
            table.optimize.compact()
            table.vacuum(dry_run=False)  # what is older than a week and in no version any more

    def _table(self) -> DeltaTable:
        if not DeltaTable.is_deltatable(self._path):
            settings = {
                "delta.checkpointInterval": "50",
                "delta.dataSkippingStatsColumns": f"as_of,{self._key}",
            }
            DeltaTable.create(self._path, self._schema, mode="ignore", configuration=settings)
        return DeltaTable(self._path)

    def _has(self, table: DeltaTable, row: Mapping[str, Any]) -> bool:
        # as_of first: files of other times are skipped by their statistics.
        as_of = pa.scalar(row["as_of"], self._arrow.field("as_of").type)
        is_same = (pc.field("as_of") == as_of) & (pc.field(self._key) == row[self._key])
        return bool(table.to_pyarrow_dataset().count_rows(filter=is_same))
