"""Pinned items: which of them a user gets, and where."""

import numpy as np

from pipelines.features.profile import Flags, Ints
from pipelines.lists.filters import Doings, is_newest
from pipelines.lists.shop_rules import Pin
from pipelines.lists.sieve import Sieve

NEWEST = 10  # so many interactions say what a user is busy with


def pinned_places(pins: list[Pin], doings: Doings, sieve: Sieve, n: int) -> Ints:
    """(U, n) the item pinned at each place of each user's list, −1 where none is.

    Of two pins for one place the first holds, and the other moves down to the next free one; nothing is pinned twice, nor what
    may not be shown to the user.
    """
    pinned = np.full((doings.n_users, n), -1, np.int64)
    for pin in pins:
        wants = _is_for(pin, doings) & ~(pinned == pin.place).any(axis=1)
        wants &= sieve.passes(np.full((doings.n_users, 1), pin.place))[:, 0]
        is_free = (pinned < 0) & (np.arange(n) >= pin.config.position - 1)
        wants &= is_free.any(axis=1)
        pinned[wants, is_free[wants].argmax(axis=1)] = pin.place
    return pinned


def _is_for(pin: Pin, doings: Doings) -> Flags:
    """(U,) whether most of the newest interactions were in the pin's categories."""
    if pin.of_interest is None:
        return np.ones(doings.n_users, np.bool_)
    newest = is_newest(doings.user, doings.n_users, NEWEST)
    user, is_in = doings.user[newest], pin.of_interest[doings.place[newest]]
    of_interest = np.bincount(user[is_in], minlength=doings.n_users)
    return 2 * of_interest > np.bincount(user, minlength=doings.n_users)
