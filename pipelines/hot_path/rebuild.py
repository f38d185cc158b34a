"""Rebuilds profiles in the live Redis, slice by slice of the users: fold all that is filed, join what is live, replace.

Safe to replay, at any point and beside the hot path: a profile is replaced only if it is still the one that was read, and
one that says the same already is left alone. A reader meets the old profile or the new one, never none. A user who had no
profile has lost the list too: it is made, by the model in use, of whatever there is.

A user gets what visitors gave as well (features/gathering.py). A visitor whose profile was lost gets its link again, in one
step with its user's profile: or another login would give it away a second time, and what it does meanwhile would be lost.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.errors import ConflictError
from pipelines.features.fold import Interactions
from pipelines.features.joining import identify_key, linked
from pipelines.features.profile import Flags, Ints, Link, Profiles, entry_keys
from pipelines.features.profile_bytes import encode
from pipelines.features.rebuilding import (
    FiledInteractions,
    decode_readable,
    has_link,
    is_same,
    knows_more,
    rebuilt,
    seen_of_visitors,
)
from pipelines.hot_path.ranked import ranked_lists
from pipelines.hot_path.worker import StageSettings, Worker
from pipelines.stores.users import UserState

MAX_ROUNDS = 10  # the hot path may win a user's race again and again, while the user is active
READ_USERS = 2_000  # in one round trip
NEVER_S = 2**40  # later than any interaction


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
class _Tie:
    """A visitor who turned out to be a user, by the login that holds."""

    user: str
    visitor: str
    link: Link
    since_s: int  # from this second on, all that the visitor did is the user's


@dataclass(frozen=True)
class _Filed:
    """What `events` has of some users."""

    users: list[str]
    links: dict[str, Link]  # of those who are visitors that logged in
    ties: list[_Tie]  # of those who are users
    interactions: FiledInteractions = field(repr=False)

    def only(self, users: set[str]) -> "_Filed":
        kept = np.array([user in users for user in self.users], np.bool_)
        rows, index = self.interactions.only(kept[self.interactions.user]), np.cumsum(kept) - 1
        names = [user for user in self.users if user in users]
        ties = [tie for tie in self.ties if tie.user in users]
        return _Filed(names, self.links, ties, replace(rows, user=index[rows.user]))


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
    report = RebuildReport()
    for users in worker.users.scan_users(READ_USERS):
        live = decode_readable(worker.users.read_profiles(users))
        is_of_use = live.is_known | has_link(live)
        others = np.flatnonzero(~is_of_use | (live.is_known & (live.features_version != settings.online.version)))
        if len(others):
            filed = _Filed([users[i] for i in others.tolist()], {}, [], FiledInteractions.none())
            of_chunk = RebuildReport(n_users=len(others))
            _rebuild_users(settings, worker, filed, of_chunk)
            worker.users.delete([users[i] for i in np.flatnonzero(~is_of_use).tolist()])
            report += of_chunk
    return report


def _rebuild_users(settings: StageSettings, worker: Worker, filed: _Filed, report: RebuildReport) -> None:
    for _ in range(MAX_ROUNDS):
        ties, n_users = filed.ties, len(filed.users)
        stored = worker.users.read_profiles([*filed.users, *(tie.visitor for tie in ties)])
        live, visitors = decode_readable(stored[:n_users]), decode_readable(stored[n_users:])
        given = _given_live(filed.users, ties, visitors)
        made = rebuilt(filed.interactions, _with_links(filed, live), settings.profile, settings.online, given)
        left_alone = knows_more(live, made)
        changed = np.flatnonzero(~is_same(made, live) & made.is_known & ~left_alone)
        states = _states(settings, worker, filed.users, made, live, changed)
        expected = {filed.users[i]: stored[i] for i in changed.tolist()}
        untied = _untied(filed, visitors, left_alone)
        with_visitors = {ties[at].user for at in untied}
        alone = [state for state in states if state.user not in with_visitors]
        refused = worker.users.replace(alone, [expected[state.user] for state in alone])
        for user in sorted(with_visitors):
            own = [at for at in untied if ties[at].user == user]
            together = [*_tied(ties, visitors, own), *(state for state in states if state.user == user)]
            before = [*(stored[n_users + at] for at in own), *([expected[user]] if user in expected else [])]
            if not worker.users.replace_together(together, before):
                refused.append(user)
        again = set(refused)
        report.n_replaced += sum(state.user not in again for state in states)
        report.n_of_logins += int(left_alone.sum())
        report.n_same += n_users - len(changed) - int(left_alone.sum()) - len(again - set(expected))
        if not refused:
            return
        filed = filed.only(again)
    raise ConflictError(
        f"the profiles of {len(refused)} users ('{refused[0]}' …) changed {MAX_ROUNDS} times while they were rebuilt: "
        "run it again when they are less active; what is done stays done"
    )


def _given_live(users: list[str], ties: list[_Tie], visitors: Profiles) -> Interactions | None:
    """What the live profiles of visitors know of their users' interactions."""
    if not ties:
        return None
    is_of_it = [
        not visitors.is_named[at] and visitors.links.get(at, tie.link).user == tie.user for at, tie in enumerate(ties)
    ]
    place = {user: at for at, user in enumerate(users)}
    since_s = [tie.since_s if is_its else NEVER_S for tie, is_its in zip(ties, is_of_it, strict=True)]
    return seen_of_visitors(visitors, np.array([place[tie.user] for tie in ties]), np.array(since_s))


