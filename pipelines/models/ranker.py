"""What the hot path asks of a model. It knows no more of a model than this.

A learner is split in two: `gradient` runs on the executors, over many events; `apply` runs on the driver, once per
micro-batch, over what the gradients sum to. What `apply` changed comes back as a patch, which the executors' copies take.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.features.fold import Timeline
from pipelines.features.profile import Ints, Words

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Histories:
    """Ring entries of U users, flat: what the score of an item for a user is made of."""

    n_users: int
    user: Ints  # (E,) index of the user
    key: Words  # (E,) see features/profile.py
    item: Words  # (E,) item hash


@dataclass(frozen=True)
class NewItems:
    """Items by hash and name; the hashes are sorted and unique."""

    item: Words
    item_id: NDArray[np.object_]


class Ranker(Protocol):
    """Scores every item for many users at once, and learns.

    Same inputs, same bytes: no clock and no unseeded chance inside.
    """

    @property
    def n_items(self) -> int: ...

    @property
    def item_ids(self) -> NDArray[np.object_]:
        """(I,) names of the items, in the order of the score columns."""
        ...

    def unknown(self, item: Words) -> Words:
        """The sorted, distinct hashes among `item` that the model has no column for."""
        ...

    def with_items(self, items: NewItems, timeline: Timeline) -> "Ranker":
        """A copy that also ranks `items`, by what `timeline` says of them alone: so that an item can be shown at once."""
        ...

    def score(self, histories: Histories) -> Scores:
        """(U, I) higher is better; comparable within a user only."""
        ...

    def gradient(self, timeline: Timeline, new_items: NewItems, seed: int) -> bytes:
        """What the rows to learn from add to the model, however many they are: bounded."""
        ...

    def apply(self, gradients: list[bytes]) -> bytes:
        """Take one step and return it as a patch. The order of `gradients` matters to the last bit: sort them by partition."""
        ...

    def patch(self, patch: bytes) -> None:
        """Follow a step that `apply` took elsewhere."""
        ...

    def trim(self) -> bool:
        """Drop the least popular items where there are more than the model may hold. True: columns have moved."""
        ...

    def to_bytes(self) -> bytes:
        """The whole model."""
        ...
