"""The factorization machine as a textbook has it: one example at a time, one item at a time, in plain float64.

What the vectorised one must equal. Sources: Rendle, "Factorization Machines", ICDM 2010; Bengio, Senécal 2008 (log-Q).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.features.profile import key_code, key_time_s
from pipelines.model_sections import ModelConfig
from pipelines.models.items import Items
from pipelines.models.ranker import TrainingBatch
from pipelines.schemas import INTERACTION_CODES
from tests.models.builders import HOUR_S

Tables = dict[str, NDArray[np.float64]]
Past = list[tuple[int, int, float]]  # column, age in seconds, weight of the event; oldest first


@dataclass(frozen=True)
class Choice:
    """A user chose an item."""

    column: int
    weight: float
    past: Past
    context: list[int]  # hashes

    @property
    def own(self) -> set[int]:
        return {column for column, _, _ in self.past}


@dataclass(frozen=True)
class Textbook:
    """The model equation and its loss."""

    config: ModelConfig
    items: Items
    tables: Tables

    def vector(self, column: int) -> NDArray[np.float64]:
        """p_i; what is not known of an item, or not admitted, is no parameter."""
        fm = self.config.factorization
        vector = self.own("item", column)
        for name, rows, value in (
            ("category", fm.category_rows, int(self.items.category[column])),
            ("brand", fm.brand_rows, int(self.items.brand[column])),
        ):
            if value:
                vector = vector + self.tables[name][value % (rows - 1) + 1]
        return vector

    def own(self, name: str, column: int) -> NDArray[np.float64]:
        admitted = self.items.n_events[column] >= self.config.admit_after_events
        return self.tables[name][column] if admitted else np.zeros(self.tables[name].shape[1])

    def shares(self, past: Past) -> list[tuple[int, float]]:
        """ŵ of each interaction."""
        decayed = [(column, weight * halved(age, self.config.factorization.history_half_life_hours))
                   for column, age, weight in past]  # fmt: skip
        size = sum(abs(weight) for _, weight in decayed) ** self.config.factorization.history_normalization
        return [(column, weight / size) for column, weight in decayed] if size else []

    def context_rows(self, context: list[int]) -> list[int]:
        n = self.config.factorization.context_rows
        return [1 + field * n + value % n for field, value in enumerate(context) if value]

    def query(self, past: Past, context: list[int]) -> NDArray[np.float64]:
        query = np.zeros(self.config.factorization.dimensions)
        for column, share in self.shares(past):
            query = query + share * self.own("history", column)
        for row in self.context_rows(context):
            query = query + self.tables["context"][row]
        return query

    def popularity_terms(self, column: int) -> list[float]:
        total, smoothing = self.items.popularity.total, self.config.factorization.popularity_smoothing
        return [
            math.log(of_item * len(total) / sum(total[:, k]) + smoothing) for k, of_item in enumerate(total[column])
        ]

    def repeat_terms(self, past: Past, column: int) -> list[float]:
        mine = [(age, weight) for of, age, weight in past if of == column]
        if not mine:
            return [0.0] * 5
        decayed = [
            math.log1p(max(sum(weight * halved(age, hours) for age, weight in mine), 0.0))
            for hours in self.config.factorization.repeat_half_lives_hours
        ]
        moments = {age for _, age, _ in past}
        return [*decayed, 1.0, math.log1p(len(mine)), len(mine) / len(moments)]

    def affinity(self, past: Past, column: int) -> float:
        return self.config.factorization.own_item_affinity if column in {of for of, _, _ in past} else 1.0

    def terms(self, past: Past, column: int) -> list[float]:
        return [*self.popularity_terms(column), *self.repeat_terms(past, column)]

    def score(self, past: Past, context: list[int], column: int) -> float:
        by_terms = sum(w * t for w, t in zip(self.tables["term"][:, 0], self.terms(past, column), strict=True))
        by_vectors = self.affinity(past, column) * float(self.query(past, context) @ self.vector(column))
        return float(self.own("bias", column)[0]) + by_vectors + by_terms

    def probabilities(self, choice: Choice, negatives: list[int], log_expected: list[float]) -> dict[int, float]:
        """Softmax over the chosen item, all own ones, and the negatives; corrected by how often an item is a candidate."""
        among = [choice.column, *sorted({*negatives, *choice.own} - {choice.column})]
        corrected = {
            column: self.score(choice.past, choice.context, column)
            - (0.0 if column in choice.own else log_expected[column])
            for column in among
        }
        highest = max(corrected.values())
        total = sum(math.exp(score - highest) for score in corrected.values())
        return {column: math.exp(score - highest) / total for column, score in corrected.items()}

    def loss(self, choice: Choice, negatives: list[int], log_expected: list[float]) -> float:
        return -math.log(self.probabilities(choice, negatives, log_expected)[choice.column])


def halved(age_s: float, hours: float) -> float:
    return 0.5 ** (age_s / (hours * HOUR_S))


def choices(batch: TrainingBatch, items: Items, config: ModelConfig) -> list[Choice]:
    """Every positive interaction with an admitted item that is to be learned from, after what its user did in earlier seconds."""
    weight_of = {INTERACTION_CODES[name]: weight for name, weight in config.event_weights.items()}
    rows = [
        (int(user), int(key_time_s(key[None])[0]), weight_of[int(key_code(key[None])[0])], int(items.index.find(item[None])[0]))
        for user, key, item in zip(batch.timeline.user, batch.timeline.key, batch.timeline.item, strict=True)
    ]  # fmt: skip
    made = []
    for place, (user, second, weight, column) in enumerate(rows):
        if not batch.timeline.learn[place] or weight <= 0 or column < 0:
            continue
        if items.n_events[column] < config.admit_after_events:
            continue
        earlier = [row for row in rows[:place] if row[0] == user and row[1] < second]
        past = [(of, second - then, w) for _, then, w, of in earlier[-config.factorization.history_items :] if of >= 0]
        context = batch.context[place].tolist()
        made.append(Choice(column, weight / max(config.event_weights.values()), past, context))
    return made
