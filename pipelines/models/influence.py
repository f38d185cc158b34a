"""How much each item in a user's history has to do with a score: the score with all of the history, less that without the item.

Leave-one-out (Cook, "Detection of Influential Observation in Linear Regression", 1977), by the ranker's own scores: true of any
ranker, and of what it does, not of what it should do. Parts need not add up to the score: two items may say the same.
"""

import numpy as np

from pipelines.features.profile import Floats, Ints, Words
from pipelines.models.ranker import Histories, Ranker


def influences(ranker: Ranker, histories: Histories, columns: Ints) -> tuple[Words, Floats]:
    """(H,) the distinct items of the one user in `histories`, and (H, C) what each adds to the scores of `columns` (C,)."""
    items = np.unique(histories.item)
    whole = ranker.score(histories)[0, columns].astype(np.float64)
    without = ranker.score(_each_without(histories, items))[:, columns] if len(items) else np.empty((0, len(columns)))
    return items, whole - without


def _each_without(histories: Histories, items: Words) -> Histories:
    """The user's history as often as there are items, each time without one of them."""
    kept = histories.item != items[:, None]  # (H, E)
    user, entry = np.nonzero(kept)
    n = len(items)
    as_of_s, context = np.repeat(histories.as_of_s, n), np.repeat(histories.context, n, axis=0)
    return Histories(n, user, histories.key[entry], histories.item[entry], as_of_s, context)
