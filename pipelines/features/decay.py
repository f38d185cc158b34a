"""Exponential decay in base 2, with event times as the clock.

Weight of an event at time t: w · 2^(−(t − tᵢ)/h). A sum of such weights is kept in *landmark form*: Σ wᵢ · 2^((tᵢ − L)/h),
which no passing of time changes. Moving the landmark by whole half-lives multiplies by a power of two, so it does not
round. Source: Cormode, Shkapenyuk, Srivastava, Xu, "Forward Decay", ICDE 2009.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
HALF_LIVES_PER_LANDMARK = 64  # keeps 2^((t − L)/h) far below the largest float32, 2^127


def decay_factor(age_seconds: NDArray[Any] | float, half_life_seconds: Floats | float) -> Floats:
    """2^(−age/h), elementwise. A negative age gives a factor above 1, at most 2^1000; extreme ages give 0, never NaN."""
    factor: Floats = np.exp2(np.minimum(-np.asarray(age_seconds, dtype=np.float64) / half_life_seconds, 1000.0))
    return factor


def landmark_for(time_s: float, half_life_seconds: float) -> float:
    """The landmark that sums reaching to `time_s` are kept against: a multiple of 64 half-lives, at most 64 before it."""
    span = HALF_LIVES_PER_LANDMARK * half_life_seconds
    return float(np.floor(time_s / span) * span)
