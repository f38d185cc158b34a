"""Makes the Delta tables, and widens them: explicit schema, comments, partitions and settings from the contract."""

from collections.abc import Mapping, Sequence

from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from pipelines.schemas import PARTITION_COLUMNS
from pipelines.sinks.commits import commit

# Many small commits, hence few checkpoints of the log. Statistics only where a query can skip files by them.
_SETTINGS = {
    "events": {"delta.checkpointInterval": "50", "delta.dataSkippingStatsColumns": "event_time,ingest_time,offset"},
    "quarantine": {"delta.checkpointInterval": "50", "delta.dataSkippingStatsColumns": "ingest_time,offset"},
    "lists": {"delta.checkpointInterval": "50", "delta.dataSkippingStatsColumns": "made_at,user"},
    "replays": {"delta.checkpointInterval": "50", "delta.dataSkippingStatsColumns": "planned_at,sent_at"},
}
_MERGED_SETTINGS = {"delta.checkpointInterval": "50", "delta.autoOptimize.autoCompact": "true"}


def ensure_table(spark: SparkSession, path: str, name: str, schema: StructType) -> None:
    """Make table `name` at `path` where there is none; else add the columns of `schema` that it lacks, null in old rows.

    Takes no column away and changes no type: Delta refuses a write that does not fit. Safe to repeat.
    """
    commit(path, lambda: _ensure(spark, path, name, schema))


def _ensure(spark: SparkSession, path: str, name: str, schema: StructType) -> None:
    if DeltaTable.isDeltaTable(spark, path):
        _add_missing_columns(spark, path, schema)
        return
    writer = spark.createDataFrame([], schema).write.format("delta").mode("ignore")
    if column := PARTITION_COLUMNS.get(name):
        writer = writer.partitionBy(column)
    writer.options(**_SETTINGS.get(name, {})).save(path)


def make_clustered_table(
    spark: SparkSession, path: str, schema: StructType, keys: Sequence[str], properties: Mapping[str, str]
) -> None:
    """Make a table of one row per key at `path`, files clustered by the `keys`, in one commit; one that is there stays.

    Every commit of a merge leaves small files, and Delta compacts them right after it, in the stream's own process.
    """
    made = DeltaTable.createIfNotExists(spark).location(absolute_path(spark, path)).addColumns(schema).clusterBy(*keys)
    for name, value in {**_MERGED_SETTINGS, **properties}.items():
        made = made.property(name, value)
    commit(path, made.execute)


def _add_missing_columns(spark: SparkSession, path: str, schema: StructType) -> None:
    known = {name.lower() for name in DeltaTable.forPath(spark, path).toDF().columns}
    missing = StructType([field for field in schema.fields if field.name.lower() not in known])
    if missing.fields:
        spark.sql(f"ALTER TABLE delta.`{absolute_path(spark, path)}` ADD COLUMNS ({missing.toDDL()})")


def absolute_path(spark: SparkSession, path: str) -> str:
    """`path` as a name in SQL takes it: there a relative one is no path."""
    jvm = spark._jvm
    assert jvm is not None  # a session in this process has one
    jvm_path = jvm.org.apache.hadoop.fs.Path(path)
    file_system = jvm_path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
    return str(file_system.makeQualified(jvm_path))
