"""What is kept of each user: the newest interactions, decayed sums over all, and how far the stream was read.

A ring entry is 16 bytes, two words: *key* = event second (32 bits) · event-id hash (24) · fresh (1) · event type (7), and
the 64-bit item hash. Sorting by key is sorting by time, and a user's key stands for one event: two of one second and type
meet in 24 bits once in 17 million pairs. The ring is the set of the `ring_size` greatest keys ever seen, so
it does not depend on order, repetition or batching of the events. The *tail* has the keys alone of those below the ring
that may still come again. *Bought* are purchases that have left the ring: the newest of each item. Format: docs/redis.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.features.profile_words import Ints, Words

__all__ = ["Flags", "Floats", "Ints", "Link", "Profiles", "Words"]
_CODE_MASK = np.uint64(0x7F)

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
