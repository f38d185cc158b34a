"""The candidates of each user: the ranker's best that no rule keeps out, as many as are wanted while there are so many."""

import numpy as np

from pipelines.features.profile import Flags, Floats, Ints
from pipelines.lists.sieve import Sieve
from pipelines.models.best import blocks
from pipelines.models.ranker import Histories, LeftOut, Ranker

MAX_CANDIDATES = 1_000_000  # at once
MORE = 8  # times as many, where the price band took too many


def pool_of(ranker: Ranker, histories: Histories, sieve: Sieve, n: int, but: Flags) -> tuple[Ints, Floats]:
    """(U, min(n, I)) places and scores of the best that pass, best first; −1 and −inf where there are no more.

    but: (I,) columns that are not asked for.
    """
    n = min(n, ranker.n_items)
    n_asked, pairs = n, sieve.excluded.before(ranker.n_items)
    places, scores = np.full((histories.n_users, n), -1), np.full((histories.n_users, n), -np.inf)
    waiting = np.arange(histories.n_users)
    while len(waiting):
        is_short = np.zeros(len(waiting), np.bool_)
        for part in blocks(len(waiting), MAX_CANDIDATES // n_asked):
            users = waiting[part]
            left_out = LeftOut(but, *pairs.only(users).pairs())
            column, score = ranker.best(histories.only(users), n_asked, left_out)
            passes = sieve.only(users).passes(column) & (score > -np.inf)
            first = np.argsort(~passes, axis=1, kind="stable")[:, :n]
            is_one = np.take_along_axis(passes, first, axis=1)
            places[users] = np.where(is_one, np.take_along_axis(column, first, axis=1), -1)
            scores[users] = np.where(is_one, np.take_along_axis(score, first, axis=1), -np.inf)
            is_short[part] = ~is_one[:, -1] & (score[:, -1] > -np.inf)
        if n_asked >= ranker.n_items:
            break
        waiting = waiting[is_short]
        n_asked *= MORE
    return places, scores
