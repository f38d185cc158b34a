"""The baseline ranker: a mixture of three distributions over the items.

P(i | u) = a · own(i | u) + b · Σⱼ own(j | u) · next(i | j) + (1 − a − b) · popular(i)

own: the user's decayed, signed event weights, clipped at 0 and normalised; next: decayed co-occurrence, normalised by row;
popular: decayed popularity. Linear interpolation of a personal, a neighbourhood and a global model (Jelinek, Mercer 1980).
"""

import numpy as np
from numpy.typing import NDArray

from pipelines.features.decay import decay_factor
from pipelines.features.fold import Timeline
from pipelines.features.profile import Ints, Words, key_code, key_time_s
from pipelines.models.arrays import Arrays, from_bytes, to_bytes
from pipelines.models.co_occurrence import CoOccurrence, Rows
from pipelines.models.items import ItemIndex
from pipelines.models.popularity import Popularity
from pipelines.models.ranker import Histories, NewItems, Scores
from pipelines.schemas import INTERACTION_CODES
from pipelines.sections import ModelConfig

HOUR_S = 3600.0
Floats = NDArray[np.float64]


class Baseline:
    """Own history, co-occurrence and popularity; bounded by `max_items` × `neighbours_per_item`."""

    def __init__(self, config: ModelConfig, index: ItemIndex, popularity: Popularity, pairs: CoOccurrence) -> None:
        self.config = config
        self._index = index
        self._popularity = popularity
        self._pairs = pairs
        self._weight_of_code = np.zeros(128)
        for event_type, weight in config.event_weights.items():
            self._weight_of_code[INTERACTION_CODES[event_type]] = weight

    @classmethod
    def empty(cls, config: ModelConfig) -> "Baseline":
        """A model that knows nothing yet."""
        return cls(
            config,
            ItemIndex(np.empty(0, np.uint64), np.empty(0, object)),
            Popularity(np.empty(0), 0.0, config.popularity_half_life_hours * HOUR_S),
            CoOccurrence.empty(0, config.neighbours_per_item, config.co_occurrence_half_life_hours * HOUR_S),
        )

    @property
    def n_items(self) -> int:
        return len(self._index)

    @property
    def item_ids(self) -> NDArray[np.object_]:
        return self._index.item_id

    def unknown(self, item: Words) -> Words:
        distinct = np.unique(item)
        return distinct[self._index.find(distinct) < 0]

    def with_items(self, items: NewItems, timeline: Timeline) -> "Baseline":
        if not len(items.item):
            return self
        copy = self._grown(items)
        item, weight, as_of_s = copy._decayed_by_item(timeline)
        column = copy._index.find(item)
        added = column >= self.n_items  # what is known already is counted when the patch comes
        copy._popularity.add(column[added], weight[added], as_of_s)
        return copy

    def score(self, histories: Histories) -> Scores:
        share = 1.0 - self.config.own_history_share - self.config.co_occurrence_share
        scores = np.empty((histories.n_users, self.n_items + 1), np.float32)  # the last column takes the empty slots
        scores[:, :-1] = share * self._popularity.share()
        scores[:, -1] = 0.0
        user, column, own = self._own_history(histories)
        start = user * (self.n_items + 1)
        flat = scores.reshape(-1)
        flat[start + column] += self.config.own_history_share * own
        neighbour, next_share = self._pairs.shares(column)
        at = start[:, None] + np.where(neighbour < 0, self.n_items, neighbour)
        np.add.at(flat, at.ravel(), (next_share * (self.config.co_occurrence_share * own[:, None])).ravel())
        return scores[:, :-1]

    def gradient(self, timeline: Timeline, new_items: NewItems, seed: int) -> bytes:
        item, weight, as_of_s = self._decayed_by_item(timeline)
        first, second, pair_weight = self._pairs_in(timeline, as_of_s, seed)
        return to_bytes(
            {
                "as_of_s": np.array([as_of_s]),
                "item": item,
                "weight": weight,
                "first": first,
                "second": second,
                "pair_weight": pair_weight,
                "new_item": new_items.item,
                "new_item_id": new_items.item_id,
            }
        )

    def apply(self, gradients: list[bytes]) -> bytes:
        parts = [from_bytes(gradient) for gradient in gradients]
        new_items = _distinct_items(parts)
        before = self.n_items
        self._become(self._grown(self._unknown_of(new_items)))
        touched = [np.arange(before, self.n_items)]
        for part in parts:
            column = self._index.find(part["item"])
            self._popularity.add(column, part["weight"], float(part["as_of_s"][0]))
            touched.append(column)
        rows = self._add_pairs([part for part in parts if len(part["first"])])
        return self._state_of(slice(before, None), np.unique(np.concatenate(touched)), rows)

    def _add_pairs(self, parts: list[Arrays]) -> Ints:
        """Add the pairs of all parts at once, decayed to the newest of them. Returns the rows that changed."""
        if not parts:
            return np.empty(0, np.int64)
        as_of_s = max(float(part["as_of_s"][0]) for part in parts)
        weights = [
            part["pair_weight"] * decay_factor(as_of_s - float(part["as_of_s"][0]), self._pairs.half_life_s)
            for part in parts
        ]
        first, second = (
            self._index.find(np.concatenate([part[name] for part in parts])) for name in ("first", "second")
        )
        return self._pairs.add(first, second, np.concatenate(weights), as_of_s).column

    def trim(self) -> bool:
        if self.n_items <= self.config.max_items:
            return False
        stays = np.argsort(-self._popularity.total, kind="stable")[: int(0.9 * self.config.max_items)]
        stays.sort()
        self._index = ItemIndex(self._index.item[stays], self._index.item_id[stays])
        self._popularity.total = self._popularity.total[stays]
        self._pairs = self._pairs.only(stays)
        return True

    def patch(self, patch: bytes) -> None:
        values = from_bytes(patch)
        self._become(self._grown(NewItems(values["item"], values["item_id"])))
        self._popularity.rebase(float(values["landmark_s"][0]))
        self._popularity.total[values["popularity_at"]] = values["popularity"]
        self._pairs.rebase(float(values["landmark_s"][1]))
        shape = (-1, self.config.neighbours_per_item)
        self._pairs.set_rows(
            Rows(values["row"], values["neighbour"].reshape(shape), values["neighbour_weight"].reshape(shape))
        )

    def to_bytes(self) -> bytes:
        everything = np.arange(self.n_items)
        return self._state_of(slice(None), everything, everything)

    @classmethod
    def from_bytes(cls, config: ModelConfig, data: bytes) -> "Baseline":
        """Read what `to_bytes` wrote under the same configuration."""
        model = cls.empty(config)
        model.patch(data)
        return model

    def _state_of(self, items: slice, popularity_at: Ints, row: Ints) -> bytes:
        return to_bytes(
            {
                "landmark_s": np.array([self._popularity.landmark_s, self._pairs.landmark_s]),
                "item": self._index.item[items],
                "item_id": self._index.item_id[items],
                "popularity_at": popularity_at,
                "popularity": self._popularity.total[popularity_at],
                "row": row,
                "neighbour": self._pairs.neighbour[row].ravel(),
                "neighbour_weight": self._pairs.weight[row].ravel(),
            }
        )

    def _own_history(self, histories: Histories) -> tuple[Ints, Ints, NDArray[np.float32]]:
        """(user, column, share): the items of each user with a positive decayed weight; a user's shares add up to 1."""
        column = self._index.find(histories.item)
        known = column >= 0
        user, column, key = histories.user[known], column[known], histories.key[known]
        time_s = key_time_s(key).astype(np.float64)
        latest = np.zeros(histories.n_users)
        np.maximum.at(latest, user, time_s)
        weight = self._weight_of_code[key_code(key)] * decay_factor(
            latest[user] - time_s, self.config.history_half_life_hours * HOUR_S
        )
        pair, place = np.unique(user * self.n_items + column, return_inverse=True)
        total = np.maximum(np.bincount(place, weights=weight, minlength=len(pair)), 0.0)
        user, column = np.divmod(pair, max(self.n_items, 1))
        everything = np.bincount(user, weights=total, minlength=histories.n_users)[user]
        share = np.divide(total, everything, out=np.zeros_like(total), where=everything > 0)
        return user, column, share.astype(np.float32)

    def _decayed_by_item(self, timeline: Timeline) -> tuple[Words, Floats, float]:
        """Positive weights of the interactions to learn from, summed by item and decayed to the newest of them."""
        key = timeline.key[timeline.learn]
        time_s = key_time_s(key).astype(np.float64)
        as_of_s = float(time_s.max(initial=0.0))
        weight = np.maximum(self._weight_of_code[key_code(key)], 0.0)
        weight = weight * decay_factor(as_of_s - time_s, self._popularity.half_life_s)
        item, place = np.unique(timeline.item[timeline.learn], return_inverse=True)
        return item, np.bincount(place, weights=weight, minlength=len(item)).astype(np.float64), as_of_s

    def _pairs_in(self, timeline: Timeline, as_of_s: float, seed: int) -> tuple[Words, Words, Floats]:
        """Each interaction to learn from with the same user's few before it, of other items."""
        at = np.flatnonzero(timeline.learn)
        if len(at) > self.config.max_examples_per_task:
            chosen = np.random.default_rng(seed).choice(len(at), self.config.max_examples_per_task, replace=False)
            at = at[np.sort(chosen)]
        lag = np.arange(1, self.config.pairs_per_interaction + 1)
        later = np.repeat(at, len(lag))
        earlier = later - np.tile(lag, len(at))
        later, earlier = later[earlier >= 0], earlier[earlier >= 0]
        paired = (timeline.user[earlier] == timeline.user[later]) & (timeline.item[earlier] != timeline.item[later])
        later, earlier = later[paired], earlier[paired]
        weight = self._pair_weight(timeline.key[later], timeline.key[earlier], as_of_s)
        return timeline.item[earlier][weight > 0], timeline.item[later][weight > 0], weight[weight > 0]

    def _pair_weight(self, later: Words, earlier: Words, as_of_s: float) -> Floats:
        positive = np.maximum(self._weight_of_code, 0.0)
        time_s = key_time_s(later)
        strength: Floats = np.sqrt(positive[key_code(later)] * positive[key_code(earlier)])
        nearness = decay_factor(time_s - key_time_s(earlier), self.config.pair_half_life_hours * HOUR_S)
        return strength * nearness * decay_factor(as_of_s - time_s, self._pairs.half_life_s)

    def _unknown_of(self, items: NewItems) -> NewItems:
        unknown = self._index.find(items.item) < 0
        return NewItems(items.item[unknown], items.item_id[unknown])

    def _grown(self, items: NewItems) -> "Baseline":
        if not len(items.item):
            return self
        return Baseline(
            self.config,
            self._index.with_items(items.item, items.item_id),
            self._popularity.grown(len(items.item)),
            self._pairs.grown(len(items.item)),
        )

    def _become(self, other: "Baseline") -> None:
        self._index, self._popularity, self._pairs = other._index, other._popularity, other._pairs


def _distinct_items(parts: list[Arrays]) -> NewItems:
    item = np.concatenate([part["new_item"] for part in parts]) if parts else np.empty(0, np.uint64)
    item_id = np.concatenate([part["new_item_id"] for part in parts]) if parts else np.empty(0, object)
    distinct, first = np.unique(item, return_index=True)
    return NewItems(distinct, item_id[first])
