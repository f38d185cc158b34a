"""A profile as bytes, and back. Format: docs/redis.md."""

from collections.abc import Sequence

import numpy as np

from pipelines.features.profile import Link, Profiles
from pipelines.features.profile_words import (
    FORMAT_VERSION,
    HEADER_WORDS,
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

FRESH_BIT = np.uint64(1 << 7)  # set on entries that the profile's last write added; not part of an entry's identity
_NAMED_BIT, _JOINED_BIT = 1, 2
PROGRESS_BITS = 6


def decode(values: Sequence[bytes | None]) -> Profiles:
    """Read profiles; None is a user not seen before, whose profile is empty.

    Raises ProfileFormatError when a value was not written in this format.
    """
    n_words = checked_words(values)
    words = np.frombuffer(b"".join(value or b"" for value in values), "<u8")
    known, users = np.flatnonzero(n_words), len(values)
    n_words = n_words[known]
    start = np.cumsum(n_words) - n_words
    header, sizes = checked_sizes(words, start, n_words)
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
        marks=_read_marks(words, start, sizes, known, users),
        sums=_read_sums(words, start, sizes, known, users),
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


def _read_marks(words: Words, start: Ints, sizes: Sizes, known: Ints, n_users: int) -> Words:
    marks = np.zeros((n_users, 2, 2), np.uint64)
    for slot in range(2):
        having, at = _marks_at(start, sizes, slot)
        marks[known[having], slot] = words[at]
    return marks


def _read_sums(words: Words, start: Ints, sizes: Sizes, known: Ints, n_users: int) -> np.ndarray:
    sums = np.zeros((n_users, int(sizes.n_sums.max(initial=0))))
    column = ranges(np.zeros_like(sizes.n_sums), sizes.n_sums)
    sums[np.repeat(known, sizes.n_sums), column] = words[ranges(start + sizes.sums_at, sizes.n_sums)].view("<f8")
    return sums


def encode(profiles: Profiles, users: Ints) -> list[bytes]:
    """Write the profiles of `users` (indices), in that order."""
    links = encoded_links({at: (link.user, link.key) for at, link in profiles.links.items()}, users)
    sizes = _sizes(profiles, users, links)
    end = np.cumsum(sizes.words)
    start = end - sizes.words
    words = np.zeros(int(sizes.words.sum()), "<u8")
    _write_header(words, start, sizes, profiles, users)
    for slot in range(2):
        having, at = _marks_at(start, sizes, slot)
        words[at] = profiles.marks[users[having], slot]
    words[ranges(start + sizes.sums_at, sizes.n_sums)] = profiles.sums[users].astype("<f8").reshape(-1).view("<u8")
    words[ranges(start + sizes.tail_at, sizes.n_tail)] = profiles.tail[_places(profiles.tail_length, users)]
    ring = _places(profiles.length, users)
    _write_pairs(
        words,
        start + sizes.ring_at,
        sizes.n_ring,
        profiles.key[ring] | (profiles.fresh[ring] * FRESH_BIT),
        profiles.item[ring],
    )
    bought = _places(profiles.bought_length, users)
    _write_pairs(
        words, start + sizes.bought_at, sizes.n_bought, profiles.bought_key[bought], profiles.bought_item[bought]
    )
    for place, link in links.items():
        _write_link(words, start[place] + sizes.link_at[place], *link)
    raw = words.tobytes()
    return [raw[a:b] for a, b in zip((start * WORD_BYTES).tolist(), (end * WORD_BYTES).tolist(), strict=True)]


def _sizes(profiles: Profiles, users: Ints, links: dict[int, tuple[bytes, int]]) -> Sizes:
    n_link = np.zeros(len(users), np.int64)
    for place, (user, _) in links.items():
        n_link[place] = len(user)
    return Sizes(
        n_marks=(profiles.marks[users, :, 1] != 0).sum(axis=1),
        n_sums=np.full(len(users), profiles.sums.shape[1], np.int64),
        n_tail=profiles.tail_length[users],
        n_ring=profiles.length[users],
        n_bought=profiles.bought_length[users],
        n_link=n_link,
    )


def _write_header(words: Words, start: Ints, sizes: Sizes, profiles: Profiles, users: Ints) -> None:
    flags = profiles.is_named[users] * _NAMED_BIT + profiles.is_joined[users] * _JOINED_BIT
    flags = flags + (profiles.progress[users] << (8 - PROGRESS_BITS))
    words[start] = packed(
        (FORMAT_VERSION, 0),
        (sizes.n_marks, 8),
        (sizes.n_ring, 16),
        (sizes.n_bought, 24),
        (profiles.n_interactions[users], 32),
    )
    words[start + 1] = profiles.horizon[users]
    words[start + 2] = packed(
        (profiles.as_of_s[users], 0), (profiles.features_version[users], 32), (sizes.n_sums, 48), (flags, 56)
    )
    words[start + 3] = packed((sizes.n_tail, 0), (sizes.n_link, 16), (profiles.generation[users], 32))


def _marks_at(start: Ints, sizes: Sizes, slot: int) -> tuple[Ints, Ints]:
    """Which profiles have a mark in this slot, and (those, 2) the places of its words."""
    having = np.flatnonzero(sizes.n_marks > slot)
    at = start[having] + HEADER_WORDS + 2 * slot
    return having, at[:, None] + np.arange(2)


def _places(length: Ints, users: Ints) -> Ints:
    """Where the entries of `users` lie in a flat array that has `length` (U,) of each user."""
    first = np.cumsum(length) - length
    return ranges(first[users], length[users])


def _write_pairs(words: Words, begin: Ints, n_pairs: Ints, first: Words, second: Words) -> None:
    at = ranges(begin, 2 * n_pairs)
    words[at[::2]], words[at[1::2]] = first, second


def _write_link(words: Words, at: int, user: bytes, key: int) -> None:
    padded = user.ljust(-(-len(user) // WORD_BYTES) * WORD_BYTES, b"\0")
    words[at] = key
    words[at + 1 : at + 1 + len(padded) // WORD_BYTES] = np.frombuffer(padded, "<u8")
