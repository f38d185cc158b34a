"""Judges the lines of a log without sending or writing anything."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from pipelines.events.logs import LogFormat, read_line

CHUNK_LINES = 20_000
CHUNK_BYTES = 16_777_216
EXCERPT_BYTES = 200
_RECORDS = pa.schema([("key", pa.binary()), ("value", pa.binary()), ("offset", pa.int64())])


@dataclass
class Finding:
    """How many lines break a rule, and the first of them."""

    n_lines: int
    line_number: int  # from 1; headers and empty lines are not counted
    excerpt: bytes  # of the line, as it is in the log


@dataclass
class DryRun:
    """`n_lines` = `n_accepted` + `n_quarantined`. A line that breaks two rules counts for both."""

    n_lines: int = 0
    n_quarantined: int = 0
    quarantined: dict[str, Finding] = field(default_factory=dict)
    warned: dict[str, Finding] = field(default_factory=dict)

    @property
    def n_accepted(self) -> int:
        return self.n_lines - self.n_quarantined


def dry_run(
    spark: SparkSession,
    lines: Iterable[bytes],
    log: LogFormat,
    judge: Callable[[DataFrame], DataFrame],
    now: datetime,
    *,
    limit: int | None = None,
    on_judged: Callable[[int], None] = lambda _: None,
) -> DryRun:
    """Judge the first `limit` of `lines`, all if None, as if they were sent at `now`. A chunk is in memory at a time.

    `judge` adds `rules` and `warnings` to Kafka's columns. `on_judged` is told the number of lines so far, after each chunk.
    """
    result = DryRun()
    for chunk in _chunks(islice(lines, limit)):
        records = _records(spark, chunk, log, now)
        is_striking = (F.size("rules") > 0) | (F.size("warnings") > 0)
        rows = judge(records).where(is_striking).select("offset", "rules", "warnings").collect()
        for row in sorted(rows, key=lambda row: row["offset"]):
            result.n_quarantined += bool(row["rules"])
            for names, findings in ((row["rules"], result.quarantined), (row["warnings"], result.warned)):
                _note(findings, names, result.n_lines + row["offset"] + 1, chunk[row["offset"]])
        result.n_lines += len(chunk)
        on_judged(result.n_lines)
    return result


def _note(findings: dict[str, Finding], names: list[str], line_number: int, line: bytes) -> None:
    for name in names:
        findings.setdefault(name, Finding(0, line_number, line[:EXCERPT_BYTES])).n_lines += 1


def _records(spark: SparkSession, chunk: list[bytes], log: LogFormat, now: datetime) -> DataFrame:
    """Kafka's columns, as `liveshelf replay` would send the lines; the offset is the place in the chunk."""
    sent = [read_line(line, log) for line in chunk]
    columns = [[record.key for record in sent], [record.value for record in sent], range(len(sent))]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, _RECORDS.types, strict=True)]
    rows = spark.createDataFrame(pa.Table.from_arrays(arrays, schema=_RECORDS))
    return rows.withColumns({"topic": F.lit(log.name), "partition": F.lit(0), "timestamp": F.lit(now)})


def _chunks(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    n_bytes = 0
    for line in lines:
        chunk.append(line)
        n_bytes += len(line)
        if len(chunk) >= CHUNK_LINES or n_bytes >= CHUNK_BYTES:
            yield chunk
            chunk, n_bytes = [], 0
    if chunk:
        yield chunk
