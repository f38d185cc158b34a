"""What tells rankers apart: how they score, and what they learn besides the catalogue. See model.py."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from pipelines.features.profile import Ints
from pipelines.models.arrays import Arrays
from pipelines.models.items import Items
from pipelines.models.ranker import Histories, LeftOut, Scores, TrainingBatch


@dataclass(frozen=True)
class Learned:
    """What a task's rows add to a scorer: arrays that `apply` reads, and the loss before."""

    arrays: Arrays = field(default_factory=dict)
    n_examples: int = 0
    loss: float = 0.0  # Σ over the examples, nats
    loss_of_popularity: float = 0.0

    @property
    def is_finite(self) -> bool:
        """Whether every number in it is one."""
        numbers = (array for array in self.arrays.values() if array.dtype.kind == "f")
        return bool(np.isfinite(self.loss)) and all(np.isfinite(array).all() for array in numbers)


class Scorer(Protocol):
    """Scores items for users. All of it but `score` is about learning, and `Unlearned` does it for those that do not."""

    def score(self, items: Items, histories: Histories, /) -> Scores:
        """(U, I)."""
        ...

    def grow(self, n_new: int, /) -> "Scorer":
        """The same with `n_new` more items. It may share arrays with this one: then only one of both learns (spare.py)."""
        ...

    def only(self, column: Ints, /) -> "Scorer":
        """The same with the items at `column` (ascending) alone."""
        ...

    def gradient(self, items: Items, batch: TrainingBatch, rows: Ints, seed: int, /) -> Learned:
        """What the `rows` of the batch add."""
        ...

    def apply(self, items: Items, parts: list[Arrays], /) -> Arrays:
        """Take a step from the arrays of all tasks. Returns what changed, as `patch` reads it."""
        ...

    def patch(self, state: Arrays, /) -> None:
        """Take over what `apply` or `state` told elsewhere."""
        ...

    def state(self) -> Arrays:
        """Everything, as `patch` reads it."""
        ...

    def is_finite(self) -> bool:
        """Whether every number in it is one."""
        ...


@runtime_checkable
class Selective(Protocol):
    """A scorer that knows a quicker way to the best items than the scores of all of them."""

    def best(self, items: Items, histories: Histories, n: int, left_out: LeftOut | None, /) -> tuple[Ints, Scores]:
        """(U, min(n, I)) columns and scores, best first, none that is left out: see ranker.py."""
        ...


@runtime_checkable
class Shareable(Protocol):
    """A scorer whose large arrays may lie where several processes see them (hot_path/shared_model.py)."""

    def arrays(self) -> Arrays:
        """By name, with their spare rows. Nothing but `patch` writes to them."""
        ...

    def use(self, arrays: Arrays, /) -> None:
        """Go on in these arrays: of the same names, of as many rows or more."""
        ...

    def patched(self) -> None:
        """The arrays have followed a step: somebody else patched them."""
        ...


class Unlearned:
    """The learning of a scorer that learns nothing but the catalogue."""

    def gradient(self, _items: Items, _batch: TrainingBatch, _rows: Ints, _seed: int, /) -> Learned:
        return Learned()

    def apply(self, _items: Items, _parts: list[Arrays], /) -> Arrays:
        return {}

    def patch(self, _state: Arrays, /) -> None:
        pass

    def state(self) -> Arrays:
        return {}

    def is_finite(self) -> bool:
        return True
