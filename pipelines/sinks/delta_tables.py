"""Makes the Delta tables, and widens them: explicit schema, comments, partitions and settings from the contract."""

from delta.tables import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from pipelines.schemas import PARTITION_COLUMNS

# Many small commits, hence few checkpoints of the log. Statistics only where a query can skip files by them.
_SETTINGS = {
    "events": {"delta.checkpointInterval": "50", "delta.dataSkippingStatsColumns": "event_time,ingest_time,offset"},
    "quarantine": {"delta.checkpointInterval": "50", "delta.dataSkippingStatsColumns": "ingest_time,offset"},
    "replays": {"delta.checkpointInterval": "50", "delta.dataSkippingStatsColumns": "planned_at,sent_at"},
}


def ensure_table(spark: SparkSession, path: str, name: str, schema: StructType) -> None:
    """Make table `name` at `path` where there is none; else add the columns of `schema` that it lacks, null in old rows.

    Takes no column away and changes no type: Delta refuses a write that does not fit. Safe to repeat.
    """
    if DeltaTable.isDeltaTable(spark, path):
        _add_missing_columns(spark, path, schema)
        return
    writer = spark.createDataFrame([], schema).write.format("delta").mode("ignore")
    if column := PARTITION_COLUMNS.get(name):
        writer = writer.partitionBy(column)
    writer.options(**_SETTINGS.get(name, {})).save(path)


def _add_missing_columns(spark: SparkSession, path: str, schema: StructType) -> None:
    known = {name.lower() for name in DeltaTable.forPath(spark, path).toDF().columns}
    missing = StructType([field for field in schema.fields if field.name.lower() not in known])
    if missing.fields:
        spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMNS ({missing.toDDL()})")
