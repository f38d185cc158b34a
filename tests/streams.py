"""Micro-batches from a folder, and a crash between the sink's write and Spark's note of it."""

from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from pipelines.streams import BatchSink, start_stream


class CountedSink:
    """Passes micro-batches on, and remembers which came."""

    def __init__(self, sink: BatchSink) -> None:
        self._sink = sink
        self.batch_ids: list[int] = []

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        self.batch_ids.append(batch_id)
        self._sink(batch, batch_id)


def run_once(spark: SparkSession, folder: Path, schema: StructType, sink: BatchSink, checkpoint: Path) -> None:
    """Run the parquet files of `folder` that `checkpoint` does not know, as one micro-batch, through `sink`."""
    rows = spark.readStream.schema(schema).parquet(str(folder))
    start_stream(rows, sink, name="test", checkpoint=str(checkpoint), once=True).wait()


def forget_last_commit(checkpoint: Path) -> int:
    """Leave `checkpoint` as a driver killed after the sink wrote and before Spark noted it."""
    commits = checkpoint / "commits"
    last = max(int(path.name) for path in commits.iterdir() if path.name.isdigit())
    (commits / str(last)).unlink()
    (commits / f".{last}.crc").unlink(missing_ok=True)
    return last
