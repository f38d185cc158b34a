"""What a user bought, of purchases that have left the ring: the newest of each item.

A function of the set of purchases alone: the greatest key of each item, and of these the greatest `limit`. So order,
repetition and batching of the events do not matter.
"""

import numpy as np

from pipelines.features.profile import Flags, Ints, Profiles, Words, key_code
from pipelines.schemas import INTERACTION_CODES

PURCHASE = INTERACTION_CODES["purchase"]


def with_bought(profiles: Profiles, user: Ints, key: Words, item: Words, limit: int) -> tuple[Ints, Words, Words]:
    """(U,) how many, (B,) keys and (B,) items of the purchases that U users keep, oldest first.

    To what they keep come the purchases among n interactions of `user` (n,), which are not in the ring (any more).
    """
    is_purchase = (key_code(key) == PURCHASE) & (item != 0)  # 0: the tail does not know the item any more
    if not is_purchase.any():
        return profiles.bought_length, profiles.bought_key, profiles.bought_item
    user = np.concatenate([profiles.bought_owner, user[is_purchase]])
    key = np.concatenate([profiles.bought_key, key[is_purchase]])
    item = np.concatenate([profiles.bought_item, item[is_purchase]])
    return _newest_of_each(user, key, item, len(profiles.length), limit)


def bought_by_either(these: Profiles, those: Profiles, limit: int) -> tuple[Ints, Words, Words]:
    """What both profiles of each of U users keep together: as `with_bought`."""
    user = np.concatenate([these.bought_owner, those.bought_owner])
    key = np.concatenate([these.bought_key, those.bought_key])
    item = np.concatenate([these.bought_item, those.bought_item])
    return _newest_of_each(user, key, item, len(these.length), limit)


def _newest_of_each(user: Ints, key: Words, item: Words, n_users: int, limit: int) -> tuple[Ints, Words, Words]:
    """The greatest key of each (user, item), the `limit` greatest of each user, by user and key: as `with_bought`."""
    order = np.lexsort((key, item, user))
    user, key, item = user[order], key[order], item[order]
    is_newest = np.ones(len(user), np.bool_)
    is_newest[:-1] = (user[1:] != user[:-1]) | (item[1:] != item[:-1])
    user, key, item = user[is_newest], key[is_newest], item[is_newest]
    order = np.lexsort((key, user))
    user, key, item = user[order], key[order], item[order]
    n_newer = np.cumsum(np.bincount(user, minlength=n_users))[user] - 1 - np.arange(len(user))
    kept: Flags = n_newer < limit
    return np.bincount(user[kept], minlength=n_users), key[kept], item[kept]
