"""What Spark says of a running stream, in figures for its heartbeat."""

import json
from typing import Any

from pyspark.sql.streaming.listener import SourceProgress, StreamingQueryProgress
from pyspark.sql.streaming.query import StreamingQuery


def progress_figures(query: StreamingQuery) -> dict[str, Any]:
    """What its last micro-batch was like; nothing before the first.

    `trigger_ms`: milliseconds of each of Spark's steps, `triggerExecution` being all of them together. `kafka_lag`: records
    that were in the topic when the micro-batch was planned, and not in it or one before.
    """
    last = query.lastProgress
    if last is None:
        return {}
    return {
        "stream_batch_id": last.batchId,
        "stream_rows": last.numInputRows,
        "trigger_ms": dict(last.durationMs),
        "kafka_lag": kafka_lag(last),
    }


def kafka_lag(progress: StreamingQueryProgress) -> int | None:
    """Records that are not read yet, of all topics and partitions; None of a stream that reads no Kafka."""
    lags = [_lag_of(source) for source in progress.sources if source.description.startswith("KafkaV2[")]
    return sum(lags) if lags else None


def _lag_of(source: SourceProgress) -> int:
    read, written = (json.loads(text or "{}") for text in (source.endOffset, source.latestOffset))
    return sum(
        max(0, last - read.get(topic, {}).get(partition, last))
        for topic, partitions in written.items()
        for partition, last in partitions.items()
    )
