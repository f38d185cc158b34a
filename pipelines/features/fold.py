"""Fold a micro-batch of interactions into profiles, each exactly once.

Three guards, from cheap to certain: the mark says which offsets of this source are in; the ring knows its own entries, so a
retry under a new offset is a repeat; an event not above the horizon would not enter the ring, seen or not.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.features.profile import Flags, Ints, Profiles, Words


@dataclass(frozen=True)
class Interactions:
    """n interactions in arrival order, all from one source (a partition of a topic)."""

    user: Ints  # (n,) index of the user
    key: Words  # (n,) see profile.entry_keys
    item: Words  # (n,) item hash
    offset: Ints  # (n,) ascending for each user
    source: int  # topic tag · partition, never 0


@dataclass(frozen=True)
class Timeline:
    """Known and new interactions of the users together, by user and time: what a learner reads. M rows."""

    user: Ints
    key: Words
    item: Words
    learn: Flags  # the interactions of this micro-batch, also when it is replayed; those before are their history


@dataclass(frozen=True)
class Fold:
    """What a micro-batch did to the profiles. The four counts add up to its interactions."""

    profiles: Profiles  # as they are now
    changed: Flags  # (U,) users with something new; nobody else needs to be written
    timeline: Timeline
    n_new: int
    n_repeated: int  # same event under another offset, or twice in the batch
    n_replayed: int  # same offset again: the batch was interrupted after these were written
    n_forgotten: int  # older than everything the full ring holds


def fold(profiles: Profiles, batch: Interactions, ring_size: int) -> Fold:
    """Fold `batch` into `profiles` (U users, indexed by `batch.user`).

    The result does not depend on the order of the events, on how they are cut into batches, or on repetitions, but for
    one case: an event that arrives when `ring_size` newer ones are in is forgotten, and not counted in `n_interactions`.
    """
    known = len(profiles.key)
    user = np.concatenate([profiles.owner, batch.user])
    key = np.concatenate([profiles.key, batch.key])
    item = np.concatenate([profiles.item, batch.item])
    order = np.lexsort((key, user))  # stable: of equal entries, the stored one first, then the first to arrive
    user, key, item = user[order], key[order], item[order]
    arrival = order - known  # negative: stored
    arrived = arrival >= 0
    mark = _mark_of(profiles.marks, batch.source)

    repeated = np.zeros(len(key), np.bool_)
    repeated[1:] = (user[1:] == user[:-1]) & (key[1:] == key[:-1])
    replayed = np.zeros(len(key), np.bool_)
    replayed[arrived] = batch.offset[arrival[arrived]] < mark[user[arrived]]
    fits = key > profiles.horizon[user]
    new = arrived & ~repeated & ~replayed & fits

    learn = new | _stored_by_this_batch(profiles, order, repeated, replayed)
    stays = ~arrived | new
    timeline = Timeline(user[stays], key[stays], item[stays], learn[stays])
    offset_of_new = batch.offset[arrival[new]]
    return Fold(
        profiles=_rewritten(profiles, timeline, new[stays], user[new], offset_of_new, batch.source, ring_size),
        changed=np.bincount(user[new], minlength=len(profiles.length)) > 0,
        timeline=timeline,
        n_new=int(new.sum()),
        n_repeated=int((arrived & repeated & ~replayed).sum()),
        n_replayed=int(replayed.sum()),
        n_forgotten=int((arrived & ~repeated & ~replayed & ~fits).sum()),
    )


def _mark_of(marks: Words, source: int) -> Ints:
    """(U,) one past the last offset folded from `source`; 0 where nothing was."""
    ours = marks[:, :, 0] == np.uint64(source)
    reached: Ints = np.where(ours, marks[:, :, 1], np.uint64(0)).max(axis=1).astype(np.int64)
    return reached


def _stored_by_this_batch(profiles: Profiles, order: Ints, repeated: Flags, replayed: Flags) -> Flags:
    """Stored entries that a replayed record put there at its first attempt: fresh, and met again under a folded offset."""
    if not replayed.any():
        return replayed
    run = np.cumsum(~repeated) - 1
    met_again = np.zeros(run[-1] + 1, np.bool_)
    met_again[run[replayed]] = True
    stored = order < len(profiles.key)
    fresh = np.zeros(len(order), np.bool_)
    fresh[stored] = profiles.fresh[order[stored]]
    stored_by_it: Flags = fresh & met_again[run]
    return stored_by_it


def _rewritten(
    profiles: Profiles,
    timeline: Timeline,
    new: Flags,
    user_of_new: Ints,
    offset_of_new: Ints,
    source: int,
    ring_size: int,
) -> Profiles:
    users = len(profiles.length)
    total = np.bincount(timeline.user, minlength=users)
    newer = np.cumsum(total)[timeline.user] - 1 - np.arange(len(timeline.user))  # entries of the user after this one
    kept = newer < ring_size
    horizon = profiles.horizon.copy()
    np.maximum.at(horizon, timeline.user[~kept], timeline.key[~kept])
    return Profiles(
        n_interactions=profiles.n_interactions + np.bincount(user_of_new, minlength=users),
        horizon=horizon,
        marks=_moved_marks(profiles.marks, source, user_of_new, offset_of_new),
        length=np.minimum(total, ring_size),
        key=timeline.key[kept],
        item=timeline.item[kept],
        fresh=new[kept],
    )


def _moved_marks(marks: Words, source: int, user_of_new: Ints, offset_of_new: Ints) -> Words:
    """Marks after the new events; a user who came from another partition keeps that one's mark as the second."""
    reached = np.zeros(len(marks), np.int64)
    np.maximum.at(reached, user_of_new, offset_of_new + 1)
    touched = reached > 0
    moved = marks.copy()
    came_from_elsewhere = touched & (marks[:, 0, 0] != np.uint64(source)) & (marks[:, 0, 1] != 0)
    moved[came_from_elsewhere, 1] = marks[came_from_elsewhere, 0]
    moved[touched, 0, 0] = np.uint64(source)
    moved[touched, 0, 1] = np.maximum(reached, _mark_of(marks, source))[touched].astype(np.uint64)
    return moved
