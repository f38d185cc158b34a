"""Makes the Delta tables: explicit schema, comments, partitions and settings from the contract."""

from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from pipelines.schemas import PARTITION_COLUMNS, TABLES

# Many small commits, hence few checkpoints of the log. Statistics only where a query can skip files by them.
_SETTINGS = {
    "events": {"delta.checkpointInterval": "50", "delta.dataSkippingStatsColumns": "event_time,ingest_time,offset"},
    "quarantine": {"delta.checkpointInterval": "50", "delta.dataSkippingStatsColumns": "ingest_time,offset"},
}


def create_table_if_missing(spark: SparkSession, path: str, name: str) -> None:
    """Make an empty table `name` of schemas.TABLES at `path`; leave one that is there as it is."""
    if DeltaTable.isDeltaTable(spark, path):
        return
    empty = spark.createDataFrame([], TABLES[name])
    writer = empty.write.format("delta").mode("ignore").partitionBy(PARTITION_COLUMNS[name])
    writer.options(**_SETTINGS[name]).save(path)
