"""Reads records of the catalogue as they came: from a file, or from Kafka. Out: what catalogue/rows.py:parse_rows takes."""

from pathlib import PurePath
from typing import Literal, get_args

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, FloatType, StringType, StructField, StructType

from pipelines.catalogue.rows import CORRUPT
from pipelines.errors import InputError

FileFormat = Literal["csv", "tsv", "jsonl", "parquet"]
FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)
_OF_SUFFIX: dict[str, FileFormat] = {name: name for name in FORMATS} | {"ndjson": "jsonl"}


def format_of(path: str) -> FileFormat:
    """What a file is, by its suffix: `items.csv`, `items.jsonl.gz`. Raises InputError where that says nothing."""
    *_, suffix = PurePath(path.removesuffix(".gz")).name.rpartition(".")
    if suffix.lower() not in _OF_SUFFIX:
        raise InputError(f"{path}: say with --format what it is: {', '.join(FORMATS)}")
    return _OF_SUFFIX[suffix.lower()]


def written_ms(spark: SparkSession, path: str) -> int:
    """When the file, or the newest in a folder, was last written, epoch ms. Raises InputError where there is none."""
    jvm = spark._jvm
    assert jvm is not None  # a session in this process has one
    place = jvm.org.apache.hadoop.fs.Path(path)
    file_system = place.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
    if not file_system.exists(place):
        raise InputError(f"{path}: no such file")
    return max((int(status.getModificationTime()) for status in file_system.listStatus(place)), default=0)


def read_file(spark: SparkSession, path: str, file_format: FileFormat, told_ms: int) -> DataFrame:
    """Read a file, or a folder of files, of which `told_ms` (epoch ms) is the time. Positions ascend as its records do."""
    if file_format == "jsonl":
        rows = spark.read.text(path).where(F.trim("value") != "").select(_valid(F.col("value")).alias("record"))
    else:
        rows = _table(spark, path, file_format)
        rows = rows.select(F.to_json(F.struct(*[F.col(f"`{name}`") for name in rows.columns])).alias("record"))
    name = PurePath(path).name
    return rows.select(
        "record",
        F.lit(None).cast("string").alias("key"),
        F.lit(name).alias("source"),
        F.monotonically_increasing_id().alias("position"),
        F.lit(told_ms).cast("long").alias("told_ms"),
    )


def from_kafka(records: DataFrame) -> DataFrame:
    """Shape records of sources/kafka.py: the key is the item's id, no value says that it is gone."""
    return records.select(
        _valid(F.col("value").cast("string")).alias("record"),
        _valid(F.col("key").cast("string")).alias("key"),
        F.col("topic").alias("source"),
        F.col("offset").alias("position"),
        F.unix_millis("timestamp").alias("told_ms"),
    )


def column_names(spark: SparkSession, path: str, file_format: FileFormat) -> list[str]:
    """The names that every record of a file has: none where each has its own."""
    if file_format == "jsonl":
        return []
    return [name for name in _table(spark, path, file_format).columns if name != CORRUPT]


def _table(spark: SparkSession, path: str, file_format: FileFormat) -> DataFrame:
    if file_format == "parquet":
        spark.conf.set("spark.sql.legacy.parquet.nanosAsLong", "true")  # as pandas writes times; else Spark refuses
        rows = spark.read.parquet(path)
        numbers = [f.name for f in rows.schema if isinstance(f.dataType, (DoubleType, FloatType))]
        return rows.withColumns({name: F.when(~F.isnan(f"`{name}`"), F.col(f"`{name}`")) for name in numbers})
    options = {
        "header": "true", "multiLine": "true", "escape": '"', "mode": "PERMISSIVE", "columnNameOfCorruptRecord": CORRUPT,
        "sep": "\t" if file_format == "tsv" else ",",
    }  # fmt: skip
    names = spark.read.options(**options).csv(path).columns
    schema = StructType([StructField(name, StringType()) for name in [*names, CORRUPT]])
    return spark.read.options(**options).schema(schema).csv(path)


def _valid(text: Column) -> Column:
    """Bytes that are no UTF-8 become U+FFFD: Python could not read the row at all."""
    return F.make_valid_utf8(text)
