"""Reads the Delta tables."""

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from pipelines.schemas import TABLES


def read_table(spark: SparkSession, path: str, name: str) -> DataFrame:
    """Read table `name` of schemas.TABLES as it is now; empty where nothing was ever written to it."""
    if not DeltaTable.isDeltaTable(spark, path):
        return spark.createDataFrame([], TABLES[name])
    return spark.read.format("delta").load(path)
