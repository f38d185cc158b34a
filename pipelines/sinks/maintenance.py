"""Looks after a Delta table beside its writers and readers: deletes old days, compacts, removes files nobody needs."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from delta.tables import DeltaTable
from deltalake import DeltaTable as TableWithoutSpark
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from pipelines.schemas import PARTITION_COLUMNS, TABLES
from pipelines.sinks.commits import commit
from pipelines.sinks.delta_tables import absolute_path

FEATURES = "features/"  # where the feature tables lie in the lake
SMALL_BYTES = 128 << 20  # what OPTIMIZE combines, and the size of what it makes: as in conf/spark-defaults.conf
TURN_SECONDS = 0.2  # a writer that waits for the lock looks for it every 0.05 s
_DAY_COLUMNS = {**PARTITION_COLUMNS, "audits": "as_of", "consistency": "as_of"}
_RETENTION, _DELTAS_RETENTION = "delta.deletedFileRetentionDuration", "interval 168 hours"
_Sizes = Mapping[date | None, list[int]]  # partition (None: of a table without) → bytes of each of its files


@dataclass(frozen=True)
class Rules:
    """What is done to every table."""

    today: date  # UTC
    keep_days: Mapping[str, int | None] = field(default_factory=dict)  # table → whole days before today; None: all
    vacuum_hours: int = 168
    features_vacuum_hours: int = 24  # of the feature tables
    is_dry_run: bool = False  # say what would be done


@dataclass(frozen=True)
class Size:
    """Some files."""

    n_files: int
    n_bytes: int

    @classmethod
    def of(cls, bytes_of_files: Iterable[int]) -> "Size":
        """Add them up."""
        sizes = list(bytes_of_files)
        return cls(len(sizes), sum(sizes))


@dataclass(frozen=True)
class Upkeep:
    """What was done to a table; of a dry run, what would be."""

    table: str
    before: Size  # of the newest version, and so `after`
    after: Size | None  # None in a dry run
    deleted_days: list[str]  # whole partitions
    n_rows_deleted: int
    compacted: Size  # small files that were combined
    vacuumed: Size  # files that no version needed any more


def find_tables(spark: SparkSession, lake_root: str) -> dict[str, str]:
    """Return name → path of the tables that are there: of schemas.TABLES, and `features/v{N}/{entity}_features`."""
    root = _hadoop_path(spark, absolute_path(spark, lake_root))
    found: dict[str, str] = {}
    for pattern in ("*", "features/v*/*"):
        logs = _file_system(spark, root).globStatus(_hadoop_path(spark, f"{root}/{pattern}/_delta_log")) or []
        for log in logs:
            path = log.getPath().getParent()
            name = str(path).removeprefix(f"{root}/")
            if name in TABLES or name.startswith(FEATURES):
                found[name] = f"{lake_root}/{name}"
    return dict(sorted(found.items()))


def maintain(spark: SparkSession, name: str, path: str, rules: Rules) -> Upkeep:
    """Delete the days that table `name` need not keep, compact it, and remove the files that no version needs any more.

    Safe to repeat, and to end anywhere: each step is one commit, and what is left over comes next time; a file is removed
    only when it has been in no version for `vacuum_hours`. Safe beside the writers, who wait for one step at a time
    (commits.py), and beside readers and streams: compaction says of itself that it brings no new rows, `read_stream` passes
    over deletions. Partitions of today and later are not compacted, for they are being written. Raises ConflictError.
    """
    before = _sizes(name, path)
    days, n_rows = _delete_old_days(spark, name, path, before, rules)
    left = {day: sizes for day, sizes in before.items() if str(day) not in days}
    compacted = _compact(spark, name, path, left, rules)
    hours = rules.features_vacuum_hours if name.startswith(FEATURES) else rules.vacuum_hours
    vacuumed = _vacuum(spark, path, hours, rules.is_dry_run)
    after = None if rules.is_dry_run else _total(_sizes(name, path))
    return Upkeep(name, _total(before), after, days, n_rows, Size.of(compacted), Size.of(vacuumed))


def _delete_old_days(spark: SparkSession, name: str, path: str, sizes: _Sizes, rules: Rules) -> tuple[list[str], int]:
    """(Partitions, rows) that are older than what is kept."""
    column, keep_days = _DAY_COLUMNS.get(name), rules.keep_days.get(name)
    if column is None or keep_days is None:
        return [], 0
    first_kept = rules.today - timedelta(days=keep_days)
    n_rows = _count_before(path, column, first_kept)
    if n_rows and not rules.is_dry_run:
        # Of a partition column this drops files and reads none.
        commit(path, lambda: DeltaTable.forPath(spark, path).delete(F.col(column) < F.lit(first_kept)))
    return sorted(str(day) for day in sizes if day is not None and day < first_kept), n_rows


def _compact(spark: SparkSession, name: str, path: str, sizes: _Sizes, rules: Rules) -> list[int]:
    """Combine the small files of each partition; returns the bytes of each of them."""
    compacted: list[int] = []
    for day, of_the_day in sorted(sizes.items(), key=lambda item: str(item[0])):
        small = [n_bytes for n_bytes in of_the_day if n_bytes < SMALL_BYTES]
        if len(small) < 2 or (day is not None and day >= rules.today):
            continue
        compacted += small
        if not rules.is_dry_run:
            commit(path, lambda day=day: _optimize(spark, name, path, day))  # type: ignore[misc]  # each its own day
            time.sleep(TURN_SECONDS)
    return compacted


def _optimize(spark: SparkSession, name: str, path: str, day: date | None) -> None:
    table = DeltaTable.forPath(spark, path).optimize()
    if day is not None:
        table = table.where(f"{PARTITION_COLUMNS[name]} = '{day}'")
    table.executeCompaction()


def _vacuum(spark: SparkSession, path: str, hours: int, is_dry_run: bool) -> list[int]:
    """Remove the files that were in no version for so long; returns the bytes of each."""
    table = f"delta.`{absolute_path(spark, path)}`"
    if not is_dry_run:
        _set_retention(spark, path, table, hours)
    files = [_hadoop_path(spark, row["path"]) for row in spark.sql(f"VACUUM {table} DRY RUN").collect()]
    bytes_of_files = [int(_file_system(spark, file).getFileStatus(file).getLen()) for file in files]
    if files and not is_dry_run:
        commit(path, lambda: spark.sql(f"VACUUM {table}").collect())
    return bytes_of_files


def _set_retention(spark: SparkSession, path: str, table: str, hours: int) -> None:
    """Write into the table how long its files are kept: Delta ignores another time in `VACUUM … RETAIN`."""
    wanted = f"interval {hours} hours"
    if TableWithoutSpark(path).metadata().configuration.get(_RETENTION, _DELTAS_RETENTION) != wanted:
        commit(path, lambda: spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('{_RETENTION}' = '{wanted}')"))


def _sizes(name: str, path: str) -> _Sizes:
    actions = pa.table(TableWithoutSpark(path).get_add_actions(flatten=True))
    column, sizes = PARTITION_COLUMNS.get(name), defaultdict(list)
    days = actions[f"partition.{column}"].to_pylist() if column else [None] * actions.num_rows
    for day, n_bytes in zip(days, actions["size_bytes"].to_pylist(), strict=True):
        sizes[day].append(n_bytes)
    return sizes


def _total(sizes: _Sizes) -> Size:
    return Size.of(chain.from_iterable(sizes.values()))


def _count_before(path: str, column: str, day: date) -> int:
    dataset = TableWithoutSpark(path).to_pyarrow_dataset()
    kind = dataset.schema.field(column).type
    start = datetime(day.year, day.month, day.day, tzinfo=timezone.utc) if pa.types.is_timestamp(kind) else day
    return int(dataset.count_rows(filter=pc.field(column) < pa.scalar(start, kind)))


def _hadoop_path(spark: SparkSession, path: str) -> Any:
    jvm = spark._jvm
    assert jvm is not None  # a session in this process has one
    return jvm.org.apache.hadoop.fs.Path(path)


def _file_system(spark: SparkSession, path: Any) -> Any:
    return path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
