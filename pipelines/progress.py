"""What Spark says of a running stream, in figures for its heartbeat."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pyspark.sql.streaming.listener import SourceProgress, StreamingQueryProgress
from pyspark.sql.streaming.query import StreamingQuery

OffsetsByTopic = dict[str, dict[str, int]]  # topic → partition → offset, or records
_WRAPPING = ("StreamingQueryException", "PythonException", "Py4JException", "Py4JJavaError", "SparkException")
_RAISED = re.compile(r"^\s*(?:[\w.$]+: )*(?:[\w$]+\.)*(\w+(?:Error|Exception))\b", re.MULTILINE)


def progress_figures(query: StreamingQuery) -> dict[str, Any]:
    """What its last micro-batch was like; nothing before the first.

    `trigger_ms`: milliseconds of each of Spark's steps, `triggerExecution` being all of them together. `kafka_lag`: records
    that were in the topic when the micro-batch was planned, and not in it or one before; `kafka_lags` the same by topic and
    partition, beside `kafka_offsets`: the first record of each that is not read yet.
    """
    last = query.lastProgress
    if last is None:
        return {}
    lags = kafka_lags(last)
    return {
        "stream_batch_id": last.batchId,
        "stream_rows": last.numInputRows,
        "trigger_ms": dict(last.durationMs),
        "kafka_lag": kafka_lag(last),
        **({"kafka_lags": lags, "kafka_offsets": kafka_offsets(last)} if lags else {}),
    }


def kafka_lag(progress: StreamingQueryProgress) -> int | None:
    """Records that are not read yet, of all topics and partitions; None of a stream that reads no Kafka."""
    lags = kafka_lags(progress)
    return None if lags is None else sum(sum(of.values()) for of in lags.values())


def kafka_lags(progress: StreamingQueryProgress) -> OffsetsByTopic | None:
    """The same by topic and partition."""
    found = [_lags_of(source) for source in _kafka_sources(progress)]
    return _joined(found) if found else None


def kafka_offsets(progress: StreamingQueryProgress) -> OffsetsByTopic:
    """How far the checkpoint is, by topic and partition: the first record that is not read yet."""
    return _joined([_offsets(source.endOffset) for source in _kafka_sources(progress)])


def _kafka_sources(progress: StreamingQueryProgress) -> Iterator[SourceProgress]:
    return (source for source in progress.sources if source.description.startswith("KafkaV2["))


def _lags_of(source: SourceProgress) -> OffsetsByTopic:
    read, written = _offsets(source.endOffset), _offsets(source.latestOffset)
    return {
        topic: {partition: max(0, last - read.get(topic, {}).get(partition, last)) for partition, last in of.items()}
        for topic, of in written.items()
    }


def _offsets(told: str | None) -> OffsetsByTopic:
    """A source that has not looked yet tells none, or the JSON of none."""
    return json.loads(told or "{}") or {}


def _joined(found: list[OffsetsByTopic]) -> OffsetsByTopic:
    topics = {topic for of in found for topic in of}
    return {topic: {part: n for of in found for part, n in of.get(topic, {}).items()} for topic in sorted(topics)}


class BatchCount:
    """Counts the micro-batches that a stream has committed since its process started, and their rows; asked now and then.

    Misses none, as long as Spark remembers all since it was asked last (spark.sql.streaming.numRecentProgressUpdates); of those
    that it forgot, the number is known and the rows are not. Each question is a round trip to the JVM, so it asks two of each
    that is new: `query.recentProgress` would translate some hundred. Looks that found nothing to do are remembered by Spark, too,
    and walked over once only: after idle minutes they are all that it remembers.
    """

    def __init__(self) -> None:
        self._last: int | None = None
        self._looked: tuple[int, str] | None = None  # the newest look that found nothing to do: next id, when it began
        self._figures: dict[str, int] = {"n_batches": 0, "n_batch_rows": 0}

    def figures(self, query: StreamingQuery) -> Mapping[str, int]:
        """Totals, and with the first micro-batch the id of the newest and when it was committed (`committed_ms`, epoch)."""
        fresh = self._fresh(query._jsq.recentProgress())
        if fresh:
            self._take_in(fresh)
        return self._figures

    def _fresh(self, recent: Any) -> list[tuple[Any, int]]:
        """(progress, rows) of each micro-batch that is new, the newest first."""
        fresh, looked = [], None
        for place in range(len(recent) - 1, -1, -1):
            progress = recent[place]
            batch_id = progress.batchId()
            if self._last is not None and batch_id <= self._last:
                break
            n_rows = progress.numInputRows()
            if n_rows or progress.durationMs().containsKey("addBatch"):
                fresh.append((progress, n_rows))
                continue
            look = batch_id, progress.timestamp()  # its id is that of the next micro-batch
            looked = looked or look
            if look == self._looked:
                break
        self._looked = looked or self._looked
        return fresh

    def _take_in(self, newest_first: list[tuple[Any, int]]) -> None:
        (newest, _), (oldest, _) = newest_first[0], newest_first[-1]
        before = oldest.batchId() - 1 if self._last is None else self._last
        self._last = newest.batchId()
        began_ms = datetime.fromisoformat(newest.timestamp().replace("Z", "+00:00")).timestamp() * 1000
        self._figures = {
            "n_batches": self._figures["n_batches"] + newest.batchId() - before,
            "n_batch_rows": self._figures["n_batch_rows"] + sum(n_rows for _, n_rows in newest_first),
            "committed_batch_id": newest.batchId(),
            "committed_ms": round(began_ms) + int(newest.durationMs().get("triggerExecution")),
        }


def kind_of(error: BaseException) -> str:
    """The name of the exception that ended a stream: the last that is in its text, or that of the exception itself."""
    raised = _RAISED.findall(str(error).split("=== Streaming Query ===")[0])
    inner = [name for name in raised if name not in _WRAPPING]
    return inner[-1] if inner else type(error).__name__
