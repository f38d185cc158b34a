"""Fold a micro-batch of interactions into profiles, each exactly once.

Three guards, from cheap to certain: the mark says which offsets of this source are in; ring and tail know their own entries,
so a retry under a new offset is a repeat; an event not above the horizon is too old to be told from a repeat.

Ring and tail together are the greatest keys ever seen, down to the horizon. What is dropped from them is always the least,
by number and by age, so the horizon only rises and no order of events changes what is left.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from pipelines.errors import FeaturesVersionError
from pipelines.features.bought import with_bought
from pipelines.features.online import OnlineSums
from pipelines.features.profile import Flags, Floats, Ints, Profiles, Words, key_code, key_time_s
from pipelines.lists.refresh import Pace
from pipelines.sections import ProfileConfig

HOUR_SECONDS = 3600


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
    due: Flags  # (U,) users whose list is to be made again for it
    timeline: Timeline
    arrival: Ints  # (M,) of the timeline's rows: index in the micro-batch, −1 of those that did not come with it
    added: Ints  # (n_new,) index in the micro-batch of what is new
    n_new: int
    n_repeated: int  # same event under another offset, or twice in the batch
    n_replayed: int  # same offset again: the batch was interrupted after these were written
    n_forgotten: int  # at or below the horizon: dropped, and too old to be told from a repeat


@dataclass(frozen=True)
class _Rows:
    """What is stored and what arrived together, by user and key; of equal keys the stored one first, then by arrival."""

    user: Ints
    key: Words
    item: Words
    origin: Ints  # index into ring entries, then tail keys, then arrivals
    n_ring: int
    n_stored: int

    @cached_property
    def arrived(self) -> Flags:
        return self.origin >= self.n_stored

    @cached_property
    def has_item(self) -> Flags:
        """Not of tail keys."""
        return (self.origin < self.n_ring) | self.arrived

    @cached_property
    def repeated(self) -> Flags:
        """The same key as the row before."""
        same = np.zeros(len(self.key), np.bool_)
        same[1:] = (self.user[1:] == self.user[:-1]) & (self.key[1:] == self.key[:-1])
        return same

    @cached_property
    def run(self) -> Ints:
        """Which of the distinct (user, key) a row is."""
        return np.cumsum(~self.repeated) - 1

    @cached_property
    def first_arrival(self) -> Ints:
        """Index into the micro-batch of the first event that has a row's user and key; −1 where none has."""
        first = np.full(len(self.key), -1, np.int64)
        arrived = np.flatnonzero(self.arrived)[::-1]
        first[self.run[arrived]] = self.origin[arrived] - self.n_stored
        return first[self.run]

    def arrival(self, rows: Flags) -> Ints:
        """Index into the micro-batch of those `rows`, which arrived."""
        return self.origin[rows] - self.n_stored


def fold(
    profiles: Profiles, batch: Interactions, config: ProfileConfig, online: OnlineSums, pace: Pace | None = None
) -> Fold:
    """Fold `batch` into `profiles` (U users, indexed by `batch.user`).

    The result does not depend on the order of the events, on how they are cut into batches, or on repetitions, but for
    the rounding of sums and for one case: an event that arrives after ring and tail have dropped a newer one is forgotten,
    and is neither in `n_interactions` nor in the sums.

    Raises FeaturesVersionError when a profile has sums of another version than `online`.
    """
    check_version(profiles, online)
    rows = _sorted_rows(profiles, batch)
    mark = _mark_of(profiles.marks, batch.source)

    replayed = np.zeros(len(rows.key), np.bool_)
    replayed[rows.arrived] = batch.offset[rows.arrival(rows.arrived)] < mark[rows.user[rows.arrived]]
    fits = rows.key > profiles.horizon[rows.user]
    first_seen = rows.arrived & ~rows.repeated & ~replayed
    new = first_seen & fits

    learn = new | _stored_by_this_batch(profiles, rows, replayed)
    told = new | (~rows.arrived & rows.has_item)
    due, progress = (pace or Pace()).after(profiles.progress, rows.user[new], key_code(rows.key[new]))
    return Fold(
        profiles=replace(_rewritten(profiles, rows, new, batch, config, online), progress=progress),
        changed=np.bincount(rows.user[new], minlength=len(profiles.length)) > 0,
        due=due,
        timeline=Timeline(rows.user[told], rows.key[told], rows.item[told], learn[told]),
        arrival=rows.first_arrival[told],
        added=rows.arrival(new),
        n_new=int(new.sum()),
        n_repeated=int((rows.arrived & rows.repeated & ~replayed).sum()),
        n_replayed=int(replayed.sum()),
        n_forgotten=int((first_seen & ~fits).sum()),
    )


