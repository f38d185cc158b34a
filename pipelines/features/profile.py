"""What is kept of each user: the newest interactions, how many there were, and how far the stream was read.

A ring entry is 16 bytes, two words: *key* = event second (32 bits) · event-id hash (24) · fresh (1) · event type (7), and
the 64-bit item hash. Sorting by key is sorting by time, and a user's key stands for one event: two of one second and type
meet in 24 bits once in 17 million pairs. The ring is the set of the `ring_size` greatest keys ever seen, so
it does not depend on order, repetition or batching of the events. Format: docs/redis.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import ProfileFormatError

FORMAT_VERSION = 1
WORD_PAIR_BYTES = 16
FRESH_BIT = np.uint64(1 << 7)  # set on entries that the profile's last write added; not part of an entry's identity
_CODE_MASK = np.uint64(0x7F)

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class Profiles:
    """Profiles of U users; their E ring entries lie flat, user by user, oldest first."""

    n_interactions: Ints  # (U,) distinct interactions folded so far
    horizon: (
        Words  # (U,) greatest key that fell off the ring; an event not above it is too old to be told from a repeat
    )
    marks: Words  # (U, 2, 2) (source, offset + 1) of the last event folded; newest source first, zeros where none
    length: Ints  # (U,) ring entries
    key: Words  # (E,) without the fresh bit
    item: Words  # (E,) item hash
    fresh: Flags  # (E,) added by the last write

    @property
    def owner(self) -> Ints:
        """(E,) index of the user of each entry."""
        return np.repeat(np.arange(len(self.length)), self.length)


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
    """Read profiles; None is a user not seen before.

    Raises ProfileFormatError when a value was not written in this format.
    """
    rows = np.fromiter((len(value or b"") for value in values), np.int64, len(values))
    if (rows % WORD_PAIR_BYTES).any():
        raise ProfileFormatError(f"a profile of {rows.max()} bytes is not made of {WORD_PAIR_BYTES}-byte records")
    rows //= WORD_PAIR_BYTES
    words = np.frombuffer(b"".join(value or b"" for value in values), "<u8").reshape(-1, 2)
    start = np.cumsum(rows) - rows
    known = np.flatnonzero(rows)
    header = words[start[known]]
    n_marks, length = _checked_sizes(header[:, 0], rows[known])

    user_count = len(values)
    marks = np.zeros((user_count, 2, 2), np.uint64)
    for slot in range(2):
        having = n_marks > slot
        marks[known[having], slot] = words[start[known[having]] + 1 + slot]
    owner = np.repeat(np.arange(len(known)), rows[known])
    place = np.arange(len(words)) - start[known][owner]
    entries = words[place > n_marks[owner]]
    return Profiles(
        n_interactions=_scatter(user_count, known, (header[:, 0] >> np.uint64(32)).astype(np.int64)),
        horizon=_scatter(user_count, known, header[:, 1]),
        marks=marks,
        length=_scatter(user_count, known, length),
        key=entries[:, 0] & ~FRESH_BIT,
        item=entries[:, 1].copy(),
        fresh=(entries[:, 0] & FRESH_BIT) != 0,
    )


def encode(profiles: Profiles, users: Ints) -> list[bytes]:
    """Write the profiles of `users` (indices), in that order."""
    n_marks = (profiles.marks[users, :, 1] != 0).sum(axis=1)
    length = profiles.length[users]
    rows = 1 + n_marks + length
    end = np.cumsum(rows)
    start = end - rows
    words = np.empty((int(rows.sum()), 2), "<u8")
    sizes = (
        np.uint64(FORMAT_VERSION)
        | (n_marks.astype(np.uint64) << np.uint64(8))
        | (length.astype(np.uint64) << np.uint64(16))
    )
    words[start, 0] = sizes | (profiles.n_interactions[users].astype(np.uint64) << np.uint64(32))
    words[start, 1] = profiles.horizon[users]
    for slot in range(2):
        having = n_marks > slot
        words[start[having] + 1 + slot] = profiles.marks[users[having], slot]
    first = np.cumsum(profiles.length) - profiles.length
    source = _ranges(first[users], length)
    target = _ranges(start + 1 + n_marks, length)
    words[target, 0] = profiles.key[source] | (profiles.fresh[source] * FRESH_BIT)
    words[target, 1] = profiles.item[source]
    raw = words.tobytes()
    return [raw[a:b] for a, b in zip((start * WORD_PAIR_BYTES).tolist(), (end * WORD_PAIR_BYTES).tolist(), strict=True)]


def _checked_sizes(header: Words, rows: Ints) -> tuple[Ints, Ints]:
    version = (header & np.uint64(0xFF)).astype(np.int64)
    if (version != FORMAT_VERSION).any():
        found = int(version[version != FORMAT_VERSION][0])
        raise ProfileFormatError(
            f"a profile has format {found}, this version reads {FORMAT_VERSION}: rebuild the profiles"
        )
    n_marks = ((header >> np.uint64(8)) & np.uint64(0xFF)).astype(np.int64)
    length = ((header >> np.uint64(16)) & np.uint64(0xFFFF)).astype(np.int64)
    if (n_marks > 2).any() or (1 + n_marks + length != rows).any():
        raise ProfileFormatError("a profile's length does not fit its header: it was cut or written by something else")
    return n_marks, length


def _scatter(size: int, at: Ints, values: NDArray[Number]) -> NDArray[Number]:
    out = np.zeros(size, values.dtype)
    out[at] = values
    return out


def _ranges(start: Ints, length: Ints) -> Ints:
    """start[0] … start[0] + length[0] − 1, start[1] … as one array."""
    before = np.cumsum(length) - length
    return np.repeat(start - before, length) + np.arange(int(length.sum()))
