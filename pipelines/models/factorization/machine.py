"""The factorization machine as a Scorer: how it scores, what it learns from, how a step is applied."""

from functools import partial

import numpy as np

from pipelines.features.profile import Flags, Ints, Words
from pipelines.model_sections import FactorizationConfig, ModelConfig
from pipelines.models.arrays import Arrays
from pipelines.models.best import best_of_all
from pipelines.models.factorization.examples import context_rows, draw_negatives, examples_of
from pipelines.models.factorization.gradient import gradient_of
from pipelines.models.factorization.item_side import ItemSide
from pipelines.models.factorization.kept import Kept
from pipelines.models.factorization.pruning import HEAD_ITEMS, Own
from pipelines.models.factorization.tables import BY_ITEM, Matrix, Table, empty_tables, joined, random_vectors
from pipelines.models.factorization.user_side import Pooling, Repeats, pooling, repeats
from pipelines.models.items import Items
from pipelines.models.past import Past, past_of
from pipelines.models.ranker import Histories, LeftOut, Scores, TrainingBatch
from pipelines.models.scorer import Learned


class FactorizationMachine:
    """Scores by history, context, category, brand, popularity and repetition; learns all of it online."""

    def __init__(self, config: ModelConfig, tables: dict[str, Table]) -> None:
        self._config = config
        self.tables = tables
        self._kept = Kept()

    @classmethod
    def empty(cls, config: ModelConfig) -> "FactorizationMachine":
        """One that has not learned: it ranks by popularity."""
        n_fields, n_popularity = len(config.context_fields), len(config.popularity_half_lives_hours)
        return cls(config, empty_tables(config.factorization, n_fields, n_popularity))

    def score(self, items: Items, histories: Histories, /) -> Scores:
        side = self._side(items)
        of_items = self._kept.scores(side)
        queries, own = self.user_side(items, histories)
        scores: Scores = of_items.of_all(queries, by_parts=len(items) > self._fm.exact_up_to_items)
        scores[own.row, own.column] += own.bonus
        return scores

    def best(self, items: Items, histories: Histories, n: int, left_out: LeftOut | None, /) -> tuple[Ints, Scores]:
        """Exact in a catalogue of `exact_up_to_items`; in a larger one see pruning.py."""
        if len(items) <= self._fm.exact_up_to_items or not n <= HEAD_ITEMS // 2 <= len(items) // 4:
            return best_of_all(partial(self.score, items), len(items), histories, n, left_out)
        side = self._side(items)
        of_items = self._kept.scores(side)
        queries, own = self.user_side(items, histories)
        return self._kept.shelves(of_items).best(queries, of_items, own, n, left_out)

    def user_side(self, items: Items, histories: Histories) -> tuple[Matrix, Own]:
        """Q (U, d), and what is different about the items met before."""
        column = items.index.find(histories.item)
        past = past_of(
            self._config,
            histories.n_users,
            histories.user,
            column,
            histories.key,
            histories.as_of_s,
            most=self._fm.history_items,
        )
        queries = self._pooling(past, histories.context).queries(self.tables["history"], self.tables["context"])
        return queries, self._own(self._side(items), repeats(past, len(items), self._fm), queries)

    def gradient(self, items: Items, batch: TrainingBatch, rows: Ints, seed: int, /) -> Learned:
        examples = examples_of(batch.timeline, rows, items, self._config)
        if not len(examples.column):
            return Learned()
        random = np.random.default_rng(seed)
        negatives = draw_negatives(items, self._fm.negatives, self._fm.negatives_exponent, random)
        kept = random.random(len(examples.past.row)) >= self._fm.history_dropout
        pooled = self._pooling(examples.past, batch.context[examples.row], kept)
        return gradient_of(self._side(items), examples, negatives, pooled)

    def apply(self, items: Items, parts: list[Arrays], /) -> Arrays:
        touched = {name: np.empty(0, np.int64) for name in self.tables}
        touched["history"] = self._start_admitted(items)
        if fitting := [part for part in parts if self._fits(part)]:
            for name, table in self.tables.items():
                named, gradient = joined(name, fitting, table.n_dimensions)
                row = items.index.find(named.astype(np.uint64)) if name in BY_ITEM else named.astype(np.int64)
                here = row >= 0
                table.step(row[here], gradient[here], self._rate(name), self._fm.l2)
                touched[name] = np.union1d(touched[name], row[here])
        self._kept.step()
        return self._state_of(touched)

    def grow(self, n_new: int, /) -> "FactorizationMachine":
        if not n_new:
            return self
        new_rows = {name: n_new if name in BY_ITEM else 0 for name in self.tables}
        start = self._fm.initial_accumulator
        grown = self._with({name: table.grown(new_rows[name], start) for name, table in self.tables.items()})
        grown._kept = self._kept.for_copy()
        return grown

    def only(self, column: Ints, /) -> "FactorizationMachine":
        rows = {
            name: column if name in BY_ITEM else np.arange(len(table.values)) for name, table in self.tables.items()
        }
        return self._with({name: table.only(rows[name]) for name, table in self.tables.items()})

    def patch(self, state: Arrays, /) -> None:
        for name, table in self.tables.items():
            table.set({part: state[f"{name}.{part}"] for part in ("row", "values", "accumulator")})
        self.patched()

    def patched(self) -> None:
        self._kept.step()

    def arrays(self) -> Arrays:
        buffers = {name: table.buffers() for name, table in self.tables.items()}
        return {f"{name}.{part}": array for name, arrays in buffers.items() for part, array in arrays.items()}

    def use(self, arrays: Arrays, /) -> None:
        for name, table in self.tables.items():
            n = len(table.values)
            self.tables[name] = Table(arrays[f"{name}.values"][:n], arrays[f"{name}.accumulator"][:n])

    def state(self) -> Arrays:
        return self._state_of({name: self._learned_rows(table) for name, table in self.tables.items()})

    def is_finite(self) -> bool:
        return all(np.isfinite(table.values).all() for table in self.tables.values())

    @property
    def _fm(self) -> FactorizationConfig:
        return self._config.factorization

    def _own(self, side: ItemSide, repeated: Repeats, queries: Matrix) -> Own:
        row, column = repeated.own.row, repeated.own.column
        product = np.einsum("pd,pd->p", queries[row], side.vectors(column))
        less = np.float32(1.0 - self._fm.own_item_affinity) * product
        return Own(row, column, side.repeat_scores(repeated.terms) - less)

    def _side(self, items: Items) -> ItemSide:
        return ItemSide(self._config, self.tables, items)

    def _pooling(self, past: Past, context: Words, kept: Flags | None = None) -> Pooling:
        return pooling(past, context_rows(context, self._fm.context_rows), self._fm, kept)

    def _start_admitted(self, items: Items) -> Ints:
        """Give history vectors to items that have just been admitted: at random, for zeros would never learn."""
        history = self.tables["history"]
        fresh = np.flatnonzero(items.is_admitted & (history.accumulator == self._fm.initial_accumulator))
        fresh = fresh[~history.values[fresh].any(axis=1)]
        item = items.index.item[fresh]
        history.values[fresh] = random_vectors(item, history.n_dimensions, self._fm.initial_scale)
        return fresh

    def _rate(self, name: str) -> float:
        special = {"bias": self._fm.bias_learning_rate, "term": self._fm.term_learning_rate}
        return special.get(name, self._fm.learning_rate)

    def _fits(self, part: Arrays) -> bool:
        """Whether a gradient is of a model of this shape: not so just after another model took this one's place."""
        if "item.row" not in part:
            return False
        return len(part["item.gradient"]) == len(part["item.row"]) * self.tables["item"].n_dimensions

    def _learned_rows(self, table: Table) -> Ints:
        return np.flatnonzero(table.values.any(axis=1) | (table.accumulator != self._fm.initial_accumulator))

    def _with(self, tables: dict[str, Table]) -> "FactorizationMachine":
        return FactorizationMachine(self._config, self.tables | tables)

    def _state_of(self, rows: dict[str, Ints]) -> Arrays:
        state = {name: self.tables[name].state(row) for name, row in rows.items()}
        return {f"{name}.{part}": array for name, arrays in state.items() for part, array in arrays.items()}
