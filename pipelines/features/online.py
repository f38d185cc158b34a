"""The decayed sums that a profile carries, in pair form: (s, as_of), the sum as it was at the newest event.

value at t = s · 2^(−(t − as_of)/h). Merging two pairs ages the older one to the later `as_of`: exact for late events, and
no factor is ever above 1, so nothing overflows.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import ConfigError
from pipelines.features.decay import decay_factor

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
N_CODES = 128
MAX_VERSION, MAX_SUMS = 0xFFFF, 0xFF  # what a profile's header has room for


@dataclass(frozen=True, eq=False)
class OnlineSums:
    """S decayed sums over the interactions of a user; S may be 0.

    Equal and hashed by value: it travels to the workers, which ask whether they have met these before.
    """

    version: int  # of the definitions
    names: tuple[str, ...]  # (S,)
    weight_of_code: Floats  # (128, S) by event-type code, see schemas.INTERACTION_CODES
    half_life_s: Floats  # (S,)

    def __post_init__(self) -> None:
        n_sums = len(self.names)
        if self.weight_of_code.shape != (N_CODES, n_sums) or self.half_life_s.shape != (n_sums,):
            raise ConfigError(
                f"online sums: {n_sums} names need weights of shape ({N_CODES}, {n_sums}) and {n_sums} half-lives, "
                f"got {self.weight_of_code.shape} and {self.half_life_s.shape}"
            )
        if n_sums > MAX_SUMS or not 0 <= self.version <= MAX_VERSION:
            raise ConfigError(
                f"features: a profile has room for {MAX_SUMS} online sums and versions up to {MAX_VERSION}, "
                f"got {n_sums} sums of version {self.version}: mark fewer features `online`"
            )

    @classmethod
    def none(cls, version: int = 0) -> "OnlineSums":
        """No sums at all."""
        return cls(version, (), np.zeros((N_CODES, 0)), np.zeros(0))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OnlineSums) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    @property
    def _value(self) -> tuple[Any, ...]:
        return self.version, self.names, self.weight_of_code.tobytes(), self.half_life_s.tobytes()

    def aged(self, sums: Floats, age_s: Ints) -> Floats:
        """(U, S) sums as they are `age_s` (U,) seconds later."""
        return np.asarray(sums * decay_factor(age_s[:, None], self.half_life_s), np.float64)

    def fold(self, sums: Floats, as_of_s: Ints, user: Ints, time_s: Ints, code: Ints) -> tuple[Floats, Ints]:
        """Add n events to the (U, S) sums as of `as_of_s` (U,), epoch seconds; returns both as they are then.

        `user` (n,) is ascending. Of a user not met before, the sums are 0 and `as_of_s` too.
        """
        newest = as_of_s.copy()
        np.maximum.at(newest, user, time_s)
        folded = self.aged(sums, newest - as_of_s)
        if len(user):
            added = self.aged(self.weight_of_code[code], newest[user] - time_s)
            first = np.flatnonzero(np.diff(user, prepend=-1))
            folded[user[first]] += np.add.reduceat(added, first, axis=0)
        return folded, newest
