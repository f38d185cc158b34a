"""Files which items were hidden by hand, and when that ended, without Spark."""

import uuid
from collections.abc import Mapping
from datetime import datetime

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from pipelines.schemas import CATALOGUE_HOLDS
from pipelines.sinks.results import ResultTable


def file_hold(path: str, item_id: str, *, is_held: bool, reason: str, as_of: datetime) -> None:
    """Append one change. A replay appends another, which says the same: the newest of an item holds."""
    row = {"hold_id": uuid.uuid4().hex, "as_of": as_of, "item_id": item_id, "is_held": is_held, "reason": reason}
    ResultTable(path, CATALOGUE_HOLDS, "hold_id").append([row])


def held_items(path: str) -> Mapping[str, tuple[str, datetime]]:
    """Item id → (reason, since when) of the items that are held now; none where there is no table."""
    try:
        rows = DeltaTable(path).to_pyarrow_table().sort_by("as_of").to_pylist()
    except TableNotFoundError:
        return {}
    newest = {row["item_id"]: row for row in rows}
    return {item_id: (row["reason"], row["as_of"]) for item_id, row in newest.items() if row["is_held"]}
