"""How a profile lies in memory: 64-bit words, sizes packed into a header, and the link's text. For features/profile_bytes.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import ProfileFormatError

FORMAT_VERSION = 4
READ_VERSIONS = (3, 4)  # 3 has no purchases below the ring, and no progress
RECORD_BYTES = 16
WORD_BYTES = 8
HEADER_WORDS = 4

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]
Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class Sizes:
    """How many of each part K profiles have, and where the parts begin, in words from the profile's begin."""

    n_marks: Ints
    n_sums: Ints
    n_tail: Ints
    n_ring: Ints
    n_bought: Ints
    n_link: Ints  # bytes of the linked user's id; 0: no link

    @property
    def sums_at(self) -> Ints:
        return HEADER_WORDS + 2 * self.n_marks

    @property
    def tail_at(self) -> Ints:
        return self.sums_at + even(self.n_sums)

    @property
    def ring_at(self) -> Ints:
        return self.tail_at + even(self.n_tail)

    @property
    def bought_at(self) -> Ints:
        return self.ring_at + 2 * self.n_ring

    @property
    def link_at(self) -> Ints:
        return self.bought_at + 2 * self.n_bought

    @property
    def words(self) -> Ints:
        return self.link_at + np.where(self.n_link > 0, even(1 + -(-self.n_link // WORD_BYTES)), 0)


def read_links(words: Words, known: Ints, at: Ints, n_bytes: Ints) -> dict[int, tuple[str, int]]:
    links = {}
    for i in np.flatnonzero(n_bytes).tolist():
        user = words[at[i] + 1 : at[i] + 1 - (-n_bytes[i] // WORD_BYTES)].tobytes()[: n_bytes[i]]
        links[int(known[i])] = user.decode(), int(words[at[i]])
    return links


def encoded_links(links: Mapping[int, tuple[str, int]], users: Ints) -> dict[int, tuple[bytes, int]]:
    """By place in `users`."""
    if not links:
        return {}
    found = {place: links.get(user) for place, user in enumerate(users.tolist())}
    return {place: (link[0].encode(), link[1]) for place, link in found.items() if link}


def checked_words(values: Sequence[bytes | None]) -> Ints:
    """(U,) length of each value in words."""
    n_bytes = np.fromiter((len(value or b"") for value in values), np.int64, len(values))
    if (odd := n_bytes % RECORD_BYTES != 0).any():
        raise ProfileFormatError(f"a profile of {n_bytes[odd][0]} bytes is not made of {RECORD_BYTES}-byte records")
    return np.asarray(n_bytes // WORD_BYTES, np.int64)


def checked_sizes(words: Words, start: Ints, n_words: Ints) -> tuple[Words, Sizes]:
    """(K, 4) headers of the profiles that begin at `start`, and what they say of the sizes."""
    version = bits(words[start], 0, 8)
    if (other := ~np.isin(version, READ_VERSIONS)).any():
        raise ProfileFormatError(
            f"a profile has format {version[other][0]}, this version reads {' and '.join(map(str, READ_VERSIONS))}: make the "
            "profiles anew with `liveshelf rebuild_profiles`"
        )
    header = words[np.minimum(start[:, None] + np.arange(HEADER_WORDS), len(words) - 1)]  # the last one may be cut
    sizes = Sizes(
        n_marks=bits(header[:, 0], 8, 8),
        n_sums=bits(header[:, 2], 48, 8),
        n_tail=bits(header[:, 3], 0, 16),
        n_ring=bits(header[:, 0], 16, 8),
        n_bought=bits(header[:, 0], 24, 8),
        n_link=bits(header[:, 3], 16, 16),
    )
    if (sizes.n_marks > 2).any() or (sizes.words != n_words).any():
        raise ProfileFormatError("a profile's length does not fit its header: it was cut or written by something else")
    return header, sizes


def bits(words: Words, shift: int, n_bits: int) -> Ints:
    return ((words >> np.uint64(shift)) & np.uint64((1 << n_bits) - 1)).astype(np.int64)


def packed(*parts: tuple[Ints | int, int]) -> Words:
    """Put numbers beside each other in words, each at its bit."""
    shifted = [np.asarray(value).astype(np.uint64) << np.uint64(shift) for value, shift in parts]
    return reduce(np.bitwise_or, shifted)


def even(count: Ints) -> Ints:
    return count + count % 2


def scatter(size: int, at: Ints, values: NDArray[Number]) -> NDArray[Number]:
    out = np.zeros(size, values.dtype)
    out[at] = values
    return out


def ranges(start: Ints, length: Ints) -> Ints:
    """start[0] … start[0] + length[0] − 1, start[1] … as one array."""
    before = np.cumsum(length) - length
    return np.repeat(start - before, length) + np.arange(int(length.sum()))
