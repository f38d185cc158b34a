"""The quarantine as a work queue, read without Spark: in small batches, the raw bytes only where they are asked for."""

import heapq
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from pyarrow.dataset import ParquetFragmentScanOptions

from pipelines.errors import InputError

Row = dict[str, Any]
EXCERPT_BYTES = 60
N_AMBIGUOUS = 10  # ids that the error names
_BATCH_ROWS = 64


@dataclass
class OpenCount:
    """Rows that wait, and rows that were replayed (or are planned to be)."""

    n_open: int = 0
    n_replayed: int = 0

    @property
    def n_rows(self) -> int:
        return self.n_open + self.n_replayed

    def add(self, is_open: bool) -> None:
        self.n_open += is_open
        self.n_replayed += not is_open


@dataclass
class QuarantineCounts:
    """Rows of the quarantine in all, and by what they say. A row that breaks two rules counts for both."""

    total: OpenCount = field(default_factory=OpenCount)
    by_rule: dict[str, OpenCount] = field(default_factory=lambda: defaultdict(OpenCount))
    by_day: dict[date, OpenCount] = field(default_factory=lambda: defaultdict(OpenCount))
    by_ruleset: dict[str | None, OpenCount] = field(default_factory=lambda: defaultdict(OpenCount))

    def add(self, row: Row) -> None:
        """Count one row, by its `is_open`."""
        of_rules = [self.by_rule[rule] for rule in row["rules"]]
        for count in (self.total, self.by_day[row["ingest_date"]], self.by_ruleset[row.get("ruleset")], *of_rules):
            count.add(row["is_open"])


def newest_rows(
    lake_root: str, *, limit: int, rule: str | None = None, day: date | None = None, with_replayed: bool = False
) -> list[Row]:
    """The newest `limit` rows: record_id, rules, coordinates, excerpt (EXCERPT_BYTES), value_bytes, is_open.

    Days are read from the last backwards until there are enough; of each day no more than `limit` rows are held.
    """
    names = ("record_id", "rules", "ingest_time", "ingest_date", "partition", "offset")
    columns = {name: pc.field(name) for name in names}
    replayed, found = _replayed_ids(lake_root), list[Row]()
    for each_day in _days(lake_root) if day is None else [day]:
        rows = _read(lake_root, columns, pc.field("ingest_date") == each_day, replayed)
        wanted = (r for r in rows if (with_replayed or r["is_open"]) and (rule is None or rule in r["rules"]))
        found += heapq.nlargest(limit - len(found), wanted, key=_age_order)
        if len(found) >= limit:
            break
    excerpts = _excerpts(lake_root, found)
    return [row | excerpts[row["record_id"]] for row in found]


def find_record(lake_root: str, record_id: str) -> Row:
    """The newest row whose record_id begins with `record_id`: all its columns, and `replay`, its row of `replays` or None.

    Raises InputError when there is none, or when several records begin so; the message names some.
    """
    is_of_it = pc.starts_with(pc.field("record_id"), record_id.lower())
    columns = {name: pc.field(name) for name in ("record_id", "ingest_time", "ingest_date", "partition", "offset")}
    rows = list(_read(lake_root, columns, is_of_it))
    ids = {row["record_id"] for row in rows}
    if not ids:
        raise InputError(
            f"no quarantined record '{record_id}' in {lake_root}; `liveshelf quarantine list` shows their ids"
        )
    if len(ids) > 1:
        some = "\n".join(f"  {each}" for each in sorted(ids)[:N_AMBIGUOUS])
        raise InputError(f"'{record_id}' is the beginning of {len(ids):,} records, give more of it:\n{some}")
    is_it, day = pc.field("record_id") == ids.pop(), max(rows, key=_age_order)["ingest_date"]
    newest = max(_read(lake_root, None, is_it & (pc.field("ingest_date") == day)), key=_age_order)
    return newest | {"replay": next(_batches(f"{lake_root}/replays", None, is_it), None)}


def count_rows(lake_root: str, since: date | None = None) -> QuarantineCounts:
    """Count all rows, or those that came on the day `since` or later."""
    columns = {name: pc.field(name) for name in ("record_id", "rules", "ruleset", "ingest_date")}
    condition = None if since is None else pc.field("ingest_date") >= since
    counts = QuarantineCounts()
    for row in _read(lake_root, columns, condition, _replayed_ids(lake_root)):
        counts.add(row)
    return counts


def _excerpts(lake_root: str, rows: list[Row]) -> dict[str, Row]:
    """record_id → excerpt, value_bytes."""
    value, record_id = pc.field("value"), pc.field("record_id")
    columns = {"record_id": record_id, "excerpt": pc.binary_slice(value, 0, EXCERPT_BYTES)}
    columns["value_bytes"] = pc.binary_length(value)
    is_of_them = record_id.isin([row["record_id"] for row in rows])
    is_of_their_days = pc.field("ingest_date").isin(list({row["ingest_date"] for row in rows}))
    found = _read(lake_root, columns, is_of_them & is_of_their_days) if rows else iter(())
    return {row.pop("record_id"): row for row in found}


def _age_order(row: Row) -> tuple[Any, ...]:
    return row["ingest_time"], row["partition"], row["offset"]


def _days(lake_root: str) -> list[date]:
    """The days that the table has, newest first."""
    try:
        partitions = DeltaTable(f"{lake_root}/quarantine").partitions()
    except TableNotFoundError:
        return []
    return sorted({date.fromisoformat(partition["ingest_date"]) for partition in partitions}, reverse=True)


def _replayed_ids(lake_root: str) -> pa.Array:
    """Ids of all records that are planned or sent: 64 bytes each."""
    try:
        table = DeltaTable(f"{lake_root}/replays").to_pyarrow_dataset().to_table(columns=["record_id"])
    except TableNotFoundError:
        return pa.array([], pa.string())
    return table["record_id"].combine_chunks()


def _read(
    lake_root: str,
    columns: dict[str, pc.Expression] | None,
    condition: pc.Expression | None,
    replayed: pa.Array | None = None,
) -> Iterator[Row]:
    """Rows of the quarantine; with `replayed`, `is_open` says whether the record is none of these."""
    if replayed is not None and columns is not None:
        columns = columns | {"is_open": ~pc.field("record_id").isin(replayed)}
    return _batches(f"{lake_root}/quarantine", columns, condition)


def _batches(
    table_path: str, columns: dict[str, pc.Expression] | None, condition: pc.Expression | None
) -> Iterator[Row]:
    try:
        dataset = DeltaTable(table_path).to_pyarrow_dataset()
    except TableNotFoundError:
        return
    if columns and "ruleset" not in dataset.schema.names:  # a table of before there was one
        columns = {name: column for name, column in columns.items() if name != "ruleset"}
    # One small batch at a time, and no column of a file as a whole: a record may weigh megabytes.
    scanner = dataset.scanner(
        columns=columns, filter=condition, batch_size=_BATCH_ROWS, batch_readahead=0, fragment_readahead=0,
        fragment_scan_options=ParquetFragmentScanOptions(use_buffered_stream=True, pre_buffer=False), use_threads=False,
    )  # fmt: skip
    for batch in scanner.to_batches():
        yield from batch.to_pylist()
