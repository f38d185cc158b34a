"""Reads the Delta tables."""

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from pipelines.schemas import TABLES


def read_table(spark: SparkSession, path: str, name: str, schema: StructType | None = None) -> DataFrame:
    """Read table `name` of schemas.TABLES as it is now; empty where nothing was ever written to it.

    It stays so, however often the frame is looked at and whatever is written meanwhile.
    Out:  the columns of `schema` (default: TABLES[name]), null where the table is older than the column, then what else
          the table has.
    """
    schema = schema or TABLES[name]
    if not DeltaTable.isDeltaTable(spark, path):
        return spark.createDataFrame([], schema)
    # Without a version the frame would have the newest rows each time it is evaluated: two counts of two tables.
    version = DeltaTable.forPath(spark, path).history(1).collect()[0]["version"]
    table = spark.read.format("delta").option("versionAsOf", version).load(path)
    known = [F.col(f.name) if f.name in table.columns else F.lit(None).cast(f.dataType).alias(f.name) for f in schema]
    return table.select(*known, *[name for name in table.columns if name not in schema.names])
