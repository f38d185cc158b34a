"""How well a model, held still, foretells what users chose in a later slice: against the whole catalogue, beside baselines."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.evaluation.intervals import Interval, mean_interval
from pipelines.evaluation.metrics import Floats, hits_of_ranks, ndcg, recall
from pipelines.evaluation.rankings import (
    MODEL,
    OWN_HISTORY,
    POPULARITY,
    SCORES_AT_ONCE,
    at_column,
    choice_rows,
    log_probabilities,
    scores_of,
)
from pipelines.features.profile import Flags, Ints, Words
from pipelines.lists.selection import top_n
from pipelines.models.arrays import Arrays
from pipelines.models.model import Model
from pipelines.models.progressive import histories_before, ranks
from pipelines.models.ranker import Histories, Scores, TrainingBatch

K = 10  # of NDCG, recall, and the lists whose coverage is drawn
RANKS = ("rank", "rank_new", "popularity", "popularity_new", "own_history")


@dataclass(frozen=True)
class Choices:
    """n choices and what was foretold of them.

    Ranks count from 1; of equal scores the chosen one's is the last, and an item that the model does not know is behind all.
    """

    user: Ints  # (n,) the same number for the choices of one user
    is_new: Flags  # (n,) whether the history, as far as it reaches, has not the item
    rank: Ints  # (n,) of the chosen item among all
    rank_new: Ints  # (n,) among the items that the history has not
    popularity: Ints  # (n,) as `rank`, by popularity
    popularity_new: Ints  # (n,) as `rank_new`, by popularity
    own_history: Ints  # (n,) as `rank`, by the user's own history
    loss: Floats  # (n,) −log of the probability it was given, nats; NaN where the model gives none
    popularity_loss: Floats  # (n,) the same of decayed popularity
    best: Ints  # (n, K) columns of the list for the user, best first
    is_chosen: Flags  # (n, K) whether it is what the user chose
    probability: Floats  # (n, K) that each of them is chosen; NaN where the model gives none

    @classmethod
    def joined(cls, parts: Sequence[Arrays]) -> "Choices":
        """All choices of some tasks, as `as_arrays` gave them."""
        together = {name: np.concatenate([part[name] for part in parts]) for name in cls.__annotations__}
        width = len(together["best"]) // max(len(together["user"]), 1)
        shaped = {name: together[name].reshape(-1, max(width, 1)) for name in ("best", "is_chosen", "probability")}
        return cls(**together | shaped)

    def as_arrays(self) -> Arrays:
        """One-dimensional arrays (models/arrays.py)."""
        return {name: array.ravel() for name, array in vars(self).items()}


def choices_of(model: Model, batch: TrainingBatch, n_most: int, seed: int) -> Choices:
    """Rank what users chose in `batch`, at most `n_most` choices of it, drawn evenly; no user has more than the model's cap.

    Nothing is learned: histories go on within the batch, the model and its popularity do not.
    """
    rows = choice_rows(batch.timeline, model.config, n_most, seed)
    at_once = max(1, SCORES_AT_ONCE // max(model.n_items, 1))
    parts = [_ranked(model, batch, rows[start : start + at_once]) for start in range(0, len(rows), at_once)]
    return Choices.joined([part.as_arrays() for part in parts or [_ranked(model, batch, rows)]])


def headline(choices: Choices) -> float:
    """The metric that decides between models: NDCG@K over all items."""
    return float(ndcg(hits_of_ranks(choices.rank - 1, K)).mean())


def judged(choices: Choices, seed: int = 0) -> dict[str, Interval]:
    """Metrics by name, of the model and of the baselines, with intervals over users. Raises ValueError without a choice."""
    gain = {name: ndcg(hits_of_ranks(getattr(choices, name) - 1, K)) for name in RANKS}
    everything = np.ones(len(choices.user), np.bool_)
    values: dict[str, tuple[Floats, Flags]] = {}
    for prefix, name in (("", "rank"), ("popularity_", "popularity"), ("own_history_", "own_history")):
        values[f"{prefix}ndcg{K}_all"] = gain[name], everything
        values[f"{prefix}recall{K}_all"] = recall(hits_of_ranks(getattr(choices, name) - 1, K)), everything
    values[f"ndcg{K}_new"] = gain["rank_new"], choices.is_new
    values[f"popularity_ndcg{K}_new"] = gain["popularity_new"], choices.is_new
    for baseline in ("popularity", "own_history"):
        values[f"ndcg{K}_above_{baseline}"] = gain["rank"] - gain[baseline], everything
    values["log_loss"] = choices.loss, np.isfinite(choices.loss)
    values["popularity_log_loss"] = choices.popularity_loss, np.isfinite(choices.popularity_loss)
    return {
        name: mean_interval(value[rows], choices.user[rows], seed=seed)
        for name, (value, rows) in values.items()
        if rows.any()
    }


def calibration_of(choices: Choices) -> tuple[Floats, Floats]:
    """(N,) probability of each item in the lists, and 1 where it was chosen: chosen by the list alone, so without bias."""
    given = np.isfinite(choices.probability)
    return choices.probability[given], choices.is_chosen[given].astype(np.float64)


def _ranked(model: Model, batch: TrainingBatch, rows: Ints) -> Choices:
    histories = histories_before(batch, rows, model.config)
    column = model.find(batch.timeline.item[rows])
    scored = scores_of(model, histories)
    scores, popular = scored[MODEL], scored[POPULARITY]
    best = top_n(scores, K)
    log_probability = log_probabilities(model, scored)
    loss, popularity_loss = (-at_column(log_probability[name], column) for name in (MODEL, POPULARITY))
    rank, popularity, own_history = (_ranks(scored[name], column) for name in (MODEL, POPULARITY, OWN_HISTORY))
    met = model.find(histories.item)
    for each in (scores, popular):
        each[histories.user[met >= 0], met[met >= 0]] = -np.inf
    return Choices(
        user=batch.timeline.user[rows],
        is_new=~_is_met(histories, batch.timeline.item[rows]),
        rank=rank,
        rank_new=_ranks(scores, column),
        popularity=popularity,
        popularity_new=_ranks(popular, column),
        own_history=own_history,
        loss=loss,
        popularity_loss=popularity_loss,
        best=best,
        is_chosen=best == column[:, None],
        probability=np.exp(np.take_along_axis(log_probability[MODEL], best, axis=1)),
    )


def _ranks(scores: Scores, column: Ints) -> Ints:
    """(n,) rank of the column of each row; behind all, and in no list, where that is −1."""
    unknown = max(scores.shape[1], K) + 1
    if not scores.shape[1]:
        return np.full(len(column), unknown)
    return np.where(column >= 0, ranks(scores, np.maximum(column, 0)), unknown)


def _is_met(histories: Histories, item: Words) -> Flags:
    """(U,) whether a user's history has that user's item."""
    met = np.zeros(histories.n_users, np.bool_)
    met[histories.user[histories.item == item[histories.user]]] = True
    return met
