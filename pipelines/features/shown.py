"""How often an item was shown to a user since the user last touched it, of the items that were shown last.

An impression counts when it is later, by event second, than the last one of that item: so a retry and a replay count once,
and nothing has to be remembered of events. What is lost: an impression that comes after a later one of the same item, and the
second of two within one second. An entry is one word: second (32 bits) · count (4) · low bits of the item hash (28).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.features.profile import Flags, Ints, Words

ITEM_MASK = np.uint64((1 << 28) - 1)  # two of 20,000 items meet in 28 bits once in 13,000 entries
MAX_COUNT = 15
_WORD_BYTES = 8


@dataclass(frozen=True)
class Shown:
    """Of U users, flat, user by user, the one shown last at the end."""

    length: Ints  # (U,) entries
    item: Words  # (S,) low 28 bits of the item hash
    count: Ints  # (S,) times, 15 at most
    last_s: Ints  # (S,) when last, epoch seconds

    @classmethod
    def none(cls, n_users: int) -> "Shown":
        """Nothing was shown to any of them."""
        nothing = np.empty(0, np.int64)
        return cls(np.zeros(n_users, np.int64), np.empty(0, np.uint64), nothing, nothing)

    @property
    def owner(self) -> Ints:
        """(S,) index of the user of each entry."""
        return np.repeat(np.arange(len(self.length)), self.length)


@dataclass(frozen=True)
class Moments:
    """n times that something happened between a user and an item."""

    user: Ints  # (n,) index of the user
    item: Words  # (n,) item hash
    time_s: Ints  # (n,) epoch seconds

    @classmethod
    def none(cls) -> "Moments":
        """Nothing happened."""
        return cls(np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0, np.int64))


def decode_shown(values: Sequence[bytes | None]) -> Shown:
    """Read what is kept of users; None: nothing."""
    length = np.fromiter((len(value or b"") // _WORD_BYTES for value in values), np.int64, len(values))
    words = np.frombuffer(b"".join(value or b"" for value in values), "<u8")
    count = ((words >> np.uint64(28)) & np.uint64(MAX_COUNT)).astype(np.int64)
    return Shown(length, words & ITEM_MASK, count, (words >> np.uint64(32)).astype(np.int64))


def encode_shown(shown: Shown, users: Ints) -> list[bytes]:
    """What is kept of `users` (indices), in that order."""
    raw = _words(shown).astype("<u8").tobytes()
    end = np.cumsum(shown.length) * _WORD_BYTES
    start = end - shown.length * _WORD_BYTES
    return [raw[a:b] for a, b in zip(start[users].tolist(), end[users].tolist(), strict=True)]


def fold_shown(shown: Shown, impressions: Moments, touches: Moments, limit: int) -> tuple[Shown, Flags]:
    """What is known after the impressions, and after interactions of the same users; (U,) for whom that is something new.

    An interaction at or after the last impression of its item begins the count anew. `limit` entries of a user are kept.
    """
    if not len(impressions.user) and not (len(shown.item) and len(touches.user)):
        return shown, np.zeros(len(shown.length), np.bool_)
    n_users = len(shown.length)
    before = _words(shown)
    user = np.concatenate([shown.owner, impressions.user, touches.user])
    item = np.concatenate([shown.item, impressions.item & ITEM_MASK, touches.item & ITEM_MASK])
    pair, place = np.unique((user.astype(np.uint64) << np.uint64(28)) | item, return_inverse=True)
    stored, seen, touched = np.split(place, np.cumsum([len(shown.item), len(impressions.user)]))

    last_s, count = np.full(len(pair), -1), np.zeros(len(pair), np.int64)
    last_s[stored], count[stored] = shown.last_s, shown.count
    reset_s = np.full(len(pair), -1)
    np.maximum.at(reset_s, touched, touches.time_s)
    is_reset = reset_s >= np.maximum(last_s, 0)
    count[is_reset], last_s[is_reset] = 0, reset_s[is_reset]
    moments = np.unique(np.stack([seen, impressions.time_s]), axis=1)
    later = moments[:, moments[1] > last_s[moments[0]]]
    count += np.bincount(later[0], minlength=len(pair))
    np.maximum.at(last_s, later[0], later[1])

    is_kept = (
        np.bincount(np.concatenate([stored, seen]), minlength=len(pair)) > 0
    )  # a touch alone is not worth an entry
    owner = (pair[is_kept] >> np.uint64(28)).astype(np.int64)
    low = pair[is_kept] & ITEM_MASK
    now = _newest(n_users, owner, low, np.minimum(count[is_kept], MAX_COUNT), last_s[is_kept], limit)
    return now, _differs(shown, before, now)


def _newest(n_users: int, owner: Ints, item: Words, count: Ints, last_s: Ints, limit: int) -> Shown:
    order = np.lexsort((item, count, last_s, owner))
    owner = owner[order]
    n_newer = np.cumsum(np.bincount(owner, minlength=n_users))[owner] - 1 - np.arange(len(owner))
    kept = order[n_newer < limit]
    length = np.bincount(owner[n_newer < limit], minlength=n_users)
    return Shown(length, item[kept], count[kept], last_s[kept])


def _differs(shown: Shown, before: Words, now: Shown) -> Flags:
    """(U,) whose entries are others than before."""
    differs: Flags = shown.length != now.length
    same_length = ~differs
    ours, theirs = same_length[shown.owner], same_length[now.owner]
    changed = before[ours] != _words(now)[theirs]
    differs[now.owner[theirs][changed]] = True
    return differs


def _words(shown: Shown) -> Words:
    second, count = shown.last_s.astype(np.uint64) << np.uint64(32), shown.count.astype(np.uint64) << np.uint64(28)
    words: Words = second | count | shown.item
    return words
