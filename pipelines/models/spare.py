"""Arrays with spare rows behind their end: one more row costs what it is, not what all of them are.

As a slice of Go: an array is the beginning of a buffer, and what is appended is written behind it. So of two arrays that begin
one buffer only one may go on; `Model` sees to that.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)
FEWEST = 64  # spare rows; else a quarter of all


def appended(array: NDArray[Value], rows: NDArray[Value]) -> NDArray[Value]:
    """`array` with `rows` behind it."""
    longer = lengthened(array, len(rows))
    longer[len(array) :] = rows
    return longer


def lengthened(array: NDArray[Value], n_new: int, fill: float = 0) -> NDArray[Value]:
    """`array` with more rows behind it: `fill`, unless somebody wrote to the spare ones."""
    n = len(array) + n_new
    buffer = buffer_of(array)
    if n > len(buffer):
        buffer = np.zeros((n + max(FEWEST, n // 4), *array.shape[1:]), array.dtype)
        buffer[: len(array)] = array
        if fill:
            buffer[len(array) :] = fill
    return buffer[:n]


def buffer_of(array: NDArray[Value]) -> NDArray[Value]:
    """`array` and its spare rows; itself where it has none."""
    buffer = array.base
    if not isinstance(buffer, np.ndarray) or buffer.dtype != array.dtype or buffer.shape[1:] != array.shape[1:]:
        return array
    is_beginning = buffer.ctypes.data == array.ctypes.data and buffer.strides == array.strides
    return buffer if is_beginning else array
