"""Reads the Delta tables."""

from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from pipelines.errors import InputError
from pipelines.schemas import TABLES


def read_table(
    spark: SparkSession, path: str, name: str, schema: StructType | None = None, *, version: int | None = None
) -> DataFrame:
    """Read table `name` of schemas.TABLES as it is now, or as of `version`; empty where nothing was ever written to it.

    It stays so, however often the frame is looked at and whatever is written meanwhile. An old version can be read as long
    as its files are kept (`VACUUM`).
    Out:  the columns of `schema` (default: TABLES[name]), null where the table is older than the column, then what else
          the table has.
    """
    schema = schema or TABLES[name]
    if not DeltaTable.isDeltaTable(spark, path):
        return spark.createDataFrame([], schema)
    # Without a version the frame would have the newest rows each time it is evaluated: two counts of two tables.
    version = newest_version(spark, path) if version is None else version
    return _with_columns(spark.read.format("delta").option("versionAsOf", version).load(path), schema)


def newest_version(spark: SparkSession, path: str) -> int:
    """Return the version of the table as it is now."""
    version: int = DeltaTable.forPath(spark, path).history(1).collect()[0]["version"]
    return version


def read_stream(
    spark: SparkSession, path: str, name: str, schema: StructType | None = None, *, max_bytes_per_trigger: str
) -> DataFrame:
    """Read table `name` as a stream: the rows that it has, then those that come, each row once.

    A commit that takes rows away, or writes rows again in other files, is passed over: retention, compaction, the deletion
    of a user. Nothing new is in it, for whoever adds rows to these tables only adds. (`ignoreDeletes` would stop at a
    deletion that writes the other rows of a file again.) A micro-batch has files of about `max_bytes_per_trigger` ("64m").
    Out:  as of read_table. Raises InputError where there is no table yet.
    """
    if not DeltaTable.isDeltaTable(spark, path):
        raise InputError(
            f"{path}: no table `{name}` yet; `liveshelf validate_events` makes it with the first valid event, start again then"
        )
    options = {"skipChangeCommits": "true", "maxBytesPerTrigger": max_bytes_per_trigger}
    return _with_columns(spark.readStream.format("delta").options(**options).load(path), schema or TABLES[name])


def _with_columns(table: DataFrame, schema: StructType) -> DataFrame:
    known = [F.col(f.name) if f.name in table.columns else F.lit(None).cast(f.dataType).alias(f.name) for f in schema]
    return table.select(*known, *[name for name in table.columns if name not in schema.names])
