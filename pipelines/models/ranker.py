"""What the hot path asks of a model. It knows no more of a model than this.

A learner is split in two: `gradient` runs on the executors, over many events; `apply` runs on the driver, once per
micro-batch, over what the gradients sum to. What `apply` changed comes back as a patch, which the executors' copies take.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipelines.features.fold import Timeline
from pipelines.features.profile import Flags, Ints, Words
from pipelines.models.arrays import Arrays

Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Histories:
    """Interactions of U users, flat, by user and time: what the score of an item for a user is made of."""

    n_users: int
    user: Ints  # (E,) index of the user, ascending
    key: Words  # (E,) see features/profile.py
    item: Words  # (E,) item hash
    as_of_s: Ints  # (U,) when the list is for, epoch seconds
    context: Words  # (U, F) hash of what each context field says; 0 where that is not known

    def of_users(self, users: slice) -> "Histories":
        """Of some of the users, who are numbered from 0 again."""
        first, last = np.searchsorted(self.user, (users.start, users.stop))
        at = slice(first, last)
        own = self.user[at] - users.start
        n_users = users.stop - users.start
        return Histories(n_users, own, self.key[at], self.item[at], self.as_of_s[users], self.context[users])

    def only(self, users: Ints) -> "Histories":
        """Of some of the users (ascending), who are numbered from 0 again."""
        if len(users) == self.n_users:
            return self
        row = np.full(self.n_users, -1)
        row[users] = np.arange(len(users))
        at = row[self.user] >= 0
        own = row[self.user[at]]
        return Histories(len(users), own, self.key[at], self.item[at], self.as_of_s[users], self.context[users])


@dataclass(frozen=True)
class LeftOut:
    """Columns that must not come: to anybody, and to one user."""

    of_all: Flags  # (I,)
    user: Ints  # (X,) ascending
    column: Ints  # (X,)

    @classmethod
    def none(cls, n_items: int) -> "LeftOut":
        """Nothing is left out."""
        nobody = np.empty(0, np.int64)
        return cls(np.zeros(n_items, np.bool_), nobody, nobody)

    def of_users(self, users: slice) -> "LeftOut":
        """Of some of the users, who are numbered from 0 again."""
        first, last = np.searchsorted(self.user, (users.start, users.stop))
        return LeftOut(self.of_all, self.user[first:last] - users.start, self.column[first:last])

    def strike(self, scores: Scores) -> None:
        """Make them −inf in scores (U, I)."""
        scores[:, np.flatnonzero(self.of_all)] = -np.inf
        scores[self.user, self.column] = -np.inf


@dataclass(frozen=True)
class ItemFacts:
    """What is known of n items, by hash; the hashes are sorted and unique."""

    item: Words
    item_id: NDArray[np.object_]
    category: Words  # hash of the category; 0 where it has none
    brand: Words  # the same of the brand

    @classmethod
    def none(cls) -> "ItemFacts":
        """Of no item."""
        nothing = np.empty(0, np.uint64)
        return cls(nothing, np.empty(0, object), nothing, nothing)

    @classmethod
    def joined(cls, parts: Sequence["ItemFacts"]) -> "ItemFacts":
        """Of the items of all parts, each once; of what they say of an item, the last that is not "none" holds."""
        told = [np.concatenate([getattr(part, name) for part in parts]) for name in ("item", "category", "brand")]
        distinct, first, place = np.unique(told[0], return_index=True, return_inverse=True)
        item_id = np.concatenate([part.item_id for part in parts])[first]
        return cls(distinct, item_id, *(last_told(place, values, len(distinct)) for values in told[1:]))

    def at(self, rows: NDArray[np.bool_] | Ints) -> "ItemFacts":
        """Of some of the items."""
        return ItemFacts(self.item[rows], self.item_id[rows], self.category[rows], self.brand[rows])


def last_told(place: Ints, values: Words, n: int) -> Words:
    """(n,) the last value other than 0 at each place."""
    told = np.zeros(n, np.uint64)
    says = values != 0
    told[place[says]] = values[says]  # of equal places the last assignment holds
    return told


@dataclass(frozen=True)
class TrainingBatch:
    """The part of a micro-batch that one task has, to learn from."""

    timeline: Timeline  # M rows
    context: Words  # (M, F) as in Histories; 0 in rows that are not learned from
    facts: ItemFacts  # of the items in the micro-batch
    max_examples: int  # sample evenly when there are more


@dataclass(frozen=True)
class Gradient:
    """What one task adds to the model, and how well the model knew it before."""

    data: bytes  # what `apply` takes
    n_examples: int = 0
    loss: float = 0.0  # Σ over the examples, nats; 0 of a ranker that minimises none, NaN where a number is none
    loss_of_popularity: float = 0.0  # the same of popularity alone


class Ranker(Protocol):
    """Scores every item for many users at once, and learns.

    Same inputs, same bytes: no clock and no unseeded chance inside.
    """

    @property
    def n_items(self) -> int: ...

    @property
    def as_of_s(self) -> int:
        """Second of the newest interaction in it; 0 before the first."""
        ...

    @property
    def item_ids(self) -> NDArray[np.object_]:
        """(I,) names of the items, in the order of the score columns."""
        ...

    def find(self, item: Words) -> Ints:
        """The score column of each item hash, −1 where there is none."""
        ...

    def facts(self) -> ItemFacts:
        """What is known of its items, by column and not by hash; it changes when the model does."""
        ...

    def with_items(self, facts: ItemFacts, timeline: Timeline) -> "Ranker":
        """A copy that also ranks those of the items it did not know, by `facts` and by what `timeline` has of them alone:
        so that an item can be shown at once. It costs what the new items are, and stays as it is when this one learns on.
        """
        ...

    def score(self, histories: Histories) -> Scores:
        """(U, I) higher is better; comparable within a user only."""
        ...

    def best(self, histories: Histories, n: int, left_out: LeftOut | None = None) -> tuple[Ints, Scores]:
        """(U, min(n, I)) columns and scores of the items with the highest ones, best first.

        Where there are not enough that are not left out, the score is −inf, and the column means nothing.

        Exact, or of a large catalogue nearly so: the scores are, and what is missed is as good as what is there.
        Equal scores come in an order that depends on the catalogue alone. Memory is bounded, however many users there are.
        """
        ...

    def popularity(self) -> NDArray[np.float64]:
        """(I,) decayed popularity: what the model is measured against, and what fills a list."""
        ...

    def gradient(self, batch: TrainingBatch, seed: int) -> Gradient:
        """What the rows to learn from add to the model, however many they are: bounded."""
        ...

    def apply(self, gradients: list[bytes], *, learns: bool = True) -> bytes:
        """Take one step and return it as a patch. The order of `gradients` matters to the last bit: sort them by partition.

        learns: without it the catalogue and its popularity go on, and all else stays as it is.
        """
        ...

    def patch(self, patch: bytes, *, but_arrays: bool = False) -> None:
        """Follow a step that `apply` took elsewhere. Twice is as good as once.

        but_arrays: `arrays()` have followed already, for another process has them too.
        """
        ...

    def arrays(self) -> Arrays:
        """The large arrays that processes can share, by name, with their spare rows; none of a model that has no such."""
        ...

    def use(self, arrays: Arrays) -> None:
        """Go on in these arrays in place of its own."""
        ...

    def trim(self) -> bool:
        """Drop dead items, and the least popular where there are more than the model may hold. True: columns have moved."""
        ...

    def is_finite(self) -> bool:
        """Whether every number in it is one."""
        ...

    def to_bytes(self) -> bytes:
        """The whole model, with the configuration it was made with."""
        ...
