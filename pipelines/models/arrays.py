"""Named arrays as bytes and back: one Arrow record batch of one row, which any language reads and nothing executes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


def to_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Write one-dimensional arrays of numbers or of strings (object dtype)."""
    columns = [_one_list(array) for array in arrays.values()]
    batch = pa.record_batch(columns, names=list(arrays))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    out: bytes = sink.getvalue().to_pybytes()
    return out


def from_bytes(data: bytes) -> Arrays:
    """Read what `to_bytes` wrote. Raises pyarrow.ArrowInvalid when `data` is something else."""
    batch = pa.ipc.open_stream(data).read_next_batch()
    return {name: _values(batch.column(name).values) for name in batch.schema.names}


def _one_list(array: NDArray[Any]) -> pa.Array:
    values = pa.array(array, pa.string()) if array.dtype == object else pa.array(array)
    return pa.LargeListArray.from_arrays(pa.array([0, len(values)], pa.int64()), values)


def _values(values: pa.Array) -> NDArray[Any]:
    if pa.types.is_string(values.type):
        return np.array(values.to_pylist(), dtype=object)
    return np.array(values)  # a copy: what Arrow gives is read-only