def _with_links(filed: _Filed, live: Profiles) -> Profiles:
    """The live profiles, with the links of visitors whose own is lost."""
    lost = np.flatnonzero(~live.is_known)
    links = {at: filed.links[user] for at in lost.tolist() if (user := filed.users[at]) in filed.links}
    return replace(live, links={**links, **live.links})


def _untied(filed: _Filed, visitors: Profiles, left_alone: Flags) -> list[int]:
    """Ties whose visitor has no link, and is nobody's by name, of users who are not left alone."""
    alone = {filed.users[at] for at in np.flatnonzero(left_alone).tolist()}
    return [
        at
        for at, tie in enumerate(filed.ties)
        if at not in visitors.links and not visitors.is_named[at] and tie.user not in alone
    ]


def _tied(ties: list[_Tie], visitors: Profiles, which: list[int]) -> list[UserState]:
    """The visitors of these ties with their links."""
    values = encode(linked(visitors, {at: ties[at].link for at in which}), np.array(which))
    return [UserState(ties[at].visitor, value, None) for at, value in zip(which, values, strict=True)]


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
    logins, rows = rows.filter(rows["is_login"]), rows.filter(pc.invert(rows["is_login"]))
    links, ties = _read_links(logins)
    user = rows["user"].combine_chunks().dictionary_encode()
    names = user.dictionary.to_pylist()
    known = set(names)
    column = {name: rows[name].to_numpy() for name in ("item_hash", "event_hash", "code", "time_s", "source", "offset")}
    return _Filed(
        [*names, *dict.fromkeys(tie.user for tie in ties if tie.user not in known)],
        links,
        ties,
        FiledInteractions(
            user=user.indices.to_numpy().astype(np.int64),
            key=entry_keys(column["time_s"], column["event_hash"].view(np.uint64), column["code"]),
            item=column["item_hash"].view(np.uint64),
            source=column["source"].view(np.uint64),
            offset=column["offset"],
            is_named=rows["is_named"].to_numpy(),
            is_gift=pc.is_valid(rows["giver"]).to_numpy(),
        ),
    )


def _read_links(rows: pa.Table) -> tuple[dict[str, Link], list[_Tie]]:
    links: dict[str, Link] = {}
    ties: list[_Tie] = []
    columns = (rows[name].to_pylist() for name in ("user", "giver", "becomes", "time_s", "event_hash", "since_s"))
    for user, giver, becomes, time_s, event_hash, since_s in zip(*columns, strict=True):
        link = Link(becomes, identify_key(time_s, event_hash))
        if giver is None:
            links[user] = link
        else:
            ties.append(_Tie(user, giver, link, since_s))
    return links, ties


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
