"""The stage itself: from interactions to profiles and lists in Redis, with one read and one write of the store.

Safe to replay. A profile carries the mark of what is in it, so nothing is folded twice; profile and list of a user change
together; and a replayed event finds itself in the ring and is learned from as at its first attempt, so that an interruption
between this write and the driver's patch loses no gradient. A profile that a rebuild or a login replaced in between is not
overwritten: its user's rows are folded again on top of it. A visitor who logged in and the user change together or not at all
(hot_path/logins.py), so that a replay finds nothing left to give.
"""

import time
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.errors import ConflictError
from pipelines.features.fold import Fold, fold
from pipelines.features.joining import named
from pipelines.features.profile import Flags, Profiles
from pipelines.features.profile_bytes import decode, encode
from pipelines.features.shown import Moments, Shown, decode_shown, encode_shown, fold_shown
from pipelines.hot_path.arrivals import Arrivals, of_users, read_arrivals
from pipelines.hot_path.logins import MAX_ROUNDS, hand_over, join_visitors
from pipelines.hot_path.ranked import ranked_lists
from pipelines.hot_path.worker import StageSettings, Worker, worker_for
from pipelines.models.progressive import Evaluated, evaluate
from pipelines.models.ranker import Gradient, Ranker, TrainingBatch
from pipelines.stores.users import Refusals, UserState

MAX_LAG_SAMPLES = 1_000


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
    """Run the stage over all rows of a task; yields one report (task_reports.HOT_PATH_REPORT) for each Kafka partition in it."""
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


def personalize_partition(
    settings: StageSettings, worker: Worker, batch_id: int, arrivals: Arrivals
) -> dict[str, object]:
    """One read, fold, learn, score, one write; then the logins, where there are any. Returns the report."""
    watch = Stopwatch()
    model = worker.current_model()
    stored, shown_values = worker.users.read_with_shown(arrivals.users, _viewers(settings, arrivals))
    before = decode(stored)
    watch.lap("read")

    folded = _folded(settings, before, arrivals)
    shown = _fold_shown(settings, worker, arrivals, shown_values)
    watch.lap("fold")

    to_learn = TrainingBatch(folded.timeline, arrivals.context_at(folded.arrival), arrivals.facts, worker.max_examples)
    seed = (batch_id << 16) + arrivals.partition
    evaluated = evaluate(model, to_learn, settings.model, seed)
    gradient = model.gradient(to_learn, seed)
    watch.lap("learn")

    due = folded.changed & folded.due
    lists = _lists(settings, worker, model, arrivals, folded, due, shown)
    watch.lap("score")

    _note_waiting(settings, worker, arrivals.users, folded.changed & ~due)
    refusals = _write(settings, worker, model, arrivals, stored, folded, lists)
    _write_overtaken(settings, worker, model, arrivals, due, refusals.overtaken)
    n_joined = join_visitors(settings, worker, model, arrivals.logins, arrivals.partition) if arrivals.logins else 0
    watch.lap("write")
    return {
        **_counts(arrivals, folded),
        "n_lists": len(lists),
        "n_refused": refusals.n_behind,
        "n_joined": n_joined,
        **watch.laps,
        "lag_ms": _lags(arrivals, due),
        **_figures(gradient, evaluated),
        "gradient": gradient.data,
    }


def _folded(settings: StageSettings, before: Profiles, arrivals: Arrivals) -> Fold:
    return fold(named(before, arrivals.is_named), arrivals.batch, settings.profile, settings.online, settings.pace)


def _viewers(settings: StageSettings, arrivals: Arrivals) -> Sequence[str]:
    """Of whom it is asked what was shown to them: the users, then who else was shown something."""
    return arrivals.viewers if settings.lists.rules.fatigue_impressions else ()


def _fold_shown(settings: StageSettings, worker: Worker, arrivals: Arrivals, stored: Sequence[bytes | None]) -> Shown:
    """What was shown to the users in `arrivals.viewers`, the impressions of the micro-batch included; written where it is new."""
    if not stored:
        return Shown.none(len(arrivals.users))
    impressions = arrivals.impressions or Moments.none()
    shown, changed = fold_shown(decode_shown(stored), impressions, arrivals.touches, settings.profile.kept_shown)
    at = np.flatnonzero(changed)
    names = [arrivals.viewers[viewer] for viewer in at.tolist()]
    worker.users.write_shown(dict(zip(names, encode_shown(shown, at), strict=True)), settings.shown_ttl_seconds)
    return shown


