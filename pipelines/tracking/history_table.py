"""A table of histories, as people and servers write it, made into what a model scores."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipelines.errors import InputError
from pipelines.features.profile import Words, entry_keys
from pipelines.models.model import Model
from pipelines.models.ranker import Histories
from pipelines.schemas import INTERACTION_CODES
from pipelines.tracking.text_hash import text_hash

ITEMS, EVENT_TYPES, TIMES = HISTORY = ("history_items", "history_event_types", "history_times_ms")
AS_OF = "as_of_ms"


def histories(model: Model, table: pd.DataFrame) -> Histories:
    """One user for each row of `table`; its columns are explained at RankerModel.predict.

    Raises InputError when a history has lists of unequal length, or an event type that is none.
    """
    entries = _entries(table)
    items = model.items
    of_id = dict(zip(items.item_id.tolist(), items.index.item.tolist(), strict=True))
    entries["item"] = [of_id.get(item) or text_hash(str(item)) for item in entries["item"]]  # unknown ones count as met
    as_of_ms = _as_of_ms(table, entries)
    is_past = entries["time_ms"].to_numpy() <= as_of_ms[entries["row"].to_numpy()]
    entries = entries[is_past].sort_values(["row", "time_ms"], kind="stable")
    code = entries["event_type"].map(INTERACTION_CODES).to_numpy(np.int64)
    key = entry_keys(entries["time_ms"].to_numpy(np.int64) // 1000, np.arange(len(entries), dtype=np.uint64), code)
    item = np.array(entries["item"].tolist(), np.uint64)  # not through floats: a hash has 64 bits
    row = entries["row"].to_numpy(np.int64)
    return Histories(len(table), row, key, item, as_of_ms // 1000, _context(model.config.context_fields, table))


def _entries(table: pd.DataFrame) -> pd.DataFrame:
    """(row, item, event_type, time_ms) of each interaction."""
    columns = [[_as_list(value) for value in table[name]] for name in HISTORY]
    for row, lists in enumerate(zip(*columns, strict=True)):
        _check(row, dict(zip(HISTORY, lists, strict=True)))
    rows = [row for row, items in enumerate(columns[0]) for _ in items]
    items, event_types, times = ([value for values in column for value in values] for column in columns)
    entries = pd.DataFrame({"row": np.array(rows, np.int64), "time_ms": np.array(times, np.int64)})
    return entries.assign(item=pd.Series(items, dtype=object), event_type=pd.Series(event_types, dtype=object))


def _check(row: int, lists: dict[str, list[object]]) -> None:
    lengths = {name: len(values) for name, values in lists.items()}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise InputError(f"row {row}: expected lists of one length, got {said}")
    if unknown := sorted({str(value) for value in lists[EVENT_TYPES]} - set(INTERACTION_CODES)):
        raise InputError(f"row {row}: {', '.join(unknown)}: no interaction; known: {', '.join(INTERACTION_CODES)}")


def _as_list(value: object) -> list[object]:
    """A missing list is an empty one; MLflow hands over lists or arrays."""
    return [] if value is None or isinstance(value, float) else list(value)  # type: ignore[call-overload]


def _as_of_ms(table: pd.DataFrame, entries: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(U,) as given, else the newest interaction, else 0."""
    newest = entries.groupby("row")["time_ms"].max().reindex(range(len(table)), fill_value=0)
    if AS_OF not in table:
        return newest.to_numpy(np.int64)
    given = pd.Series(table[AS_OF].to_numpy(), dtype="Int64")
    return given.fillna(newest).to_numpy(np.int64)


def _context(fields: Sequence[str], table: pd.DataFrame) -> Words:
    """(U, F) as the hot path hashes it: 0 where it is not known."""
    context = np.zeros((len(table), len(fields)), np.uint64)
    for place, name in enumerate(fields):
        if name in table:
            said = [value if isinstance(value, str) else "" for value in table[name]]
            context[:, place] = [text_hash(value) if value else 0 for value in said]
    return context
