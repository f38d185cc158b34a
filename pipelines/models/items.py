"""The catalogue of a model: its items, what is known of each, and how popular they are."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.features.decay import decay_factor
from pipelines.features.profile import Ints, Words, key_code, key_time_s
from pipelines.model_sections import ModelConfig
from pipelines.models.arrays import Arrays
from pipelines.models.popularity import Popularity
from pipelines.models.ranker import ItemFacts
from pipelines.models.spare import appended
from pipelines.schemas import INTERACTION_CODES

HOUR_S = 3600.0
DAY_S = 86_400
Floats = NDArray[np.float64]
N_CODES = 128
MOST_NEWER = 1_024  # items beside those that are sorted; then all are sorted


class ItemIndex:
    """Items in order of their coming; lookup by hash in O(log I). The newest stand apart, so that one more costs little."""

    def __init__(self, item: Words, older: "_Sorted | None" = None) -> None:
        self.item = item
        self._older = older or _Sorted.of(item, 0)
        n_older = len(self._older.item)
        self._newer = _Sorted.of(item[n_older:], n_older)

    def with_new(self, item: Words) -> "ItemIndex":
        """The index with more items at the end, none of which is in it."""
        grown = appended(self.item, item)
        is_old = len(grown) - len(self._older.item) > MOST_NEWER
        return ItemIndex(grown, None if is_old else self._older)

    def __len__(self) -> int:
        return len(self.item)

    def find(self, item: Words) -> Ints:
        """Column of each item, −1 where there is none."""
        return np.maximum(self._older.find(item), self._newer.find(item))


class _Sorted(NamedTuple):
    """Some of the items by hash, and where they stand."""

    item: Words
    column: Ints

    @classmethod
    def of(cls, item: Words, first_column: int) -> "_Sorted":
        order = np.argsort(item)
        return cls(item[order], order + first_column)

    def find(self, item: Words) -> Ints:
        if not len(self.item):
            return np.full(len(item), -1, np.int64)
        place = np.minimum(np.searchsorted(self.item, item), len(self.item) - 1)
        return np.where(self.item[place] == item, self.column[place], -1)


def weights_of_codes(config: ModelConfig) -> Floats:
    """(128,) how much an event says about taste, by event-type code; signed."""
    weight = np.zeros(N_CODES)
    for event_type, value in config.event_weights.items():
        weight[INTERACTION_CODES[event_type]] = value
    return weight


@dataclass
class Items:
    """I items. An item's column is the same in every part of the model."""

    config: ModelConfig
    index: ItemIndex
    item_id: NDArray[np.object_]  # (I,)
    category: Words  # (I,) hash; 0 where it has none
    brand: Words  # (I,)
    n_events: Ints  # (I,) interactions learned from
    last_s: Ints  # (I,) second of the newest of them, or when the item came
    popularity: Popularity

    @classmethod
    def none(cls, config: ModelConfig) -> "Items":
        """A catalogue before its first item."""
        half_life_s = np.array(config.popularity_half_lives_hours) * HOUR_S
        nothing, never = np.empty(0, np.uint64), np.empty(0, np.int64)
        popularity = Popularity.empty(half_life_s)
        return cls(config, ItemIndex(nothing), np.empty(0, object), nothing, nothing, never, never, popularity)

    def __len__(self) -> int:
        return len(self.index)

    @property
    def is_admitted(self) -> NDArray[np.bool_]:
        """(I,) whether an item has parameters of its own."""
        return self.n_events >= self.config.admit_after_events

    def with_facts(self, facts: ItemFacts, as_of_s: int) -> "Items":
        """The catalogue with what is new in `facts`: unknown items at the end, categories and brands where there are any.

        It shares arrays with this one, and only one of both may go on (spare.py).
        """
        column = self.index.find(facts.item)
        new = facts.at(column < 0)
        grown = Items(
            self.config,
            self.index.with_new(new.item) if len(new.item) else self.index,
            appended(self.item_id, new.item_id),
            appended(self.category, new.category),
            appended(self.brand, new.brand),
            appended(self.n_events, np.zeros(len(new.item), np.int64)),
            appended(self.last_s, np.full(len(new.item), as_of_s)),
            self.popularity.grown(len(new.item)) if len(new.item) else self.popularity,
        )
        known = column >= 0
        for mine, told in ((grown.category, facts.category), (grown.brand, facts.brand)):
            says = known & (told != 0)
            mine[column[says]] = told[says]
        return grown

    def differing(self, facts: ItemFacts) -> ItemFacts:
        """The part of `facts` that this catalogue does not say already."""
        column = self.index.find(facts.item)
        if not len(self):
            return facts
        differs = column < 0
        for mine, told in ((self.category, facts.category), (self.brand, facts.brand)):
            differs |= (told != 0) & (mine[column] != told)
        return facts.at(differs)

    def counted(self, key: Words, item: Words) -> Arrays:
        """The interactions by item: how many, the newest, and their positive weights decayed to the newest of all."""
        time_s = key_time_s(key)
        as_of_s = int(time_s.max(initial=0))
        weight = np.maximum(weights_of_codes(self.config)[key_code(key)], 0.0)
        decayed = weight[:, None] * decay_factor((as_of_s - time_s)[:, None], self.popularity.half_life_s)
        distinct, place = np.unique(item, return_inverse=True)
        last_s = np.zeros(len(distinct), np.int64)
        np.maximum.at(last_s, place, time_s)
        by_half_life = [np.bincount(place, column, len(distinct)) for column in decayed.T]
        return {
            "as_of_s": np.array([as_of_s]),
            "item": distinct,
            "n_events": np.bincount(place, minlength=len(distinct)),
            "last_s": last_s,
            "weight": np.stack(by_half_life, axis=1).ravel(),
        }

    def add(self, part: Arrays) -> Ints:
        """Add what `counted` made elsewhere. Returns the columns it touched; items that are not here are left out."""
        column = self.index.find(part["item"])
        known = column >= 0
        column = column[known]
        weight = part["weight"].reshape(-1, self.popularity.total.shape[1])[known]
        self.n_events[column] += part["n_events"][known]
        self.last_s[column] = np.maximum(self.last_s[column], part["last_s"][known])
        self.popularity.add(column, weight, float(part["as_of_s"][0]))
        return column

    def staying(self) -> Ints | None:
        """Columns of the items that stay; None when all do.

        An item leaves when nobody touched it for `expire_after_days` of event time, and the least popular (by the longest
        half-life) leave when there are more than `max_items`: a tenth at once, for columns are dear to move.
        """
        newest_s = int(self.last_s.max(initial=0))
        alive = np.flatnonzero(self.last_s >= newest_s - self.config.expire_after_days * DAY_S)
        if len(alive) > self.config.max_items:
            popular = np.argsort(-self.popularity.total[alive, -1], kind="stable")
            alive = np.sort(alive[popular[: int(0.9 * self.config.max_items)]])
        elif 10 * len(alive) >= 9 * len(self):
            return None
        return alive

    def only(self, column: Ints) -> "Items":
        """The catalogue of the items at `column` (ascending) alone."""
        return Items(
            self.config,
            ItemIndex(self.index.item[column]),
            self.item_id[column],
            self.category[column],
            self.brand[column],
            self.n_events[column],
            self.last_s[column],
            self.popularity.only(column),
        )

    def state(self, column: Ints) -> Arrays:
        """All that is known of the items at `column`."""
        return {
            "items.landmark_s": self.popularity.landmark_s,
            "items.item": self.index.item[column],
            "items.item_id": self.item_id[column],
            "items.category": self.category[column],
            "items.brand": self.brand[column],
            "items.n_events": self.n_events[column],
            "items.last_s": self.last_s[column],
            "items.popularity": self.popularity.total[column].ravel(),
        }

    def with_state(self, state: Arrays) -> "Items":
        """The catalogue with `state`, which another copy told; new items come in the order told."""
        facts = _in_order(state)
        items = self.with_facts(facts, 0)
        column = items.index.find(facts.item)
        items.n_events[column], items.last_s[column] = state["items.n_events"], state["items.last_s"]
        items.popularity.rebase(state["items.landmark_s"])
        total = items.popularity.total
        total[column] = state["items.popularity"].reshape(-1, total.shape[1])
        return items


def _in_order(state: Arrays) -> ItemFacts:
    return ItemFacts(state["items.item"], state["items.item_id"], state["items.category"], state["items.brand"])