def check_version(profiles: Profiles, online: OnlineSums) -> None:
    """Raise FeaturesVersionError when a profile has sums of another version than `online`."""
    other = profiles.is_known & (profiles.features_version != online.version)
    if other.any():
        raise FeaturesVersionError(
            f"{other.sum()} profiles of a micro-batch have sums of features version "
            f"{profiles.features_version[other][0]}, this stream folds version {online.version}: "
            "`liveshelf rebuild_profiles` makes them anew"
        )
    if profiles.is_known.any() and profiles.sums.shape[1] != len(online.names):
        raise FeaturesVersionError(
            f"profiles of features version {online.version} have {profiles.sums.shape[1]} sums, its definitions "
            f"{len(online.names)}: raise `version` in the definitions, then `liveshelf rebuild_profiles`"
        )


def known_sums(profiles: Profiles, online: OnlineSums) -> Floats:
    """(U, S) the sums, also where nobody has any yet."""
    return profiles.sums if profiles.is_known.any() else np.zeros((len(profiles.length), len(online.names)))


def _sorted_rows(profiles: Profiles, batch: Interactions) -> _Rows:
    user = np.concatenate([profiles.owner, profiles.tail_owner, batch.user])
    key = np.concatenate([profiles.key, profiles.tail, batch.key])
    item = np.concatenate([profiles.item, np.zeros_like(profiles.tail), batch.item])
    order = np.lexsort((key, user))  # stable
    n_ring = len(profiles.key)
    return _Rows(user[order], key[order], item[order], order, n_ring, n_ring + len(profiles.tail))


def _mark_of(marks: Words, source: int) -> Ints:
    """(U,) one past the last offset folded from `source`; 0 where nothing was."""
    ours = marks[:, :, 0] == np.uint64(source)
    reached: Ints = np.where(ours, marks[:, :, 1], np.uint64(0)).max(axis=1).astype(np.int64)
    return reached


def _stored_by_this_batch(profiles: Profiles, rows: _Rows, replayed: Flags) -> Flags:
    """Stored entries that a replayed record put there at its first attempt: fresh, and met again under a folded offset."""
    if not replayed.any():
        return replayed
    met_again = np.zeros(rows.run[-1] + 1, np.bool_)
    met_again[rows.run[replayed]] = True
    in_ring = rows.origin < rows.n_ring
    fresh = np.zeros(len(rows.key), np.bool_)
    fresh[in_ring] = profiles.fresh[rows.origin[in_ring]]
    stored_by_it: Flags = fresh & met_again[rows.run]
    return stored_by_it


def _rewritten(
    profiles: Profiles, rows: _Rows, new: Flags, batch: Interactions, config: ProfileConfig, online: OnlineSums
) -> Profiles:
    users = len(profiles.length)
    user_of_new, key_of_new = rows.user[new], rows.key[new]
    before = known_sums(profiles, online)
    sums, as_of_s = online.fold(before, profiles.as_of_s, user_of_new, key_time_s(key_of_new), key_code(key_of_new))

    left = ~rows.arrived | new
    user, key = rows.user[left], rows.key[left]
    in_ring, in_tail = places(user, key, rows.has_item[left], as_of_s, config)
    dropped = ~in_ring & ~in_tail
    below = ~in_ring & rows.has_item[left]
    bought = with_bought(profiles, user[below], key[below], rows.item[left][below], config.kept_purchases)
    horizon = profiles.horizon.copy()
    np.maximum.at(horizon, user[dropped], key[dropped])
    return Profiles(
        n_interactions=profiles.n_interactions + np.bincount(user_of_new, minlength=users),
        horizon=horizon,
        as_of_s=as_of_s,
        features_version=np.full(users, online.version, np.int64),
        generation=profiles.generation,
        is_named=profiles.is_named,
        is_joined=profiles.is_joined,
        progress=profiles.progress,
        links=profiles.links,
        marks=_moved_marks(profiles.marks, batch.source, user_of_new, batch.offset[rows.arrival(new)]),
        sums=sums,
        tail_length=np.bincount(user[in_tail], minlength=users),
        tail=key[in_tail],
        length=np.bincount(user[in_ring], minlength=users),
        key=key[in_ring],
        item=rows.item[left][in_ring],
        fresh=new[left][in_ring],
        bought_length=bought[0],
        bought_key=bought[1],
        bought_item=bought[2],
    )


def places(user: Ints, key: Words, has_item: Flags, as_of_s: Ints, config: ProfileConfig) -> tuple[Flags, Flags]:
    """Which of a user's keys, in ascending order, go into the ring and which into the tail; the others are dropped."""
    total = np.bincount(user, minlength=len(as_of_s))
    newer = np.cumsum(total)[user] - 1 - np.arange(len(user))  # keys of the user after this one
    in_ring = (newer < config.ring_size) & has_item  # `ring_size` may have grown: a tail key has lost its item
    oldest_s = as_of_s[user] - int(config.dedupe_hours * HOUR_SECONDS)
    in_tail = ~in_ring & (newer < config.ring_size + config.dedupe_keys) & (key_time_s(key) >= oldest_s)
    return in_ring, in_tail


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
