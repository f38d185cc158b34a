"""A job that does a little of everything that jobs do, for its JVM to load what theirs will load.

python -m pipelines.local.class_training JAR...
"""

import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from delta.tables import DeltaTable
from pyarrow import RecordBatch
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipelines.session import spark_session
from pipelines.sources.delta import read_stream
from pipelines.streams import start_stream

# What needs a broker to be used is loaded by name.
BY_NAME = ("org/apache/kafka/common/", "org/apache/kafka/clients/", "org/apache/spark/sql/kafka010/")


def main(jars: list[str]) -> int:
    """Load the classes, and end: the JVM writes its archive then, if its options say so."""
    spark = spark_session("class-training")
    with tempfile.TemporaryDirectory() as folder:
        use_tables_and_a_stream(spark, Path(folder))
    for jar in jars:
        load_by_name(spark, Path(jar))
    end_jvm(spark)
    return 0


def end_jvm(spark: SparkSession) -> None:
    """Stop the session and wait until its JVM has ended, and with that has written the archive."""
    gateway: Any = spark.sparkContext._gateway
    spark.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()  # a JVM of pyspark ends with its standard input
    gateway.proc.wait()


def use_tables_and_a_stream(spark: SparkSession, folder: Path) -> None:
    """Write, stream, parse, send through a Python worker, append, merge and read back, in tables of `folder`."""
    source, target = str(folder / "source"), str(folder / "target")
    rows = spark.range(20).selectExpr("id", "CAST(id % 3 AS string) AS word", "to_json(struct(id)) AS text")
    rows.write.format("delta").partitionBy("word").save(source)

    def append(batch: DataFrame, batch_id: int) -> None:
        writer = batch.write.format("delta").mode("append")
        writer.option("txnAppId", "training").option("txnVersion", batch_id).save(target)

    stream = read_stream(spark, source, "source", rows.schema, max_bytes_per_trigger="1m")
    parsed = stream.select(F.from_json("text", "id long").alias("it"), "word")
    numbers = parsed.select("it.id", "word").mapInArrow(_unchanged, "id long, word string")
    start_stream(numbers, append, name="training", checkpoint=str(folder / "checkpoint"), once=True).wait()
    merge = DeltaTable.forPath(spark, target).alias("old").merge(spark.range(30).alias("new"), "old.id = new.id")
    merge.whenMatchedUpdate(set={"word": F.lit("old")}).whenNotMatchedInsert(values={"id": "new.id"}).execute()
    counts = spark.read.format("delta").load(target).groupBy("word").agg(F.count("*"), F.max("id"))
    counts.orderBy("word").collect()


def load_by_name(spark: SparkSession, jar: Path) -> None:
    """Load the classes of BY_NAME that are in `jar`; one that needs what is not there is left out."""
    jvm: Any = spark._jvm
    loader = jvm.Thread.currentThread().getContextClassLoader()
    for name in zipfile.ZipFile(jar).namelist():
        if name.startswith(BY_NAME) and name.endswith(".class"):
            try:
                jvm.Class.forName(name.removesuffix(".class").replace("/", "."), False, loader)
            except Exception as error:  # of the JVM, by py4j
                print(f"{name} is left out: {str(error).splitlines()[0]}", file=sys.stderr)


def _unchanged(batches: Iterator[RecordBatch]) -> Iterator[RecordBatch]:
    return batches


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
