"""A fixed grid for numbers: 16 steps between a number and its double, on both sides of 0.

It is the same for every window, so that a table is counted in one pass, before anybody knows its quantiles; and it is
bounded: prices from a cent to a million lie on 430 steps (as in DDSketch: Masson, Rim, Lee 2019). A step is 4.4 % wide, so whole
numbers up to 16 have one each. The key of a step rises with the number.
"""

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import Column
from pyspark.sql import functions as F

STEPS = 16
OFFSET = 20_000  # above 16 × 1,074, the exponent of the least double: keys of positive numbers are positive
_EPSILON = 1e-9  # Java's log2 of a power of two may come out just below the whole number


def key_column(value: Column) -> Column:
    """The key (long) of a double; null where it is null, not a number, or not finite."""
    magnitude = F.floor(F.log2(F.abs(value)) * STEPS + _EPSILON).cast("long") + OFFSET
    is_number = value.isNotNull() & ~F.isnan(value) & (F.abs(value) < float("inf"))
    key = F.when(value > 0, magnitude).when(value < 0, -magnitude).otherwise(F.lit(0).cast("long"))
    return F.when(is_number, key)


def keys(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n,) the same of finite numbers."""
    magnitude = np.abs(values)
    log2 = np.log2(magnitude, out=np.zeros_like(magnitude), where=magnitude > 0)
    key = np.floor(log2 * STEPS + _EPSILON).astype(np.int64) + OFFSET
    return np.where(values > 0, key, np.where(values < 0, -key, 0))


def lower_edge(key: int) -> float:
    """The number that is nearest to 0 on this step, or 0; of negative numbers the largest."""
    if key == 0:
        return 0.0
    edge: float = 2.0 ** ((abs(key) - OFFSET) / STEPS)
    return edge if key > 0 else -edge


def round_number(key: int) -> float:
    """A number on this step with as few digits as there can be: 9 on the step from 8.72 to 9.11."""
    low, high = sorted((lower_edge(key), lower_edge(key + 1 if key > 0 else key - 1)))
    middle = (low + high) / 2
    rounded = (float(f"{middle:.{digits}g}") for digits in range(1, 6))
    return next((number for number in rounded if low <= number < high), middle) if key else 0.0
