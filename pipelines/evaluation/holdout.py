"""A model, held still, judged by what users chose later: their lists at that moment, beside those of the baselines.

A list is that of the whole catalogue that the model knows, without the shop's rules. What is relevant to it: what the user
chose at its moment and in the hours after it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from pipelines.evaluation.list_qualities import diversity, miscalibration, novelty, self_information
from pipelines.evaluation.metrics import NO_ITEM, Flags, Floats, Hits, Ints, hits_of
from pipelines.evaluation.rankings import (
    MODEL,
    RANKINGS,
    SCORES_AT_ONCE,
    at_column,
    best_by_id,
    choice_rows,
    columns_by_id,
    log_probabilities,
    scores_of,
)
from pipelines.features.profile import Words, key_code, key_time_s
from pipelines.model_sections import ModelConfig
from pipelines.models.arrays import Arrays
from pipelines.models.items import weights_of_codes
from pipelines.models.model import Model
from pipelines.models.past import earlier_seconds, ranges
from pipelines.models.progressive import histories_before
from pipelines.models.ranker import Histories, TrainingBatch

MOST_LATER = 200  # interactions after a choice that are looked at
HOUR_S = 3_600


@dataclass(frozen=True)
class ItemReference:
    """What the events, not a model, say of I items: the same for every model that is judged."""

    item: Words  # (I,) ascending
    first_s: Ints  # (I,) of the first interaction
    n_before: Ints  # (I,) interactions before the holdout

    def place(self, item: Words) -> Ints:
        """Of each item; −1 where it is none of these."""
        if not len(self.item):
            return np.full(len(item), -1, np.int64)
        place = np.minimum(np.searchsorted(self.item, item), len(self.item) - 1)
        return np.where(self.item[place] == item, place, -1)

    def first_of(self, item: Words) -> Ints:
        """(n,) second of the first interaction; 0 of an unknown item."""
        place = self.place(item)
        return np.where(place >= 0, self.first_s[place], 0) if len(self.item) else np.zeros(len(item), np.int64)

    def information_of(self, item: Words) -> Floats:
        """(n,) bits; an item that nobody touched before the holdout has the most."""
        place = self.place(item)
        n_events = np.where(place >= 0, self.n_before[place], 0) if len(self.item) else np.zeros(len(item), np.int64)
        return self_information(n_events, int(self.n_before.sum()), len(self.item))


@dataclass(frozen=True)
class Judging:
    """How choices are drawn and judged."""

    choices: ModelConfig  # what is a choice (event_weights) and how many a user may have: of every version the same
    k: int = 10
    relevant_hours: float = 24.0
    reach: int = 40  # of history that is counted
    new_item_days: float = 14.0
    seed: int = 0


@dataclass(frozen=True)
class JudgedLists:
    """The n lists of one ranking."""

    columns: Ints  # (n, k) best first, NO_ITEM at the end of a shorter one
    is_chosen: Flags  # (n, k) whether it is what the user chose at that moment
    is_relevant: Flags  # (n, k) whether it is among what the user chose then or in the hours after
    novelty: Floats  # (n,) bits
    category_diversity: Floats  # (n,)
    brand_diversity: Floats  # (n,)
    miscalibration: Floats  # (n,) of categories, nats
    loss: Floats  # (n,) −log of the probability given to what was chosen, nats; NaN where none is given
    probability: Floats  # (n, k) that it is chosen; NaN where none is given

    def at(self, rows: Ints | Flags) -> "JudgedLists":
        """Some of them."""
        return JudgedLists(**{name: array[rows] for name, array in vars(self).items()})


@dataclass(frozen=True)
class JudgedChoices:
    """n choices of users, and the lists that each ranking would have shown at that moment."""

    slice: Ints  # (n,) of the timelines
    user: Ints  # (n,) hash
    key: Words  # (n,) of the interaction (features/profile.py)
    n_before: Ints  # (n,) interactions that the user had before, up to the reach
    is_met: Flags  # (n,) whether the item is in the history, as far as it reaches
    is_new_item: Flags  # (n,) whether the shop has had the item for a few days only
    context: Words  # (n, F) hashes of the context fields; 0 where one is not told
    n_relevant: Ints  # (n,)
    lists: Mapping[str, JudgedLists]  # by ranking

    def __len__(self) -> int:
        return len(self.user)

    def at(self, rows: Ints | Flags) -> "JudgedChoices":
        """Some of them."""
        own = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "lists"}
        return JudgedChoices(**own, lists={name: each.at(rows) for name, each in self.lists.items()})

    def as_arrays(self) -> Arrays:
        """One-dimensional arrays (models/arrays.py)."""
        own = {f.name: getattr(self, f.name).ravel() for f in fields(self) if f.name != "lists"}
        return own | {
            f"{ranking}.{name}": array.ravel()
            for ranking, lists in self.lists.items()
            for name, array in vars(lists).items()
        }

    @classmethod
    def joined(cls, parts: Sequence[Arrays]) -> "JudgedChoices":
        """All choices of some tasks, as `as_arrays` gave them; at least one part."""
        together = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        n = len(together["user"])
        # A name of one row's values has n; of one row's k or F values n times as many.
        shaped = {
            name: array.reshape(n, -1) if name.split(".")[-1] in _WIDE else array for name, array in together.items()
        }
        own = {name: array for name, array in shaped.items() if "." not in name}
        lists = {
            ranking: JudgedLists(**{f.name: shaped[f"{ranking}.{f.name}"] for f in fields(JudgedLists)})
            for ranking in RANKINGS
        }
        return cls(**own, lists=lists)


_WIDE = ("columns", "is_chosen", "is_relevant", "probability", "context")


def judge(
    model: Model, batch: TrainingBatch, user_hash: Ints, items: ItemReference, how: Judging, n_most: int
) -> JudgedChoices | None:
    """Judge at most `n_most` choices of `batch`, the same ones whatever the model. None where there is none.

    user_hash: (M,) of each row of the batch. Nothing is learned: histories go on within the batch, the model does not.
    """
    rows, by_id = choice_rows(batch.timeline, how.choices, n_most, how.seed), columns_by_id(model)
    at_once = max(1, SCORES_AT_ONCE // max(model.n_items, 1))
    chunks = [rows[start : start + at_once] for start in range(0, len(rows), at_once)]
    parts = [_judged(model, by_id, batch, user_hash, chunk, items, how).as_arrays() for chunk in chunks]
    return JudgedChoices.joined(parts) if parts else None


def of_slice(choices: JudgedChoices, number: int) -> JudgedChoices:
    """The choices, said to be of this slice."""
    return replace(choices, slice=np.full(len(choices), number, np.int64))


def _judged(
    model: Model,
    by_id: Ints,
    batch: TrainingBatch,
    user_hash: Ints,
    rows: Ints,
    items: ItemReference,
    how: Judging,
) -> JudgedChoices:
    timeline = batch.timeline
    histories = histories_before(batch, rows, model.config)
    chosen = timeline.item[rows]
    start, end = earlier_seconds(timeline, rows, how.reach)
    relevant = _relevant(batch, rows, how)
    scored = scores_of(model, histories)
    log_probability = log_probabilities(model, scored)
    information = items.information_of(model.items.index.item)
    columns = {name: _padded(best_by_id(scores, by_id, how.k), how.k) for name, scores in scored.items()}
    hits = {name: _hits(model, of_ranking, *relevant) for name, of_ranking in columns.items()}
    return JudgedChoices(
        slice=np.zeros(len(rows), np.int64),
        user=user_hash[rows],
        key=timeline.key[rows],
        n_before=end - start,
        is_met=np.bincount(histories.user[histories.item == chosen[histories.user]], minlength=len(rows)) > 0,
        is_new_item=key_time_s(timeline.key[rows]) - items.first_of(chosen) < how.new_item_days * 24 * HOUR_S,
        context=batch.context[rows],
        n_relevant=hits[MODEL].n_relevant,
        lists={
            name: _lists(model, columns[name], hits[name], log_probability.get(name), histories, chosen, information)
            for name in RANKINGS
        },
    )


def _relevant(batch: TrainingBatch, rows: Ints, how: Judging) -> tuple[Ints, Words]:
    """(index of the choice, item): what each user chose then and in the hours after, flat; an item may come twice."""
    timeline = batch.timeline
    everybody, time_s = np.arange(len(timeline.user)), key_time_s(timeline.key)
    last_of_user = np.cumsum(np.bincount(timeline.user))[timeline.user[rows]]
    end = np.minimum(last_of_user, rows + MOST_LATER)
    query = np.repeat(np.arange(len(rows)), end - rows)
    later = everybody[ranges(rows, end - rows)]
    is_soon = time_s[later] <= time_s[rows][query] + how.relevant_hours * HOUR_S
    is_choice = weights_of_codes(how.choices)[key_code(timeline.key[later])] > 0
    kept = is_soon & is_choice & timeline.learn[later]
    return query[kept], timeline.item[later[kept]]


def _lists(
    model: Model,
    columns: Ints,
    hits: Hits,
    log_probability: Floats | None,
    histories: Histories,
    chosen: Words,
    information: Floats,
) -> JudgedLists:
    column, met = model.find(chosen), model.find(histories.item)
    known = met >= 0
    items, weight = model.items, weights_of_codes(model.config)[key_code(histories.key)]
    if log_probability is None:
        log_probability = np.full((len(columns), model.n_items), np.nan)
    return JudgedLists(
        columns=columns,
        is_chosen=(columns == column[:, None]) & (columns != NO_ITEM),
        is_relevant=hits.hit,
        novelty=novelty(columns, information),
        category_diversity=diversity(columns, items.category),
        brand_diversity=diversity(columns, items.brand),
        miscalibration=miscalibration(
            columns, items.category, histories.user[known], items.category[met[known]], weight[known]
        ),
        loss=-at_column(log_probability, column),
        probability=np.stack([np.exp(at_column(log_probability, place)) for place in columns.T], axis=1),
    )


def _hits(model: Model, columns: Ints, query: Ints, item: Words) -> Hits:
    """By choice, each of which has at least its own item; one that the model does not know is relevant, and in no list."""
    column = model.find(item)
    unknown = model.n_items + np.unique(item, return_inverse=True)[1]
    return hits_of(columns, query, np.where(column >= 0, column, unknown))


def _padded(columns: Ints, k: int) -> Ints:
    return np.pad(columns, ((0, 0), (0, k - columns.shape[1])), constant_values=NO_ITEM)