def _write(
    settings: StageSettings,
    worker: Worker,
    model: Ranker,
    arrivals: Arrivals,
    stored: Sequence[bytes | None],
    folded: Fold,
    lists: dict[int, bytes],
) -> Refusals:
    """Write what changed; of visitors who logged in, together with their users."""
    linked = [visitor for visitor in folded.profiles.links if folded.changed[visitor]]
    refusals = worker.users.write(_states(arrivals.users, folded, lists, linked))
    worker.due.settle([arrivals.users[user] for user in lists])
    if not linked:
        return refusals
    ranker = model.with_items(arrivals.facts, folded.timeline)
    refused = hand_over(settings, worker, ranker, arrivals, stored, folded, lists, linked)
    return Refusals(refusals.n_behind, [*refusals.overtaken, *refused])


def _write_overtaken(
    settings: StageSettings, worker: Worker, model: Ranker, arrivals: Arrivals, due: Flags, overtaken: list[str]
) -> None:
    """Fold and list again, for users whose profile a rebuild or a login replaced meanwhile; what was due before still is.

    Nothing is learned again, and the report keeps the counts of the first fold.
    """
    owed = {arrivals.users[user] for user in np.flatnonzero(due)}
    for _ in range(MAX_ROUNDS):
        if not overtaken:
            return
        arrivals = of_users(arrivals, overtaken)
        stored = worker.users.read_profiles(arrivals.users)
        before = decode(stored)
        folded = _folded(settings, before, arrivals)
        due = (folded.changed & folded.due) | np.array([user in owed for user in arrivals.users])
        lists = _lists(settings, worker, model, arrivals, folded, due)
        overtaken = _write(settings, worker, model, arrivals, stored, folded, lists).overtaken
    if overtaken:
        raise ConflictError(
            f"the profiles of {len(overtaken)} users ('{overtaken[0]}' …) were replaced {MAX_ROUNDS + 1} times while one "
            "micro-batch was written, expected once or twice: see that one rebuild_profiles runs at a time, then start again"
        )


def _lists(
    settings: StageSettings,
    worker: Worker,
    model: Ranker,
    arrivals: Arrivals,
    folded: Fold,
    due: Flags,
    shown: Shown | None = None,
) -> dict[int, bytes]:
    """The lists of the users that are due; items that came just now are ranked with the others.

    shown: without it, no item counts as shown too often.
    """
    if not due.any():
        return {}
    ranker = model.with_items(arrivals.facts, folded.timeline)
    context = arrivals.newest_context(len(due))
    ranked = ranked_lists(
        settings, worker.model_version, ranker, folded.profiles, due, context, shop=worker.shop, shown=shown
    )
    return dict(ranked)


def _figures(gradient: Gradient, evaluated: Evaluated) -> dict[str, object]:
    return {
        "n_examples": gradient.n_examples,
        "loss": gradient.loss,
        "loss_of_popularity": gradient.loss_of_popularity,
        "n_evaluated": evaluated.n,
        "ndcg": evaluated.ndcg,
        "recall": evaluated.recall,
        "ndcg_of_popularity": evaluated.ndcg_of_popularity,
    }


def _counts(arrivals: Arrivals, folded: Fold) -> dict[str, object]:
    return {
        "partition": arrivals.partition,
        "n_interactions": len(arrivals.ingest_ms),
        "n_new": folded.n_new,
        "n_repeated": folded.n_repeated,
        "n_replayed": folded.n_replayed,
        "n_forgotten": folded.n_forgotten,
        "n_impressions": 0 if arrivals.impressions is None else len(arrivals.impressions.user),
        "n_users": len(arrivals.users),
    }


def _note_waiting(settings: StageSettings, worker: Worker, users: list[str], waits: Flags) -> None:
    """Their interactions are in no list yet: in some minutes they are, whatever comes. Before the write: none is missed."""
    at_ms = time.time_ns() // 1_000_000 + round(settings.lists.refresh_after_minutes * 60_000)
    worker.due.put([users[user] for user in np.flatnonzero(waits)], at_ms)


def _states(users: list[str], folded: Fold, lists: dict[int, bytes], but: Collection[int]) -> list[UserState]:
    is_written = folded.changed.copy()
    is_written[list(lists)] = True
    is_written[list(but)] = False
    at = np.flatnonzero(is_written)
    written = encode(folded.profiles, at)
    return [UserState(users[i], profile, lists.get(i)) for i, profile in zip(at.tolist(), written, strict=True)]


def _lags(arrivals: Arrivals, due: Flags) -> NDArray[np.int64]:
    """Milliseconds from Kafka's timestamp to now, of an even sample of the interactions behind the lists."""
    behind = arrivals.ingest_ms[due[arrivals.batch.user]]
    step = max(1, len(behind) // MAX_LAG_SAMPLES)
    return np.asarray(time.time_ns() // 1_000_000 - behind[::step], np.int64)
