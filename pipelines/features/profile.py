"""What is kept of each user: the newest interactions, decayed sums over all, and how far the stream was read.

A ring entry is 16 bytes, two words: *key* = event second (32 bits) · event-id hash (24) · fresh (1) · event type (7), and
the 64-bit item hash. Sorting by key is sorting by time, and a user's key stands for one event: two of one second and type
meet in 24 bits once in 17 million pairs. The ring is the set of the `ring_size` greatest keys ever seen, so
it does not depend on order, repetition or batching of the events. The *tail* has the keys alone of those below the ring
that may still come again. Format: docs/redis.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import ProfileFormatError

FORMAT_VERSION = 3
RECORD_BYTES = 16
WORD_BYTES = 8
HEADER_WORDS = 4
FRESH_BIT = np.uint64(1 << 7)  # set on entries that the profile's last write added; not part of an entry's identity
_CODE_MASK = np.uint64(0x7F)
_NAMED_BIT, _JOINED_BIT = 1, 2

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Number = TypeVar("Number", bound=np.generic)


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
    links: Mapping[int, Link]  # by index of the user; of visitors who logged in: what is folded is the user's as well
    marks: Words  # (U, 2, 2) (source, offset + 1) of the last event folded; newest source first, zeros where none
    sums: Floats  # (U, S) see features/online.py; S is that of the profile with the most
    tail_length: Ints  # (U,) tail keys
    tail: Words  # (T,) keys below the ring and above the horizon
    length: Ints  # (U,) ring entries
    key: Words  # (E,) without the fresh bit
    item: Words  # (E,) item hash
    fresh: Flags  # (E,) added by the last write

    @property
    def owner(self) -> Ints:
        """(E,) index of the user of each entry."""
        return np.repeat(np.arange(len(self.length)), self.length)

    @property
    def tail_owner(self) -> Ints:
        """(T,) index of the user of each tail key."""
        return np.repeat(np.arange(len(self.tail_length)), self.tail_length)

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


@dataclass(frozen=True)
class _Sizes:
    """How many of each part K profiles have, and where the parts begin, in words from the profile's begin."""

    n_marks: Ints
    n_sums: Ints
    n_tail: Ints
    n_ring: Ints
    n_link: Ints  # bytes of the linked user's id; 0: no link

    @property
    def sums_at(self) -> Ints:
        return HEADER_WORDS + 2 * self.n_marks

    @property
    def tail_at(self) -> Ints:
        return self.sums_at + _even(self.n_sums)

    @property
    def ring_at(self) -> Ints:
        return self.tail_at + _even(self.n_tail)

    @property
    def link_at(self) -> Ints:
        return self.ring_at + 2 * self.n_ring

    @property
    def words(self) -> Ints:
        return self.link_at + np.where(self.n_link > 0, _even(1 + -(-self.n_link // WORD_BYTES)), 0)


def decode(values: Sequence[bytes | None]) -> Profiles:
    """Read profiles; None is a user not seen before, whose profile is empty.

    Raises ProfileFormatError when a value was not written in this format.
    """
    n_words = _checked_words(values)
    words = np.frombuffer(b"".join(value or b"" for value in values), "<u8")
    known = np.flatnonzero(n_words)
    n_words = n_words[known]
    start = np.cumsum(n_words) - n_words
    header, sizes = _checked_sizes(words, start, n_words)

    users = len(values)
    marks = np.zeros((users, 2, 2), np.uint64)
    for slot in range(2):
        having = np.flatnonzero(sizes.n_marks > slot)
        at = start[having] + HEADER_WORDS + 2 * slot
        marks[known[having], slot] = words[at[:, None] + np.arange(2)]
    sums = np.zeros((users, int(sizes.n_sums.max(initial=0))))
    column = _ranges(np.zeros_like(sizes.n_sums), sizes.n_sums)
    sums[np.repeat(known, sizes.n_sums), column] = words[_ranges(start + sizes.sums_at, sizes.n_sums)].view("<f8")
    entries = words[_ranges(start + sizes.ring_at, 2 * sizes.n_ring)].reshape(-1, 2)
    flags = _scatter(users, known, _bits(header[:, 2], 56, 8))
    return Profiles(
        n_interactions=_scatter(users, known, _bits(header[:, 0], 32, 32)),
        horizon=_scatter(users, known, header[:, 1]),
        as_of_s=_scatter(users, known, _bits(header[:, 2], 0, 32)),
        features_version=_scatter(users, known, _bits(header[:, 2], 32, 16)),
        generation=_scatter(users, known, _bits(header[:, 3], 32, 32)),
        is_named=(flags & _NAMED_BIT) != 0,
        is_joined=(flags & _JOINED_BIT) != 0,
        links=_read_links(words, known, start + sizes.link_at, sizes.n_link),
        marks=marks,
        sums=sums,
        tail_length=_scatter(users, known, sizes.n_tail),
        tail=words[_ranges(start + sizes.tail_at, sizes.n_tail)],
        length=_scatter(users, known, sizes.n_ring),
        key=entries[:, 0] & ~FRESH_BIT,
        item=entries[:, 1].copy(),
        fresh=(entries[:, 0] & FRESH_BIT) != 0,
    )


def encode(profiles: Profiles, users: Ints) -> list[bytes]:
    """Write the profiles of `users` (indices), in that order."""
    length, tail_length = profiles.length[users], profiles.tail_length[users]
    n_sums = np.full(len(users), profiles.sums.shape[1], np.int64)
    links = _encoded_links(profiles.links, users)
    n_link = np.zeros(len(users), np.int64)
    for place, (user, _) in links.items():
        n_link[place] = len(user)
    sizes = _Sizes((profiles.marks[users, :, 1] != 0).sum(axis=1), n_sums, tail_length, length, n_link)
    end = np.cumsum(sizes.words)
    start = end - sizes.words
    words = np.zeros(int(sizes.words.sum()), "<u8")
    words[start] = _packed(
        (FORMAT_VERSION, 0), (sizes.n_marks, 8), (sizes.n_ring, 16), (profiles.n_interactions[users], 32)
    )
    words[start + 1] = profiles.horizon[users]
    flags = profiles.is_named[users] * _NAMED_BIT + profiles.is_joined[users] * _JOINED_BIT
    words[start + 2] = _packed(
        (profiles.as_of_s[users], 0), (profiles.features_version[users], 32), (n_sums, 48), (flags, 56)
    )
    words[start + 3] = _packed((sizes.n_tail, 0), (n_link, 16), (profiles.generation[users], 32))
    for slot in range(2):
        having = np.flatnonzero(sizes.n_marks > slot)
        at = start[having] + HEADER_WORDS + 2 * slot
        words[at[:, None] + np.arange(2)] = profiles.marks[users[having], slot]
    words[_ranges(start + sizes.sums_at, n_sums)] = profiles.sums[users].astype("<f8").reshape(-1).view("<u8")
    tail_first = np.cumsum(profiles.tail_length) - profiles.tail_length
    words[_ranges(start + sizes.tail_at, tail_length)] = profiles.tail[_ranges(tail_first[users], tail_length)]
    first = np.cumsum(profiles.length) - profiles.length
    source = _ranges(first[users], length)
    target = _ranges(start + sizes.ring_at, 2 * length)
    words[target[::2]] = profiles.key[source] | (profiles.fresh[source] * FRESH_BIT)
    words[target[1::2]] = profiles.item[source]
    for place, (user, key) in links.items():
        at = start[place] + sizes.link_at[place]
        words[at] = key
        padded = user.ljust(-(-len(user) // WORD_BYTES) * WORD_BYTES, b"\0")
        words[at + 1 : at + 1 + len(padded) // WORD_BYTES] = np.frombuffer(padded, "<u8")
    raw = words.tobytes()
    return [raw[a:b] for a, b in zip((start * WORD_BYTES).tolist(), (end * WORD_BYTES).tolist(), strict=True)]


def _read_links(words: Words, known: Ints, at: Ints, n_bytes: Ints) -> dict[int, Link]:
    links = {}
    for i in np.flatnonzero(n_bytes).tolist():
        user = words[at[i] + 1 : at[i] + 1 - (-n_bytes[i] // WORD_BYTES)].tobytes()[: n_bytes[i]]
        links[int(known[i])] = Link(user.decode(), int(words[at[i]]))
    return links


def _encoded_links(links: Mapping[int, Link], users: Ints) -> dict[int, tuple[bytes, int]]:
    """By place in `users`."""
    if not links:
        return {}
    found = {place: links.get(user) for place, user in enumerate(users.tolist())}
    return {place: (link.user.encode(), link.key) for place, link in found.items() if link}


def _checked_words(values: Sequence[bytes | None]) -> Ints:
    """(U,) length of each value in words."""
    n_bytes = np.fromiter((len(value or b"") for value in values), np.int64, len(values))
    if (odd := n_bytes % RECORD_BYTES != 0).any():
        raise ProfileFormatError(f"a profile of {n_bytes[odd][0]} bytes is not made of {RECORD_BYTES}-byte records")
    return np.asarray(n_bytes // WORD_BYTES, np.int64)


def _checked_sizes(words: Words, start: Ints, n_words: Ints) -> tuple[Words, _Sizes]:
    """(K, 4) headers of the profiles that begin at `start`, and what they say of the sizes."""
    version = _bits(words[start], 0, 8)
    if (other := version != FORMAT_VERSION).any():
        raise ProfileFormatError(
            f"a profile has format {version[other][0]}, this version reads {FORMAT_VERSION}: make the profiles anew with "
            "`liveshelf rebuild_profiles`"
        )
    header = words[np.minimum(start[:, None] + np.arange(HEADER_WORDS), len(words) - 1)]  # the last one may be cut
    sizes = _Sizes(
        n_marks=_bits(header[:, 0], 8, 8),
        n_sums=_bits(header[:, 2], 48, 8),
        n_tail=_bits(header[:, 3], 0, 16),
        n_ring=_bits(header[:, 0], 16, 16),
        n_link=_bits(header[:, 3], 16, 16),
    )
    if (sizes.n_marks > 2).any() or (sizes.words != n_words).any():
        raise ProfileFormatError("a profile's length does not fit its header: it was cut or written by something else")
    return header, sizes


def _bits(words: Words, shift: int, n_bits: int) -> Ints:
    return ((words >> np.uint64(shift)) & np.uint64((1 << n_bits) - 1)).astype(np.int64)


def _packed(*parts: tuple[Ints | int, int]) -> Words:
    """Put numbers beside each other in words, each at its bit."""
    shifted = [np.asarray(value).astype(np.uint64) << np.uint64(shift) for value, shift in parts]
    return reduce(np.bitwise_or, shifted)


def _even(count: Ints) -> Ints:
    return count + count % 2


def _scatter(size: int, at: Ints, values: NDArray[Number]) -> NDArray[Number]:
    out = np.zeros(size, values.dtype)
    out[at] = values
    return out


def _ranges(start: Ints, length: Ints) -> Ints:
    """start[0] … start[0] + length[0] − 1, start[1] … as one array."""
    before = np.cumsum(length) - length
    return np.repeat(start - before, length) + np.arange(int(length.sum()))
