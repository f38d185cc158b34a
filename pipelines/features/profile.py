"""What is kept of each user: the newest interactions, decayed sums over all, and how far the stream was read.

A ring entry is 16 bytes, two words: *key* = event second (32 bits) · event-id hash (24) · fresh (1) · event type (7), and
the 64-bit item hash. Sorting by key is sorting by time, and a user's key stands for one event: two of one second and type
meet in 24 bits once in 17 million pairs. The ring is the set of the `ring_size` greatest keys ever seen, so
it does not depend on order, repetition or batching of the events. The *tail* has the keys alone of those below the ring
that may still come again. *Bought* are purchases that have left the ring: the newest of each item. Format: docs/redis.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.features.profile_words import (
    FORMAT_VERSION,
    HEADER_WORDS,
    RECORD_BYTES,
    WORD_BYTES,
    Ints,
    Sizes,
    Words,
    bits,
    checked_sizes,
    checked_words,
    encoded_links,
    packed,
    ranges,
    read_links,
    scatter,
)

__all__ = ["RECORD_BYTES", "Flags", "Floats", "Ints", "Link", "Profiles", "Words", "decode", "encode"]
FRESH_BIT = np.uint64(1 << 7)  # set on entries that the profile's last write added; not part of an entry's identity
_CODE_MASK = np.uint64(0x7F)
_NAMED_BIT, _JOINED_BIT = 1, 2
PROGRESS_BITS = 6

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Link:
    """Whom an anonymous id belongs to since a login."""

    user: str
    key: int  # event second · 2³² + low 32 bits of the event-id hash of the `identify`: a later one takes the link over


@dataclass(frozen=True)
class Profiles:
    """Profiles of U users; their E ring entries and T tail keys lie flat, user by user, oldest first."""

    n_interactions: Ints  # (U,) distinct interactions folded so far
    horizon: Words  # (U,) greatest key that was dropped; an event not above it is too old to be told from a repeat
    as_of_s: Ints  # (U,) second of the newest interaction, which the sums are as of; 0 of a user not seen before
    features_version: Ints  # (U,) of the definitions that the sums were folded by
    generation: Ints  # (U,) how often a rebuild or a login replaced the profile; 0: never
    is_named: Flags  # (U,) an event said that the id is a `user_id`: it is nobody's visitor
    is_joined: Flags  # (U,) it took in what a visitor did, so it is of more events than those of its own id
    progress: Ints  # (U,) how near the next list is: see lists/refresh.py
    links: Mapping[int, Link]  # by index of the user; of visitors who logged in: what is folded is the user's as well
    marks: Words  # (U, 2, 2) (source, offset + 1) of the last event folded; newest source first, zeros where none
    sums: Floats  # (U, S) see features/online.py; S is that of the profile with the most
    tail_length: Ints  # (U,) tail keys
    tail: Words  # (T,) keys below the ring and above the horizon
    length: Ints  # (U,) ring entries
    key: Words  # (E,) without the fresh bit
    item: Words  # (E,) item hash
    fresh: Flags  # (E,) added by the last write
    bought_length: Ints  # (U,) purchases below the ring
    bought_key: Words  # (B,) of these, oldest first
    bought_item: Words  # (B,) item hash; each once of a user

    @property
    def owner(self) -> Ints:
        """(E,) index of the user of each entry."""
        return np.repeat(np.arange(len(self.length)), self.length)

    @property
    def tail_owner(self) -> Ints:
        """(T,) index of the user of each tail key."""
        return np.repeat(np.arange(len(self.tail_length)), self.tail_length)

    @property
    def bought_owner(self) -> Ints:
        """(B,) index of the user of each purchase below the ring."""
        return np.repeat(np.arange(len(self.bought_length)), self.bought_length)

    @property
    def is_known(self) -> Flags:
        """(U,) whether anything was folded."""
        return self.n_interactions > 0


def entry_keys(time_s: Ints, event_hash: Words, event_code: Ints) -> Words:
    """Keys of interactions at `time_s` (epoch seconds, UTC) with the low 24 bits of `event_hash`."""
    bits = (event_hash.astype(np.uint64) & np.uint64(0xFFFFFF)) << np.uint64(8)
    return np.asarray((time_s.astype(np.uint64) << np.uint64(32)) | bits | event_code.astype(np.uint64), np.uint64)


def key_time_s(key: Words) -> Ints:
    """Epoch seconds of each key."""
    return (key >> np.uint64(32)).astype(np.int64)


def key_code(key: Words) -> Ints:
    """Event-type code of each key."""
    return (key & _CODE_MASK).astype(np.int64)


def decode(values: Sequence[bytes | None]) -> Profiles:
    """Read profiles; None is a user not seen before, whose profile is empty.

    Raises ProfileFormatError when a value was not written in this format.
    """
    n_words = checked_words(values)
    words = np.frombuffer(b"".join(value or b"" for value in values), "<u8")
    known = np.flatnonzero(n_words)
    n_words = n_words[known]
    start = np.cumsum(n_words) - n_words
    header, sizes = checked_sizes(words, start, n_words)

    users = len(values)
    marks = np.zeros((users, 2, 2), np.uint64)
    for slot in range(2):
        having = np.flatnonzero(sizes.n_marks > slot)
        at = start[having] + HEADER_WORDS + 2 * slot
        marks[known[having], slot] = words[at[:, None] + np.arange(2)]
    sums = np.zeros((users, int(sizes.n_sums.max(initial=0))))
    column = ranges(np.zeros_like(sizes.n_sums), sizes.n_sums)
    sums[np.repeat(known, sizes.n_sums), column] = words[ranges(start + sizes.sums_at, sizes.n_sums)].view("<f8")
    entries = words[ranges(start + sizes.ring_at, 2 * sizes.n_ring)].reshape(-1, 2)
    bought = words[ranges(start + sizes.bought_at, 2 * sizes.n_bought)].reshape(-1, 2)
    flags = scatter(users, known, bits(header[:, 2], 56, 8))
    return Profiles(
        n_interactions=scatter(users, known, bits(header[:, 0], 32, 32)),
        horizon=scatter(users, known, header[:, 1]),
        as_of_s=scatter(users, known, bits(header[:, 2], 0, 32)),
        features_version=scatter(users, known, bits(header[:, 2], 32, 16)),
        generation=scatter(users, known, bits(header[:, 3], 32, 32)),
        is_named=(flags & _NAMED_BIT) != 0,
        is_joined=(flags & _JOINED_BIT) != 0,
        progress=flags >> (8 - PROGRESS_BITS),
        links={at: Link(*told) for at, told in read_links(words, known, start + sizes.link_at, sizes.n_link).items()},
        marks=marks,
        sums=sums,
        tail_length=scatter(users, known, sizes.n_tail),
        tail=words[ranges(start + sizes.tail_at, sizes.n_tail)],
        length=scatter(users, known, sizes.n_ring),
        key=entries[:, 0] & ~FRESH_BIT,
        item=entries[:, 1].copy(),
        fresh=(entries[:, 0] & FRESH_BIT) != 0,
        bought_length=scatter(users, known, sizes.n_bought),
        bought_key=bought[:, 0].copy(),
        bought_item=bought[:, 1].copy(),
    )


def encode(profiles: Profiles, users: Ints) -> list[bytes]:
    """Write the profiles of `users` (indices), in that order."""
    length, tail_length = profiles.length[users], profiles.tail_length[users]
    n_sums = np.full(len(users), profiles.sums.shape[1], np.int64)
    n_bought = profiles.bought_length[users]
    links = encoded_links({at: (link.user, link.key) for at, link in profiles.links.items()}, users)
    n_link = np.zeros(len(users), np.int64)
    for place, (user, _) in links.items():
        n_link[place] = len(user)
    sizes = Sizes((profiles.marks[users, :, 1] != 0).sum(axis=1), n_sums, tail_length, length, n_bought, n_link)
    end = np.cumsum(sizes.words)
    start = end - sizes.words
    words = np.zeros(int(sizes.words.sum()), "<u8")
    words[start] = packed(
        (FORMAT_VERSION, 0),
        (sizes.n_marks, 8),
        (sizes.n_ring, 16),
        (n_bought, 24),
        (profiles.n_interactions[users], 32),
    )
    words[start + 1] = profiles.horizon[users]
    flags = profiles.is_named[users] * _NAMED_BIT + profiles.is_joined[users] * _JOINED_BIT
    flags = flags + (profiles.progress[users] << (8 - PROGRESS_BITS))
    words[start + 2] = packed(
        (profiles.as_of_s[users], 0), (profiles.features_version[users], 32), (n_sums, 48), (flags, 56)
    )
    words[start + 3] = packed((sizes.n_tail, 0), (n_link, 16), (profiles.generation[users], 32))
    for slot in range(2):
        having = np.flatnonzero(sizes.n_marks > slot)
        at = start[having] + HEADER_WORDS + 2 * slot
        words[at[:, None] + np.arange(2)] = profiles.marks[users[having], slot]
    words[ranges(start + sizes.sums_at, n_sums)] = profiles.sums[users].astype("<f8").reshape(-1).view("<u8")
    tail_first = np.cumsum(profiles.tail_length) - profiles.tail_length
    words[ranges(start + sizes.tail_at, tail_length)] = profiles.tail[ranges(tail_first[users], tail_length)]
    first = np.cumsum(profiles.length) - profiles.length
    source = ranges(first[users], length)
    target = ranges(start + sizes.ring_at, 2 * length)
    words[target[::2]] = profiles.key[source] | (profiles.fresh[source] * FRESH_BIT)
    words[target[1::2]] = profiles.item[source]
    bought_first = np.cumsum(profiles.bought_length) - profiles.bought_length
    source, target = ranges(bought_first[users], n_bought), ranges(start + sizes.bought_at, 2 * n_bought)
    words[target[::2]] = profiles.bought_key[source]
    words[target[1::2]] = profiles.bought_item[source]
    for place, (user, key) in links.items():
        at = start[place] + sizes.link_at[place]
        words[at] = key
        padded = user.ljust(-(-len(user) // WORD_BYTES) * WORD_BYTES, b"\0")
        words[at + 1 : at + 1 + len(padded) // WORD_BYTES] = np.frombuffer(padded, "<u8")
    raw = words.tobytes()
    return [raw[a:b] for a, b in zip((start * WORD_BYTES).tolist(), (end * WORD_BYTES).tolist(), strict=True)]
