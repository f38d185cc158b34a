"""The lists in the log as rows of the table `lists`, read by Spark's tasks."""

import re
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema

from pipelines.lists.document import PublishedList
from pipelines.schemas import LISTS
from pipelines.stores.connection import connect
from pipelines.stores.list_log import N_LOGS, ListLog, LoggedList, Plan

EVENT_IN_ID = re.compile(r"[0-9a-f]+-(\d+)-(\d+)")  # topic, partition, offset; a profile of no topic has none


def logged_lists(spark: SparkSession, redis_url: str, plan: Plan) -> DataFrame:
    """LISTS: all that is in the plan, a task for each log."""

    def run(numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        schema, log = to_arrow_schema(LISTS, timezone="UTC"), ListLog(connect(redis_url))
        for number in [number for batch in numbers for number in batch["id"].to_pylist()]:
            for lists in log.read(number, plan.ends[number]):
                yield pa.RecordBatch.from_pylist([row_of(logged) for logged in lists], schema=schema)

    return spark.range(0, N_LOGS, 1, N_LOGS).mapInArrow(run, LISTS)


def row_of(logged: LoggedList) -> dict[str, Any]:
    """One row of LISTS."""
    published = PublishedList.from_json(logged.document)
    made_at = datetime.fromtimestamp(published.as_of_ms / 1000, timezone.utc)
    place = EVENT_IN_ID.match(published.list_id)
    return {
        "user": logged.user,
        "list_id": published.list_id,
        "made_at": made_at,
        "made_date": made_at.date(),
        "cause": logged.cause,
        "source": published.source,
        "model": published.model,
        "partition": int(place[1]) if place else None,
        "offset": int(place[2]) if place else None,
        "items": published.items,
        "scores": published.scores,
        "spare": published.spare,
        "reasons": list(published.reasons.items()),
    }
