"""Ranks the items that the user had to do with: decayed, signed event weights, clipped at 0; the rest by popularity."""

import numpy as np
from numpy.typing import NDArray

from pipelines.features.profile import Ints
from pipelines.model_sections import ModelConfig
from pipelines.models.items import HOUR_S, Items
from pipelines.models.past import decayed, own_items, past_of
from pipelines.models.ranker import Histories, Scores
from pipelines.models.scorer import Unlearned

TIE_SHARE = 1e-3  # of popularity beside the own share: it orders what the user has not met, and equals


class OwnHistory(Unlearned):
    """P(i | u) of the user's own interactions."""

    def __init__(self, config: ModelConfig) -> None:
        self._config = config

    def score(self, items: Items, histories: Histories, /) -> Scores:
        scores = np.empty((histories.n_users, len(items)), np.float32)
        scores[:] = TIE_SHARE * items.popularity.shares()[:, 0]
        user, column, own = own_shares(self._config, items, histories)
        scores[user, column] += own
        return scores

    def grow(self, _n_new: int, /) -> "OwnHistory":
        return self

    def only(self, _column: Ints, /) -> "OwnHistory":
        return self


def own_shares(config: ModelConfig, items: Items, histories: Histories) -> tuple[Ints, Ints, NDArray[np.float32]]:
    """(user, column, share): the items of each user with a positive decayed weight; a user's shares add up to 1.

    Decayed to the user's newest interaction: with one half-life the shares are the same at any later time.
    """
    column = items.index.find(histories.item)
    past = past_of(config, histories.n_users, histories.user, column, histories.key, histories.as_of_s)
    own = own_items(past, len(items))
    total = np.maximum(own.sums(decayed(past, config.mixture.history_half_life_hours * HOUR_S)), 0.0)
    everything = np.bincount(own.row, weights=total, minlength=histories.n_users)[own.row]
    share = np.divide(total, everything, out=np.zeros_like(total), where=everything > 0)
    return own.row, own.column, share.astype(np.float32)
