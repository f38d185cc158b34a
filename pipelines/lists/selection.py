"""The n best of many scores, exactly, for many users at once."""

import numpy as np
from numpy.typing import NDArray

from pipelines.features.profile import Ints

ROWS = 32  # scores that one maximum stands for
ROW_BITS = 6
SMALL = 1_024  # columns up to which looking at all of them is as quick


def top_n(scores: NDArray[np.float32], n: int) -> Ints:
    """(U, min(n, I)) columns of the highest scores of each row (U, I), best first.

    Equal scores come in an order of the columns that depends on I alone, so a shorter list is the beginning of a longer
    one. The n best lie in the n blocks with the highest maxima, and only those are searched. A block is every b-th column
    rather than a run of them: maxima over such blocks are taken with vector instructions, ten times as fast.
    """
    n_users, n_items = scores.shape
    if n_items <= SMALL:
        return _best(scores, np.arange(n_items), n)
    n_blocks = n_items // ROWS
    whole = n_blocks * ROWS
    maxima = scores[:, :whole].reshape(n_users, ROWS, n_blocks).max(axis=1)
    blocks = _best(maxima, np.arange(n_blocks), n)
    inside = (blocks[:, :, None] << ROW_BITS | np.arange(ROWS)).reshape(n_users, -1)
    rest = np.broadcast_to((np.arange(n_items - whole) << ROW_BITS) | ROWS, (n_users, n_items - whole))
    place = np.concatenate([inside, rest], axis=1)
    best = _best(np.take_along_axis(scores, _column(place, n_blocks), axis=1), place, n)
    return _column(best, n_blocks)


def best_in_order(scores: NDArray[np.float32], place: Ints, n: int) -> Ints:
    """(U, min(n, I)) places of the highest scores of each row (U, I), best first; of equal ones the lower place first.

    place: (I,) the columns' places, 0 to I − 1, each once. Looks at every column: `top_n` is quicker.
    """
    return _best(scores, place, n)


def _best(scores: NDArray[np.float32], place: Ints, n: int) -> Ints:
    """The n best of each row by (score descending, place ascending), as places."""
    key = (_descending(scores).astype(np.uint64) << np.uint64(32)) | place.astype(np.uint64)
    if n < key.shape[1]:
        key = np.partition(key, n - 1, axis=1)[:, :n]
    return (np.sort(key, axis=1) & np.uint64(0xFFFFFFFF)).astype(np.int64)


def _column(place: Ints, n_blocks: int) -> Ints:
    """The column at a place: block in the high bits, row of the block in the low ones."""
    return (place & ((1 << ROW_BITS) - 1)) * n_blocks + (place >> ROW_BITS)


def _descending(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Integers that ascend as the floats descend (IEEE 754 order)."""
    bits = np.ascontiguousarray(scores, np.float32).view(np.uint32)
    ascending = np.where(bits >> np.uint32(31), ~bits, bits | np.uint32(1 << 31))
    return ~ascending
