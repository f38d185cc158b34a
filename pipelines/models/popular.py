"""Ranks by decayed popularity alone, the same for everybody: the mean of an item's shares over the half-lives."""

import numpy as np

from pipelines.features.profile import Ints
from pipelines.models.items import Items
from pipelines.models.ranker import Histories, Scores
from pipelines.models.scorer import Unlearned


class Popular(Unlearned):
    """P(i) of what is bought, viewed and put into carts now."""

    def score(self, items: Items, histories: Histories, /) -> Scores:
        share = items.popularity.shares().mean(axis=1).astype(np.float32)
        return np.tile(share, (histories.n_users, 1))

    def grow(self, _n_new: int, /) -> "Popular":
        return self

    def only(self, _column: Ints, /) -> "Popular":
        return self
