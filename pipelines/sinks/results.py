"""Keeps what the audits found in the Delta table `audits`, without Spark: a few rows now and then, beside a stream."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, Schema, write_deltalake

from pipelines.schemas import AUDITS

COMPACT_EVERY = 200  # commits: one a minute would leave a thousand tiny files a day
_SETTINGS = {"delta.checkpointInterval": "50", "delta.dataSkippingStatsColumns": "as_of,audit_id"}


class AuditTable:
    """Appends audits to the Delta table at `path`, and makes it where there is none. Rows: schemas.AUDITS.

    Safe to replay: an audit_id that the table has is not written again. Safe for several writers, a stream and a job: what
    one commits between, Delta lets the other come after.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Write all rows of one audit in one commit."""
        table = self._table()
        if not rows or _has(table, rows[0]):
            return
        write_deltalake(table, pa.Table.from_pylist([dict(row) for row in rows], schema=_ARROW), mode="append")
        if table.version() % COMPACT_EVERY == 0:
            table.optimize.compact()
            table.vacuum(dry_run=False)  # what is older than a week and in no version any more

    def _table(self) -> DeltaTable:
        if not DeltaTable.is_deltatable(self._path):
            schema = Schema.from_json(AUDITS.json())  # Spark's form of a schema is Delta's
            DeltaTable.create(self._path, schema, mode="ignore", configuration=_SETTINGS)
        return DeltaTable(self._path)


def _has(table: DeltaTable, row: Mapping[str, Any]) -> bool:
    # as_of first: files of other times are skipped by their statistics.
    is_same = (pc.field("as_of") == pa.scalar(row["as_of"], _ARROW.field("as_of").type)) & (
        pc.field("audit_id") == row["audit_id"]
    )
    return bool(table.to_pyarrow_dataset().count_rows(filter=is_same))


_ARROW = pa.schema(Schema.from_json(AUDITS.json()).to_arrow())
