"""The stage as Spark runs it: `mapInArrow` over whole partitions, one small row a task back to the driver."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from pipelines.hot_path.rebuild import rebuild_slice, whole_slices
from pipelines.hot_path.renewals import seek_renewals
from pipelines.hot_path.stage import personalize
from pipelines.hot_path.sweep import sweep_shard
from pipelines.hot_path.worker import StageSettings, worker_for
from pipelines.logs.batches import in_task
from pipelines.stores.due import Kind
from pipelines.task_reports import HOT_PATH_REPORT, REBUILD_REPORT, RENEWALS_REPORT, SWEEP_REPORT


def with_personalization(interactions: DataFrame, settings: StageSettings) -> DataFrame:
    """Run the stage over `interactions` (features/interactions.py).

    Needs all rows of a user in one partition and in order, as in a topic keyed by user. Evaluate the result once per
    micro-batch: the stage writes.
    """
    return interactions.mapInArrow(_stage(settings), HOT_PATH_REPORT)


def _stage(settings: StageSettings) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        schema = to_arrow_schema(HOT_PATH_REPORT)
        with in_task():
            for report in personalize(settings, _batch_id(), batches):
                yield pa.RecordBatch.from_pylist([report], schema=schema)

    return run


def with_rebuilding(filed: DataFrame, settings: StageSettings) -> DataFrame:
    """Rebuild the profiles of the users in `filed` (features/filed.py): a report for each slice. Evaluate it once: it writes."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with in_task():
            schema, worker = to_arrow_schema(REBUILD_REPORT), worker_for(settings)
            for number, rows in whole_slices(batches):
                report = rebuild_slice(settings, worker, rows)
                worker.rebuild_progress.mark(number)
                yield pa.RecordBatch.from_pylist([{"slice": number, **report.figures()}], schema=schema)

    return filed.mapInArrow(run, REBUILD_REPORT)


def swept(
    spark: SparkSession, settings: StageSettings, kind: Kind, portions: Mapping[int, int], now_ms: int
) -> DataFrame:
    """Make the lists that are due: of each shard in `portions` as many. A report for each; evaluate it once: it writes."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with in_task():
            schema, worker = to_arrow_schema(SWEEP_REPORT), worker_for(settings)
            for shard in [shard for batch in batches for shard in batch["shard"].to_pylist()]:
                report = sweep_shard(settings, worker, kind, shard, now_ms, portions[shard])
                yield pa.RecordBatch.from_pylist([{"shard": shard, **asdict(report)}], schema=schema)

    shards = spark.range(0, len(portions), 1, len(portions)).select(
        F.element_at(F.lit(list(portions)), F.col("id").cast("int") + 1).cast("long").alias("shard")
    )
    return shards.mapInArrow(run, SWEEP_REPORT)


def renewals_sought(spark: SparkSession, settings: StageSettings, since_s: int) -> DataFrame:
    """Queue the users whose list is to be made again. One report of one task, for Redis has one cursor; it writes."""

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with in_task():
            for _ in batches:
                report = seek_renewals(worker_for(settings), since_s)
                yield pa.RecordBatch.from_pylist([report], schema=to_arrow_schema(RENEWALS_REPORT))

    return spark.range(0, 1, 1, 1).mapInArrow(run, RENEWALS_REPORT)


def _batch_id() -> int:
    """The micro-batch that this task belongs to; 0 in a batch query."""
    context = TaskContext.get()
    return int((context and context.getLocalProperty("streaming.sql.batchId")) or 0)
