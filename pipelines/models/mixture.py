"""A mixture of three distributions over the items, and its two parts as rankers of their own.

P(i | u) = a · own(i | u) + b · Σⱼ own(j | u) · next(i | j) + (1 − a − b) · popular(i)

own: the user's decayed, signed event weights, clipped at 0 and normalised; next: decayed co-occurrence, normalised by row;
popular: decayed popularity of the shortest half-life. Linear interpolation of a personal, a neighbourhood and a global model
(Jelinek, Mercer 1980).
"""

import numpy as np

from pipelines.features.decay import decay_factor
from pipelines.features.fold import Timeline
from pipelines.features.profile import Ints, Words, key_code, key_time_s
from pipelines.model_sections import ModelConfig
from pipelines.models.arrays import Arrays
from pipelines.models.co_occurrence import CoOccurrence, Rows
from pipelines.models.items import HOUR_S, Floats, Items, weights_of_codes
from pipelines.models.own_history import own_shares
from pipelines.models.ranker import Histories, Scores, TrainingBatch
from pipelines.models.scorer import Learned


class Mixture:
    """Own history, co-occurrence and popularity, `own_share` and `next_share` of the first two.

    Bounded by `max_items` × `neighbours_per_item`.
    """

    def __init__(self, config: ModelConfig, own_share: float, next_share: float, pairs: CoOccurrence) -> None:
        self._config = config
        self._own_share = own_share
        self._next_share = next_share
        self._pairs = pairs

    @classmethod
    def empty(cls, config: ModelConfig, own_share: float, next_share: float) -> "Mixture":
        """A mixture that knows no pairs yet."""
        half_life_s = config.mixture.co_occurrence_half_life_hours * HOUR_S
        return cls(
            config, own_share, next_share, CoOccurrence.empty(0, config.mixture.neighbours_per_item, half_life_s)
        )

    @property
    def pairs(self) -> CoOccurrence:
        """Which items go together."""
        return self._pairs

    def score(self, items: Items, histories: Histories, /) -> Scores:
        n_items = len(items)
        scores = np.empty((histories.n_users, n_items + 1), np.float32)  # the last column takes the empty slots
        scores[:, :-1] = (1.0 - self._own_share - self._next_share) * items.popularity.shares()[:, 0]
        scores[:, -1] = 0.0
        user, column, own = own_shares(self._config, items, histories)
        start = user * (n_items + 1)
        flat = scores.reshape(-1)
        flat[start + column] += self._own_share * own
        neighbour, next_share = self._pairs.shares(column)
        at = start[:, None] + np.where(neighbour < 0, n_items, neighbour)
        np.add.at(flat, at.ravel(), (next_share * (self._next_share * own[:, None])).ravel())
        return scores[:, :-1]

    def grow(self, n_new: int, /) -> "Mixture":
        return self._with(self._pairs.grown(n_new)) if n_new else self

    def only(self, column: Ints, /) -> "Mixture":
        return self._with(self._pairs.only(column))

    def gradient(self, _items: Items, batch: TrainingBatch, rows: Ints, _seed: int, /) -> Learned:
        timeline = batch.timeline
        as_of_s = float(key_time_s(timeline.key[rows]).max(initial=0))
        first, second, weight = self._pairs_in(timeline, rows, as_of_s)
        pairs = {"first": first, "second": second, "pair_weight": weight, "pair_as_of_s": np.array([as_of_s])}
        return Learned(pairs, n_examples=len(rows))

    def apply(self, items: Items, parts: list[Arrays], /) -> Arrays:
        parts = [part for part in parts if len(part.get("first", ()))]
        if not parts:
            return self._state_of(np.empty(0, np.int64))
        as_of_s = max(float(part["pair_as_of_s"][0]) for part in parts)
        weights = [
            part["pair_weight"] * decay_factor(as_of_s - float(part["pair_as_of_s"][0]), self._pairs.half_life_s)
            for part in parts
        ]
        first, second = (
            items.index.find(np.concatenate([part[name] for part in parts])) for name in ("first", "second")
        )
        known = (first >= 0) & (second >= 0)
        rows = self._pairs.add(first[known], second[known], np.concatenate(weights)[known], as_of_s)
        return self._state_of(rows.column)

    def patch(self, state: Arrays, /) -> None:
        self._pairs.rebase(float(state["pairs.landmark_s"][0]))
        shape = (-1, self._config.mixture.neighbours_per_item)
        self._pairs.set_rows(
            Rows(state["pairs.row"], state["pairs.neighbour"].reshape(shape), state["pairs.weight"].reshape(shape))
        )

    def state(self) -> Arrays:
        return self._state_of(np.arange(len(self._pairs.neighbour)))

    def is_finite(self) -> bool:
        return bool(np.isfinite(self._pairs.weight).all())

    def _with(self, pairs: CoOccurrence) -> "Mixture":
        return Mixture(self._config, self._own_share, self._next_share, pairs)

    def _state_of(self, row: Ints) -> Arrays:
        return {
            "pairs.landmark_s": np.array([self._pairs.landmark_s]),
            "pairs.row": row,
            "pairs.neighbour": self._pairs.neighbour[row].ravel(),
            "pairs.weight": self._pairs.weight[row].ravel(),
        }

    def _pairs_in(self, timeline: Timeline, rows: Ints, as_of_s: float) -> tuple[Words, Words, Floats]:
        """Each interaction to learn from with the same user's few before it, of other items."""
        lag = np.arange(1, self._config.mixture.pairs_per_interaction + 1)
        later = np.repeat(rows, len(lag))
        earlier = later - np.tile(lag, len(rows))
        later, earlier = later[earlier >= 0], earlier[earlier >= 0]
        paired = (timeline.user[earlier] == timeline.user[later]) & (timeline.item[earlier] != timeline.item[later])
        later, earlier = later[paired], earlier[paired]
        weight = self._pair_weight(timeline.key[later], timeline.key[earlier], as_of_s)
        return timeline.item[earlier][weight > 0], timeline.item[later][weight > 0], weight[weight > 0]

    def _pair_weight(self, later: Words, earlier: Words, as_of_s: float) -> Floats:
        positive = np.maximum(weights_of_codes(self._config), 0.0)
        time_s = key_time_s(later)
        strength: Floats = np.sqrt(positive[key_code(later)] * positive[key_code(earlier)])
        nearness = decay_factor(time_s - key_time_s(earlier), self._config.mixture.pair_half_life_hours * HOUR_S)
        return strength * nearness * decay_factor(as_of_s - time_s, self._pairs.half_life_s)
