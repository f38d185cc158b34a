"""The best items of users, from the scores of all items."""

from collections.abc import Callable, Iterator

import numpy as np

from pipelines.features.profile import Ints
from pipelines.lists.selection import top_n
from pipelines.models.ranker import Histories, LeftOut, Scores

MAX_SCORES = 2_000_000  # at once: 8 MB of float32


def best_of_all(
    score: Callable[[Histories], Scores], n_items: int, histories: Histories, n: int, left_out: LeftOut | None = None
) -> tuple[Ints, Scores]:
    """(U, min(n, I)) columns and scores of the items that `score` (U, I) puts first; memory is bounded.

    What is left out has the score −inf.
    """
    columns = np.empty((histories.n_users, min(n, n_items)), np.int64)
    best = np.empty(columns.shape, np.float32)
    for users in blocks(histories.n_users, MAX_SCORES // max(n_items, 1)):
        scores = score(histories.of_users(users))
        if left_out is not None:
            left_out.of_users(users).strike(scores)
        columns[users] = top_n(scores, n)
        best[users] = np.take_along_axis(scores, columns[users], axis=1)
    return columns, best


def blocks(n: int, size: int) -> Iterator[slice]:
    """Slices of `size`, the last one maybe shorter, that cover n."""
    for start in range(0, n, max(size, 1)):
        yield slice(start, min(start + max(size, 1), n))
