"""A visitor logs in: what the profile of an anonymous id gives to the profile of the user it belongs to.

At the login the visitor's profile is joined as a whole; it keeps its own copy, with a *link*. What is new in it later is handed
over event by event. So a linked profile has nothing that its user's has not got, which makes both steps exactly once:
there is nothing left to give. Sums are added; what both profiles know is counted once; of ring, tail and horizon the
outcome is, key by key, that of one profile that had got all the events (docs/adr/0013).
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pipelines.features.bought import bought_by_either, with_bought
from pipelines.features.fold import Interactions, check_version, fold, known_sums, places
from pipelines.features.online import OnlineSums
from pipelines.features.profile import Flags, Floats, Ints, Link, Profiles, Words, key_code, key_time_s
from pipelines.lists.refresh import Pace
from pipelines.sections import ProfileConfig

_NO_SOURCE = 0  # an event of another id's partition says nothing about how far the user's own was read


def identify_key(time_s: int, event_hash: int) -> int:
    """Orders the `identify` events of a visitor: by event second, ties by hash."""
    return (time_s << 32) | (event_hash & 0xFFFFFFFF)


def joined(
    users: Profiles, visitors: Profiles, config: ProfileConfig, online: OnlineSums, pace: Pace | None = None
) -> Profiles:
    """Join each of U visitors into the user of the same index; neither may be the other.

    Marks stay the user's: a visitor's events lie in another partition, or are other events of the same one, and the visitor
    keeps its own. Nothing that comes from the visitor is fresh: it was learned from where it was folded.

    Raises FeaturesVersionError when a profile has sums of another version than `online`.
    """
    for profiles in (users, visitors):
        check_version(profiles, online)
    user, key, item, has_item = _known_to_either(users, visitors)
    again = np.zeros(len(key), np.bool_)
    again[1:] = (user[1:] == user[:-1]) & (key[1:] == key[:-1])
    once = ~again
    as_of_s = np.maximum(users.as_of_s, visitors.as_of_s)
    counted = replace(
        _replaced_by_a_login(users),
        n_interactions=users.n_interactions
        + visitors.n_interactions
        - np.bincount(user[again], minlength=len(as_of_s)),
        as_of_s=as_of_s,
        features_version=np.full(len(as_of_s), online.version, np.int64),
        progress=_progress_of_both(users, visitors, user[again], key[again], pace or Pace()),
        sums=_sums_of_both(users, visitors, as_of_s, online) - _sums_of(user[again], key[again], as_of_s, online),
        horizon=np.maximum(users.horizon, visitors.horizon),
    )
    counted = _with_bought(counted, *bought_by_either(users, visitors, config.kept_purchases))
    return _with_entries(counted, user[once], key[once], item[once], has_item[once], config)


def _progress_of_both(users: Profiles, visitors: Profiles, user: Ints, key: Words, pace: Pace) -> Ints:
    """(U,) how near the next list is, what both know (`key` of `user`) counted once."""
    weight_of_both = np.bincount(user, pace.weight_of_code[key_code(key)], len(users.length))
    return np.asarray((users.progress + visitors.progress - weight_of_both.astype(np.int64)) % pace.every, np.int64)


def _sums_of_both(users: Profiles, visitors: Profiles, as_of_s: Ints, online: OnlineSums) -> Floats:
    """(U, S) as of `as_of_s` (U,), what both know counted twice."""
    told = (online.aged(known_sums(profiles, online), as_of_s - profiles.as_of_s) for profiles in (users, visitors))
    return np.add(*told)


def _with_entries(
    profiles: Profiles, user: Ints, key: Words, item: Words, has_item: Flags, config: ProfileConfig
) -> Profiles:
    """The profiles with these entries, by user and key, in place of theirs; what has no place in ring or tail is dropped.

    Fresh are those that were so in the ring that they replace.
    """
    in_ring, in_tail = places(user, key, has_item, profiles.as_of_s, config)
    dropped, below = ~in_ring & ~in_tail, ~in_ring & has_item
    horizon = profiles.horizon.copy()
    np.maximum.at(horizon, user[dropped], key[dropped])
    n_users = len(profiles.length)
    return replace(
        _with_bought(profiles, *with_bought(profiles, user[below], key[below], item[below], config.kept_purchases)),
        horizon=horizon,
        tail_length=np.bincount(user[in_tail], minlength=n_users),
        tail=key[in_tail],
        length=np.bincount(user[in_ring], minlength=n_users),
        key=key[in_ring],
        item=item[in_ring],
        fresh=_still_fresh(profiles, user[in_ring], key[in_ring]),
    )


def _with_bought(profiles: Profiles, length: Ints, key: Words, item: Words) -> Profiles:
    return replace(profiles, bought_length=length, bought_key=key, bought_item=item)


def handed_over(
    users: Profiles, events: Interactions, config: ProfileConfig, online: OnlineSums, pace: Pace | None = None
) -> tuple[Profiles, Flags]:
    """Fold what is new in the profiles of linked visitors into those of their users, to whom `events.user` points.

    Returns the profiles, and (U,) whose list is due for it.

    Raises FeaturesVersionError when a profile has sums of another version than `online`.
    """
    done = fold(users, replace(events, source=_NO_SOURCE), config, online, pace)
    folded = done.profiles
    now = replace(
        _replaced_by_a_login(users, folded),
        marks=users.marks,
        fresh=_still_fresh(users, folded.owner, folded.key),
    )
    return now, done.due


def linked(visitors: Profiles, links: Mapping[int, Link]) -> Profiles:
    """The visitors' profiles with `links` in place of what they had, one generation on."""
    generation = visitors.generation.copy()
    generation[list(links)] += 1
    return replace(visitors, links={**visitors.links, **links}, generation=generation)


