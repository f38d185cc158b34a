"""The rows of a micro-batch as the stage works on them: arrays."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipelines.features.fold import Interactions
from pipelines.features.profile import Ints, entry_keys


@dataclass(frozen=True)
class Arrivals:
    """The rows of one partition in a micro-batch, in arrival order."""

    users: list[str]  # distinct
    batch: Interactions
    item_id: pa.Array  # (n,)
    ingest_ms: Ints  # (n,)
    partition: int


def read_arrivals(rows: pa.Table, topic_tag: int, partition: int) -> Arrivals:
    """Take the columns of `to_interactions` as arrays."""
    user = rows["user"].combine_chunks().dictionary_encode()
    column = {
        name: rows[name].to_numpy() for name in ("item_hash", "event_hash", "code", "time_s", "ingest_ms", "offset")
    }
    return Arrivals(
        users=user.dictionary.to_pylist(),
        batch=Interactions(
            user=user.indices.to_numpy().astype(np.int64),
            key=entry_keys(column["time_s"], column["event_hash"].view(np.uint64), column["code"]),
            item=column["item_hash"].view(np.uint64),
            offset=column["offset"],
            source=(partition << 32) | topic_tag,
        ),
        item_id=rows["item"].combine_chunks(),
        ingest_ms=column["ingest_ms"],
        partition=partition,
    )


def of_users(arrivals: Arrivals, users: Sequence[str]) -> Arrivals:
    """The rows of `users` alone, some of the users in `arrivals`."""
    chosen = set(users)
    kept = np.array([user in chosen for user in arrivals.users], np.bool_)
    rows = kept[arrivals.batch.user]
    index = np.cumsum(kept) - 1
    batch = arrivals.batch
    return Arrivals(
        users=[user for user in arrivals.users if user in chosen],
        batch=Interactions(
            index[batch.user[rows]], batch.key[rows], batch.item[rows], batch.offset[rows], batch.source
        ),
        item_id=arrivals.item_id.filter(pa.array(rows)),
        ingest_ms=arrivals.ingest_ms[rows],
        partition=arrivals.partition,
    )
