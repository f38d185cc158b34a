"""When a user's list is made again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pipelines.features.profile import Flags, Ints
from pipelines.schemas import INTERACTION_CODES

N_CODES = 128


def _one_each() -> Ints:
    return np.ones(N_CODES, np.int64)


@dataclass(frozen=True)
class Pace:
    """A list is due whenever the weights of a user's interactions, added up since the first, pass a multiple of `every`.

    Counting from the first interaction, not from the last list, makes it the same however the stream was cut into
    micro-batches. All that a profile keeps of it is its *progress*: how far the sum is past a multiple.
    """

    every: int = 5
    weight_of_code: Ints = field(default_factory=_one_each)  # (128,) by event-type code, not negative

    @classmethod
    def of(cls, every: int, weights: Mapping[str, int]) -> "Pace":
        """With `weights` by event type; 1 of those that are not named."""
        weight_of_code = _one_each()
        for event_type, weight in weights.items():
            weight_of_code[INTERACTION_CODES[event_type]] = weight
        return cls(every, weight_of_code)

    def after(self, progress: Ints, user: Ints, code: Ints) -> tuple[Flags, Ints]:
        """(U,) who is due, and the progress, after n more interactions of `user` (n,) with type `code` (n,)."""
        gained = np.bincount(user, self.weight_of_code[code], len(progress)).astype(np.int64)
        return progress + gained >= self.every, (progress + gained) % self.every
