"""A log of real events as arrays, read as the product reads it (pipelines/events/logs)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
from numpy.typing import NDArray
from rich.progress import Progress

from pipelines.errors import InputError
from pipelines.events.logs import LogFormat, log_format, read_line
from pipelines.features.profile import Ints, Words, entry_keys
from pipelines.schemas import INTERACTION_CODES
from pipelines.sources.log_files import LogLines

Event = dict[str, Any]
Names = NDArray[np.object_]
CONTEXT_FIELDS = ("device_type", "location")  # of an event's `context`
FIELDS = ("user", "item", "time_s", "code", "event_id", "category", "brand", *CONTEXT_FIELDS)


@dataclass(frozen=True)
class EventLog:
    """n interactions in time order; users and items are numbered in the order of their coming."""

    user: Ints  # (n,)
    item: Ints  # (n,)
    key: Words  # (n,) see features/profile.py
    time_s: Ints  # (n,) epoch seconds
    category: Words  # (n,) hash; 0 where the event names none
    brand: Words  # (n,)
    context: Words  # (n, 2)
    user_id: Names  # (U,)
    item_id: Names  # (I,)
    item_hash: Words  # (I,)

    def __len__(self) -> int:
        return len(self.user)

    @property
    def n_users(self) -> int:
        return len(self.user_id)

    @property
    def n_items(self) -> int:
        return len(self.item_id)

    def before(self, time_s: int) -> "EventLog":
        """The log as it was at `time_s`: no later event, nor users and items that only those name."""
        n = int(np.searchsorted(self.time_s, time_s))
        n_users, n_items = (1 + int(numbers[:n].max(initial=-1)) for numbers in (self.user, self.item))
        size = {"user_id": n_users, "item_id": n_items, "item_hash": n_items}
        return EventLog(**{name: column[: size.get(name, n)] for name, column in vars(self).items()})


def read_log(path: Path, format_name: str, keep: Callable[[Event], bool] = lambda _: True) -> EventLog:
    """Read the interactions with a user and an item that `keep` says yes to. Raises InputError when there is none."""
    rows = list(_rows(path, log_format(format_name), keep))
    if not rows:
        raise InputError(f"{path}: expected events of a user with an item in format {format_name}, got none")
    return to_log(pd.DataFrame(rows, columns=list(FIELDS)))


def to_log(rows: pd.DataFrame) -> EventLog:
    """Number users and items. `rows` has the columns FIELDS: texts, of which the last four may be None, and integers."""
    rows = rows.sort_values("time_s", kind="stable")
    user, user_id = pd.factorize(rows["user"])
    item, item_id = pd.factorize(rows["item"])
    time_s = rows["time_s"].to_numpy(np.int64)
    return EventLog(
        user=user.astype(np.int64),
        item=item.astype(np.int64),
        key=entry_keys(time_s, _hashes(rows["event_id"]), rows["code"].to_numpy(np.int64)),
        time_s=time_s,
        category=_hashes(rows["category"]),
        brand=_hashes(rows["brand"]),
        context=np.stack([_hashes(rows[name]) for name in CONTEXT_FIELDS], axis=1),
        user_id=np.asarray(user_id, object),
        item_id=np.asarray(item_id, object),
        item_hash=_hashes(pd.Series(item_id)),
    )


def _rows(path: Path, log: LogFormat, keep: Callable[[Event], bool]) -> Iterator[tuple[Any, ...]]:
    lines = LogLines(path, log.header)
    with Progress(transient=True) as progress:
        task = progress.add_task(f"reading {path.name}", total=lines.total_bytes)
        for number, line in enumerate(lines):
            if number % 1_000 == 0:
                progress.update(task, completed=lines.bytes_read)
            record = read_line(line, log)
            if record.is_broken or record.key is None:
                continue
            event = orjson.loads(record.value)
            code = INTERACTION_CODES.get(event["event_type"])
            if code is None or "item_id" not in event or not keep(event):
                continue
            yield (
                record.key.decode(),
                event["item_id"],
                int(record.event_time_ms or 0) // 1000,
                code,
                record.event_id,
                event.get("category_id") or event.get("category"),  # REES46 always has the first
                event.get("brand"),
                *(event.get("context", {}).get(name) for name in CONTEXT_FIELDS),
            )


def _hashes(texts: "pd.Series[Any]") -> Words:
    """(n,) 64-bit hashes of texts, 0 of None."""
    place, distinct = pd.factorize(texts)  # None is at −1, where the 0 is
    hashes = [int.from_bytes(blake2b(str(text).encode(), digest_size=8).digest(), "little") for text in distinct]
    return np.array([*hashes, 0], np.uint64)[place]
