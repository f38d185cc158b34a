"""The stage itself: from interactions to profiles and lists in Redis, with one read and one write of the store.

Safe to replay. A profile carries the mark of what is in it, so nothing is folded twice; profile and list of a user change
together; and a replayed event finds itself in the ring and is learned from as at its first attempt, so that an interruption
between this write and the driver's patch loses no gradient.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.features.fold import Fold, Interactions, fold
from pipelines.features.profile import Flags, Ints, Profiles, decode, encode, entry_keys
from pipelines.hot_path.worker import StageSettings, Worker, worker_for
from pipelines.lists.document import PublishedList
from pipelines.lists.refresh import is_due
from pipelines.lists.selection import top_n
from pipelines.models.ranker import Histories, NewItems, Ranker
from pipelines.stores.users import UserState

MAX_LAG_SAMPLES = 1_000
MAX_SCORES = 2_000_000  # in one block of users: 8 MB of float32


@dataclass(frozen=True)
class Arrivals:
    """The rows of one partition in a micro-batch, in arrival order."""

    users: list[str]  # distinct
    batch: Interactions
    item_id: pa.Array  # (n,)
    ingest_ms: Ints  # (n,)
    partition: int


class Stopwatch:
    """Microseconds of each step, in the order they end."""

    def __init__(self) -> None:
        self.laps: dict[str, int] = {}
        self._last = time.perf_counter_ns()

    def lap(self, name: str) -> None:
        now = time.perf_counter_ns()
        self.laps[f"{name}_us"] = (now - self._last) // 1_000
        self._last = now


def personalize(
    settings: StageSettings, batch_id: int, batches: Iterator[pa.RecordBatch]
) -> Iterator[dict[str, object]]:
    """Run the stage over all rows of a task; yields one report (schemas.HOT_PATH_REPORT) for each Kafka partition in it."""
    gathered = list(batches)
    if not gathered:
        return
    rows = pa.Table.from_batches(gathered).combine_chunks()
    partitions = rows["partition"].to_numpy()
    distinct = np.unique(partitions).tolist()
    for partition in distinct:
        own = rows if len(distinct) == 1 else rows.filter(pa.array(partitions == partition))
        arrivals = read_arrivals(own, settings.topic_tag, partition)
        yield personalize_partition(settings, worker_for(settings), batch_id, arrivals)


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


def personalize_partition(
    settings: StageSettings, worker: Worker, batch_id: int, arrivals: Arrivals
) -> dict[str, object]:
    """One read, fold, learn, score, one write. Returns the report."""
    watch = Stopwatch()
    model = worker.current_model()
    before = decode(worker.users.read_profiles(arrivals.users))
    watch.lap("read")

    folded = fold(before, arrivals.batch, settings.profile.ring_size)
    watch.lap("fold")

    new_items = _new_items(model, folded, arrivals)
    gradient = model.gradient(folded.timeline, new_items, seed=(batch_id << 16) + arrivals.partition)
    watch.lap("learn")

    due = folded.changed & is_due(
        before.n_interactions, folded.profiles.n_interactions, settings.lists.refresh_after_interactions
    )
    ranker = model.with_items(new_items, folded.timeline) if due.any() else model
    lists = dict(
        _lists(ranker, worker.model_version, folded.profiles, np.flatnonzero(due), settings, arrivals.partition)
    )
    watch.lap("score")

    n_refused = worker.users.write(_states(arrivals.users, folded, lists))
    watch.lap("write")
    return {
        **_counts(arrivals, folded),
        "n_lists": len(lists),
        "n_refused": n_refused,
        **watch.laps,
        "lag_ms": _lags(arrivals, due),
        "gradient": gradient,
    }


def _counts(arrivals: Arrivals, folded: Fold) -> dict[str, object]:
    return {
        "partition": arrivals.partition,
        "n_interactions": len(arrivals.ingest_ms),
        "n_new": folded.n_new,
        "n_repeated": folded.n_repeated,
        "n_replayed": folded.n_replayed,
        "n_forgotten": folded.n_forgotten,
        "n_users": len(arrivals.users),
    }


def _new_items(model: Ranker, folded: Fold, arrivals: Arrivals) -> NewItems:
    """The items of this partition that the model has no column for, with their names."""
    unknown = model.unknown(folded.timeline.item[folded.timeline.learn])
    distinct, first = np.unique(arrivals.batch.item, return_index=True)
    here = np.isin(unknown, distinct)
    at = first[np.searchsorted(distinct, unknown[here])]
    return NewItems(unknown[here], np.array(arrivals.item_id.take(pa.array(at)).to_pylist(), dtype=object))


def _lists(
    ranker: Ranker, version: str, profiles: Profiles, due: Ints, settings: StageSettings, partition: int
) -> Iterator[tuple[int, bytes]]:
    """(index of the user, document) of each due user; nothing while there is no item to rank."""
    block_users = max(1, MAX_SCORES // max(ranker.n_items, 1))
    for start in range(0, len(due) if ranker.n_items else 0, block_users):
        users = due[start : start + block_users]
        scores = ranker.score(_histories(profiles, users))
        columns = top_n(scores, settings.lists.n)
        best = np.take_along_axis(scores, columns, axis=1).tolist()
        names = ranker.item_ids[columns].tolist()
        offsets = (profiles.marks[users, 0, 1].astype(np.int64) - 1).tolist()
        now_ms = time.time_ns() // 1_000_000
        for user, items, item_scores, offset in zip(users.tolist(), names, best, offsets, strict=True):
            list_id = f"{settings.topic_tag:x}-{partition}-{offset}"  # the event that made the list due, or a later one
            yield user, PublishedList(items, item_scores, now_ms, version, "personal", list_id).to_json()


def _histories(profiles: Profiles, users: Ints) -> Histories:
    row = np.full(len(profiles.length), -1, np.int64)
    row[users] = np.arange(len(users))
    owner = row[profiles.owner]
    own = owner >= 0
    return Histories(len(users), owner[own], profiles.key[own], profiles.item[own])


def _states(users: list[str], folded: Fold, lists: dict[int, bytes]) -> list[UserState]:
    changed = np.flatnonzero(folded.changed)
    written = encode(folded.profiles, changed)
    return [UserState(users[i], profile, lists.get(i)) for i, profile in zip(changed.tolist(), written, strict=True)]


def _lags(arrivals: Arrivals, due: Flags) -> NDArray[np.int64]:
    """Milliseconds from Kafka's timestamp to now, of an even sample of the interactions behind the lists."""
    behind = arrivals.ingest_ms[due[arrivals.batch.user]]
    step = max(1, len(behind) // MAX_LAG_SAMPLES)
    return np.asarray(time.time_ns() // 1_000_000 - behind[::step], np.int64)