def named(profiles: Profiles, told: Flags) -> Profiles:
    """The profiles after events that say, of those who are `told` (U,), that the id is a user's: no link holds any more."""
    if not (told & ~profiles.is_named).any():
        return profiles
    links = {user: link for user, link in profiles.links.items() if not told[user]}
    return replace(profiles, is_named=profiles.is_named | told, links=links)


def _replaced_by_a_login(users: Profiles, now: Profiles | None = None) -> Profiles:
    everyone = np.ones(len(users.length), np.bool_)
    return replace(now or users, generation=users.generation + 1, is_named=everyone, is_joined=everyone, links={})


def _known_to_either(users: Profiles, visitors: Profiles) -> tuple[Ints, Words, Words, Flags]:
    """(user, key, item, whether the item is known) of all rings and tails, by user and key; of equal keys with item first."""
    both = (users, visitors)
    owner = np.concatenate([*(p.owner for p in both), *(p.tail_owner for p in both)])
    key = np.concatenate([*(p.key for p in both), *(p.tail for p in both)])
    item = np.concatenate([*(p.item for p in both), *(np.zeros_like(p.tail) for p in both)])
    order = np.lexsort((key, owner))  # stable
    has_item = order < len(users.key) + len(visitors.key)
    return owner[order], key[order], item[order], has_item


def _sums_of(user: Ints, key: Words, as_of_s: Ints, online: OnlineSums) -> np.ndarray:
    """(U, S) what the events of these keys are worth as of `as_of_s` (U,)."""
    sums = np.zeros((len(as_of_s), len(online.names)))
    np.add.at(sums, user, online.aged(online.weight_of_code[key_code(key)], as_of_s[user] - key_time_s(key)))
    return sums


def _still_fresh(users: Profiles, user: Ints, key: Words) -> Flags:
    """Of the entries (user, key), those that were in the users' rings and fresh: a replay must find them so."""
    fresh = set(zip(users.owner[users.fresh].tolist(), users.key[users.fresh].tolist(), strict=True))
    return np.array([entry in fresh for entry in zip(user.tolist(), key.tolist(), strict=True)], np.bool_)
