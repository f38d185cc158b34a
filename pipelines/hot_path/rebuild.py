"""Rebuilds profiles in the live Redis, slice by slice of the users: fold all that is filed, join what is live, replace.

Safe to replay, at any point and beside the hot path: a profile is replaced only if it is still the one that was read, and
one that says the same already is left alone. A reader meets the old profile or the new one, never none. A user who had no
profile has lost the list too: it is made, by the model in use, of whatever there is.

Profiles of visitors who logged in, and of their users, are left as they are: what a user got at a login is filed under
the visitor's id. A visitor who logged in and has no profile any more gets none: another login would give it away a second time.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import ConflictError
from pipelines.features.profile import Flags, Ints, Profiles, encode, entry_keys
from pipelines.features.rebuilding import (
    FiledInteractions,
    decode_readable,
    has_link,
    is_of_a_login,
    is_same,
    rebuilt,
)
from pipelines.hot_path.ranked import ranked_lists
from pipelines.hot_path.worker import StageSettings, Worker
from pipelines.stores.users import UserState

MAX_ROUNDS = 10  # the hot path may win a user's race again and again, while the user is active
READ_USERS = 2_000  # in one round trip


@dataclass
class RebuildReport:
    """What became of the users of a slice."""

    n_interactions: int = 0
    n_users: int = 0
    n_replaced: int = 0
    n_same: int = 0
    n_of_logins: int = 0

    def __add__(self, other: "RebuildReport") -> "RebuildReport":
        mine, theirs = self.figures(), other.figures()
        return RebuildReport(**{name: mine[name] + theirs[name] for name in mine})

    def figures(self) -> dict[str, int]:
        """Return the counts by name."""
        return asdict(self)


@dataclass(frozen=True)
class _Filed:
    """What `events` has of some users."""

    users: list[str]
    logged_in: frozenset[str]  # visitors who turned out to be users
    interactions: FiledInteractions = field(repr=False)

    def only(self, users: set[str]) -> "_Filed":
        kept = np.array([user in users for user in self.users], np.bool_)
        rows, index = self.interactions.only(kept[self.interactions.user]), np.cumsum(kept) - 1
        names = [user for user in self.users if user in users]
        return _Filed(names, self.logged_in, replace(rows, user=index[rows.user]))


def rebuild_slice(settings: StageSettings, worker: Worker, rows: pa.Table) -> RebuildReport:
    """Rebuild the users in `rows`: all that `events` has of them, as features/filed.py shapes it.

    Raises ConflictError when a profile changes faster than it can be replaced.
    """
    filed = _read_filed(rows)
    report = RebuildReport(n_interactions=len(filed.interactions.user), n_users=len(filed.users))
    for first in range(0, len(filed.users), READ_USERS):
        names = set(filed.users[first : first + READ_USERS])
        _rebuild_users(settings, worker, filed.only(names) if len(names) < len(filed.users) else filed, report)
    return report


def rebuild_other_versions(settings: StageSettings, worker: Worker) -> RebuildReport:
    """Rebuild the profiles that still have another features version: of users that `events` does not know any more.

    What their own ring and tail know is all there is; one that cannot be read either is dropped. Reads every profile, on
    the caller.
    """
    nothing, report = np.empty(0, np.uint64), RebuildReport()
    for users in worker.users.scan_users(READ_USERS):
        live = decode_readable(worker.users.read_profiles(users))
        is_of_use = live.is_known | has_link(live)
        others = np.flatnonzero(~is_of_use | (live.is_known & (live.features_version != settings.online.version)))
        if len(others):
            none = np.empty(0, np.int64)
            filed = FiledInteractions(none, nothing, nothing, nothing, none, none.astype(np.bool_))
            of_chunk = RebuildReport(n_users=len(others))
            _rebuild_users(settings, worker, _Filed([users[i] for i in others.tolist()], frozenset(), filed), of_chunk)
            worker.users.delete([users[i] for i in np.flatnonzero(~is_of_use).tolist()])
            report += of_chunk
    return report


def _rebuild_users(settings: StageSettings, worker: Worker, filed: _Filed, report: RebuildReport) -> None:
    for _ in range(MAX_ROUNDS):
        stored = worker.users.read_profiles(filed.users)
        live = decode_readable(stored)
        made = rebuilt(filed.interactions, live, settings.profile, settings.online)
        of_logins = is_of_a_login(live, settings.online) | _is_given_away(filed, made, live)
        changed = np.flatnonzero(~is_same(made, live) & made.is_known & ~of_logins)
        states = _states(settings, worker, filed.users, made, live, changed)
        refused = worker.users.replace(states, [stored[i] for i in changed.tolist()])
        report.n_replaced += len(changed) - len(refused)
        report.n_of_logins += int(of_logins.sum())
        report.n_same += len(filed.users) - len(changed) - int(of_logins.sum())
        if not refused:
            return
        filed = filed.only(set(refused))
    raise ConflictError(
        f"the profiles of {len(refused)} users ('{refused[0]}' …) changed {MAX_ROUNDS} times while they were rebuilt: "
        "run it again when they are less active; what is done stays done"
    )


def _is_given_away(filed: _Filed, made: Profiles, live: Profiles) -> Flags:
    """(U,) visitors without a profile whom a login told to be users: the users may have what they did."""
    logged_in = np.array([user in filed.logged_in for user in filed.users], np.bool_)
    return logged_in & ~live.is_known & ~made.is_named


def _states(
    settings: StageSettings, worker: Worker, users: list[str], made: Profiles, live: Profiles, changed: Ints
) -> list[UserState]:
    due = ~live.is_known & made.is_known
    unknown = np.zeros((len(users), len(settings.model.context_fields)), np.uint64)
    model = worker.current_model()
    lists = dict(ranked_lists(settings, worker.model_version, model, made, due, unknown, shop=worker.shop))
    written = encode(made, changed)
    return [
        UserState(users[i], profile, lists.get(i), "rebuild")
        for i, profile in zip(changed.tolist(), written, strict=True)
    ]


def _read_filed(rows: pa.Table) -> _Filed:
    logged_in = frozenset(rows.filter(rows["is_login"])["user"].to_pylist())
    rows = rows.filter(pc.invert(rows["is_login"]))
    user = rows["user"].combine_chunks().dictionary_encode()
    column = {name: rows[name].to_numpy() for name in ("item_hash", "event_hash", "code", "time_s", "source", "offset")}
    return _Filed(
        user.dictionary.to_pylist(),
        logged_in,
        FiledInteractions(
            user=user.indices.to_numpy().astype(np.int64),
            key=entry_keys(column["time_s"], column["event_hash"].view(np.uint64), column["code"]),
            item=column["item_hash"].view(np.uint64),
            source=column["source"].view(np.uint64),
            offset=column["offset"],
            is_named=rows["is_named"].to_numpy(),
        ),
    )


def whole_slices(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, pa.Table]]:
    """Cut a partition that is sorted by `slice` into its slices; one is held at a time, and the batch that begins the next."""
    gathered: list[pa.RecordBatch] = []
    current: int | None = None
    for batch in batches:
        numbers = batch["slice"].to_numpy()
        starts = np.flatnonzero(np.diff(numbers, prepend=-1))
        for begin, end in zip(starts, [*starts[1:], len(numbers)], strict=True):
            number = int(numbers[begin])
            if current is not None and number != current:
                yield current, pa.Table.from_batches(gathered).combine_chunks()
                gathered = []
            current = number
            gathered.append(batch.slice(begin, end - begin))
    if current is not None:
        yield current, pa.Table.from_batches(gathered).combine_chunks()
