"""Quarantined records, written without Spark."""

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

NOON = datetime(2024, 6, 1, 12, tzinfo=timezone.utc)
_INSTANT = pa.timestamp("us", tz="UTC")
_QUARANTINE = pa.schema(
    [
        ("record_id", pa.string()), ("rules", pa.list_(pa.string())), ("ruleset", pa.string()), ("key", pa.binary()),
        ("value", pa.binary()), ("ingest_date", pa.date32()), ("topic", pa.string()), ("partition", pa.int32()),
        ("offset", pa.int64()), ("ingest_time", _INSTANT),
    ]
)  # fmt: skip
_REPLAYS = pa.schema(
    [
        ("record_id", pa.string()), ("rule", pa.string()), ("fix", pa.string()), ("ruleset", pa.string()),
        ("event_id", pa.string()), ("key", pa.binary()), ("value", pa.binary()), ("planned_at", _INSTANT),
        ("sent_at", _INSTANT),
    ]
)  # fmt: skip


def quarantined(record_id: str, *rules: str, minutes: float = 0, **changes: Any) -> dict[str, Any]:
    """A row that came so many minutes after NOON."""
    came = NOON + timedelta(minutes=minutes)
    row = {
        "record_id": record_id, "rules": list(rules or ("price_in_range",)), "ruleset": "0123456789abcdef",
        "key": b"u-1", "value": b"{", "topic": "t", "partition": 0, "offset": 7, "ingest_time": came,
    }  # fmt: skip
    return row | {"ingest_date": came.date()} | changes


def replayed(record_id: str, **changes: Any) -> dict[str, Any]:
    row = {"record_id": record_id, "rule": "price_in_range", "ruleset": "0123456789abcdef", "event_id": "e-1"}
    return row | {"fix": None, "key": b"u-1", "value": b"{}", "planned_at": NOON, "sent_at": NOON} | changes


def write_quarantine(lake: Path, *rows: dict[str, Any]) -> None:
    table = pa.Table.from_pylist(list(rows), _QUARANTINE)
    write_deltalake(str(lake / "quarantine"), table, mode="append", partition_by=["ingest_date"])


def write_replays(lake: Path, *rows: dict[str, Any]) -> None:
    write_deltalake(str(lake / "replays"), pa.Table.from_pylist(list(rows), _REPLAYS), mode="append")
