"""Delta tables read without Spark, for a look at a few rows."""

from typing import Any

import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from pipelines.schemas import INTERACTION_TYPES

Row = dict[str, Any]


def find_event(lake_root: str, event_id: str) -> tuple[str, Row] | None:
    """(table, row) of the event, looked up in `events` first; None when it is in neither table.

    A quarantined record may have no readable id: one whose bytes contain `event_id` is taken for it.
    """
    if rows := _rows(f"{lake_root}/events", pc.field("event_id") == event_id):
        return "events", rows[0]
    for row in _rows(f"{lake_root}/quarantine", None):
        if event_id.encode() in (row["value"] or b""):
            return "quarantine", row
    return None


def _rows(table_path: str, condition: pc.Expression | None) -> list[Row]:
    try:
        dataset = DeltaTable(table_path).to_pyarrow_dataset()
    except TableNotFoundError:
        return []
    rows: list[Row] = dataset.to_table(filter=condition).to_pylist()
    return rows


def interactions_per_user(lake_root: str) -> dict[str, int]:
    """How many interactions `events` holds of each user."""
    try:
        dataset = DeltaTable(f"{lake_root}/events").to_pyarrow_dataset()
    except TableNotFoundError:
        return {}
    users = dataset.to_table(columns=["user"], filter=pc.field("event_type").isin(INTERACTION_TYPES))
    counts = users.group_by("user").aggregate([([], "count_all")])
    return dict(zip(counts["user"].to_pylist(), counts["count_all"].to_pylist(), strict=True))
