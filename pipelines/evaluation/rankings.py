"""What a model and the baselines beside it score, for the same users at the same moments."""

import numpy as np

from pipelines.evaluation.metrics import Floats
from pipelines.features.fold import Timeline
from pipelines.features.profile import Ints, key_code
from pipelines.lists.selection import best_in_order
from pipelines.model_sections import ModelConfig
from pipelines.models.items import weights_of_codes
from pipelines.models.learnable import capped_rows, sampled
from pipelines.models.model import Model
from pipelines.models.own_history import OwnHistory
from pipelines.models.popular import Popular
from pipelines.models.ranker import Histories, Scores

MODEL, POPULARITY, OWN_HISTORY = RANKINGS = ("model", "popularity", "own_history")
SCORES_AT_ONCE = 4_000_000


def choice_rows(timeline: Timeline, config: ModelConfig, n_most: int, seed: int) -> Ints:
    """Rows that say something good of an item: at most `n_most`, drawn evenly; no user has more than the cap of `config`."""
    rows = capped_rows(timeline, config)
    return sampled(rows[weights_of_codes(config)[key_code(timeline.key[rows])] > 0], n_most, seed)


def scores_of(model: Model, histories: Histories) -> dict[str, Scores]:
    """(U, I) scores of each of RANKINGS; all three know what the model has counted, and no more."""
    items = model.items
    return {
        MODEL: model.score(histories),
        POPULARITY: Popular().score(items, histories),
        OWN_HISTORY: OwnHistory(model.config).score(items, histories),
    }


def log_probabilities(model: Model, scores: dict[str, Scores]) -> dict[str, Floats]:
    """(U, I) log of the probability that an item is chosen, of each ranking that gives one; NaN of a model that gives none."""
    popular = np.log(scores[POPULARITY] * model.n_items + model.config.factorization.popularity_smoothing)
    is_given = model.config.kind == "factorization"
    of_model = log_softmax(scores[MODEL]) if is_given else np.full(scores[MODEL].shape, np.nan)
    return {MODEL: of_model, POPULARITY: log_softmax(popular)}


def columns_by_id(model: Model) -> Ints:
    """(I,) the model's columns in the order of their items' ids. Dear in a large catalogue: once for a model."""
    return np.argsort(model.item_ids.astype(str), kind="stable")


def best_by_id(scores: Scores, by_id: Ints, k: int) -> Ints:
    """(U, min(k, I)) columns of the highest scores, best first; of equal ones the first of `by_id` (`columns_by_id`)."""
    place = np.empty(len(by_id), np.int64)
    place[by_id] = np.arange(len(by_id))
    return by_id[best_in_order(scores, place, k)]


def log_softmax(scores: Scores) -> Floats:
    """(U, I) log of the softmax of each row."""
    shifted: Floats = scores.astype(np.float64)
    if not shifted.shape[1]:
        return shifted
    shifted -= shifted.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def at_column(values: Floats, column: Ints) -> Floats:
    """(n,) the value of each row at its column, NaN where that is −1."""
    if not values.shape[1]:
        return np.full(len(column), np.nan)
    own: Floats = np.take_along_axis(values, np.maximum(column, 0)[:, None], axis=1)[:, 0]
    return np.where(column >= 0, own, np.nan)
