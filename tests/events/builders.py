"""Builders of records, as clients send them and as Kafka hands them over."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

SUITE = Path(__file__).parents[2] / "conf/expectations/clickstream.json"
INGEST_TIME = datetime(2024, 6, 1, 12, 0, 0)
KAFKA = "key binary, value binary, topic string, partition int, offset bigint, timestamp timestamp"


def an_event(**changes: Any) -> dict[str, Any]:
    """A valid click, with `changes`; a field changed to `...` is left out."""
    event = {
        "event_id": "e-1",
        "event_type": "product_view",
        "user_id": "u-1",
        "anonymous_id": "a-1",
        "session_id": "s-1",
        "event_time": "2024-06-01T11:59:58.250Z",
        "item_id": "i-1",
        "quantity": 2,
        "price": 12.5,
        "currency": "EUR",
        "position": 0,
        "context": {"device_type": "mobile"},
    } | changes
    return {name: value for name, value in event.items() if value is not ...}


def a_value(**changes: Any) -> bytes:
    return json.dumps(an_event(**changes)).encode()


def kafka_records(spark: SparkSession, values: list[bytes | None], first_offset: int = 0) -> DataFrame:
    """One partition with these values, in order."""
    rows = [(b"u-1", value, "t", 0, first_offset + n, INGEST_TIME) for n, value in enumerate(values)]
    return spark.createDataFrame(rows, KAFKA)
