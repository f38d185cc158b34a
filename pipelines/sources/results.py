"""Results that checks kept in Delta (sinks/results.py), read without Spark."""

from datetime import datetime
from typing import Any

import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError


def read_results(path: str, since: datetime, before: datetime) -> list[dict[str, Any]]:
    """The rows of the table at `path` with since <= as_of < before (UTC), oldest first; none where there is no table."""
    try:
        dataset = DeltaTable(path).to_pyarrow_dataset()
    except TableNotFoundError:
        return []
    rows: list[dict[str, Any]] = dataset.to_table(
        filter=(pc.field("as_of") >= since) & (pc.field("as_of") < before)
    ).to_pylist()
    return sorted(rows, key=lambda row: row["as_of"])
