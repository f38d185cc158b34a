"""Logins on the hot path: a visitor's profile is joined into the user's, once, and what the visitor does later goes there too.

Two tasks may have to do with the same two profiles at once: that of the user's partition and that of the visitor's. So
both are written in one step on the server, only if both are still what was read; else all is read again. A join is another
*generation* of both, which refuses whoever read them before. Safe to replay, in any order: a visitor who is linked has
nothing to give that was not given, and an event of the visitor is handed over in the step that puts it into its profile.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipelines.errors import ConflictError
from pipelines.features.fold import Fold, Interactions
from pipelines.features.joining import handed_over, joined, linked
from pipelines.features.profile import Link, Profiles
from pipelines.features.profile_bytes import decode, encode
from pipelines.hot_path.arrivals import Arrivals, Login
from pipelines.hot_path.ranked import ranked_lists
from pipelines.hot_path.worker import StageSettings, Worker
from pipelines.models.ranker import Ranker
from pipelines.stores.users import UserState

MAX_ROUNDS = 50  # a rebuild replaces a profile once, each other task hands over to a user once: only a bound
_ONE = np.zeros(1, np.int64)


def join_visitors(
    settings: StageSettings, worker: Worker, model: Ranker, logins: Sequence[Login], partition: int
) -> int:
    """Link each visitor to its user and join the profiles, with a list of the user; how many were not linked so before.

    Nothing is done where the link is there, or a later one; where visitor and user are the same id; and where the visitor is
    known as a user: no login gives away a user's profile. Raises ConflictError when the profiles never stand still.
    """
    profiles = decode(worker.users.read_profiles([login.visitor for login in logins]))
    open_ones = [login for i, login in enumerate(logins) if _is_open(login, profiles, i)]
    return sum(_join(settings, worker, model, login, partition) for login in sorted(open_ones, key=lambda one: one.key))


def _is_open(login: Login, visitors: Profiles, at: int) -> bool:
    if login.visitor == login.user or visitors.is_named[at]:
        return False
    link = visitors.links.get(at)
    return link is None or (link.user != login.user and link.key < login.key)


def _join(settings: StageSettings, worker: Worker, model: Ranker, login: Login, partition: int) -> bool:
    for _ in range(MAX_ROUNDS):
        stored = worker.users.read_profiles([login.visitor, login.user])
        visitor, user = decode(stored[:1]), decode(stored[1:])
        if not _is_open(login, visitor, 0):
            return False
        (now,) = encode(linked(visitor, {0: Link(login.user, login.key)}), _ONE)
        states = [UserState(login.visitor, now, None)]
        if visitor.is_known[0] and not visitor.links:  # else there is nothing, or another user has got it
            merged = joined(user, visitor, settings.profile, settings.online, settings.pace)
            published = _list_of(settings, worker, model, merged, f"{partition}-{login.offset}")
            states.append(UserState(login.user, encode(merged, _ONE)[0], published, "login"))
        if worker.users.replace_together(states, stored[: len(states)]):
            worker.due.settle([state.user for state in states if state.published])
            return True
    raise ConflictError(
        f"the profiles of '{login.visitor}' and '{login.user}', who logged in, were replaced {MAX_ROUNDS} times while they "
        "were joined: see that one rebuild_profiles runs at a time, then start again"
    )


def hand_over(
    settings: StageSettings,
    worker: Worker,
    ranker: Ranker,
    arrivals: Arrivals,
    stored: Sequence[bytes | None],
    folded: Fold,
    lists: dict[int, bytes],
    visitors: Sequence[int],
) -> list[str]:
    """Write the profiles of linked `visitors` (indices) together with those of their users, who get what is new in them.

    `stored`: what the profiles were read as, of all. Returns the visitors of whom nothing was written, because their profile or
    the user's was replaced meanwhile: fold them again.
    """
    by_user: dict[str, list[int]] = {}
    for visitor in visitors:
        by_user.setdefault(folded.profiles.links[visitor].user, []).append(visitor)
    refused = []
    for user, own in by_user.items():
        values = encode(folded.profiles, np.array(own))
        states = [UserState(arrivals.users[i], value, lists.get(i)) for i, value in zip(own, values, strict=True)]
        (read,) = worker.users.read_profiles([user])
        state = _after_handing_over(settings, worker, ranker, UserState(user, read or b"", None), arrivals, folded, own)
        if not worker.users.replace_together([*states, state], [*(stored[i] for i in own), read]):
            refused += [arrivals.users[i] for i in own]
    return refused


def _after_handing_over(
    settings: StageSettings,
    worker: Worker,
    ranker: Ranker,
    user: UserState,
    arrivals: Arrivals,
    folded: Fold,
    visitors: Sequence[int],
) -> UserState:
    """The user with what is new in the profiles of `visitors`, and with a list where that makes it due."""
    before, batch = decode([user.profile or None]), arrivals.batch
    added = np.sort(folded.added[np.isin(batch.user[folded.added], visitors)])
    new = Interactions(np.zeros_like(added), batch.key[added], batch.item[added], batch.offset[added], batch.source)
    now, due = handed_over(before, new, settings.profile, settings.online, settings.pace)
    name = f"{arrivals.partition}-{batch.offset[added[-1]]}"
    published = _list_of(settings, worker, ranker, now, name) if due[0] else None
    return replace(user, profile=encode(now, _ONE)[0], published=published)


def _list_of(settings: StageSettings, worker: Worker, ranker: Ranker, user: Profiles, event: str) -> bytes | None:
    """A list of the one in `user`, named after the event of another partition that made it due; None: nothing to rank."""
    due, context = np.ones(1, np.bool_), np.zeros((1, len(settings.model.context_fields)), np.uint64)
    list_ids = [f"{settings.topic_tag:x}-{event}-login"]
    lists = dict(ranked_lists(settings, worker.model_version, ranker, user, due, context, list_ids, worker.shop))
    return lists.get(0)
