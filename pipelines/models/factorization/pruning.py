"""The best items of a large catalogue without scoring all of it: a bounded number of candidates for each user.

A score is an inner product, of (q, 1) with (p, user-free score), so its maxima are looked for as in Auvolat et al.,
"Clustering is Efficient for Approximate Maximum Inner Product Search" (2015): k-means over the items, then only the
clusters that promise a user most. What is scored:

    the head    items with the highest user-free scores, and all that came since items were clustered
    own items   of the user's history: repetition lifts them, wherever they stand
    shelves     parts of clusters by the bound ⟨q, centre⟩ + ‖q‖ · radius + highest user-free score: the highest few, and of
                those the ones that reach the n-th best of the head. Who has fewer than the few loses nothing (Cauchy–Schwarz)

What is scored is scored with the parameters of now; only centres and radii are as of the last clustering.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipelines.features.profile import Ints
from pipelines.lists.selection import top_n
from pipelines.models.best import blocks
from pipelines.models.factorization.item_scores import Asked, ItemScores
from pipelines.models.factorization.tables import Matrix, Vector, summed
from pipelines.models.ranker import LeftOut

HEAD_ITEMS = 4_096
SHELF_ITEMS = 512  # at most
SHELVES_PER_USER = 12  # at most
ITEMS_PER_CLUSTER = 400
MOST_CLUSTERS = 512
ITEMS_AT_ONCE = 4_096
STEPS, STEP_ITEMS = 10, 8_192  # mini-batches of k-means
USERS_AT_ONCE = 256
SEED = 2015


class Own(NamedTuple):
    """Items that users met before: by user, once each."""

    row: Ints  # (P,) ascending
    column: Ints  # (P,)
    bonus: Vector  # (P,) what having been met adds to the score

    def of_users(self, users: slice) -> "Own":
        """Of some of the users, who are numbered from 0 again."""
        first, last = np.searchsorted(self.row, (users.start, users.stop))
        return Own(self.row[first:last] - users.start, self.column[first:last], self.bonus[first:last])


@dataclass(frozen=True)
class Shelves:
    """The I₀ items that there were, cut into the head and S shelves."""

    head: Ints  # (H,) columns, ascending
    column: Ints  # (I₀ − H,) of the other items, shelf by shelf
    start: Ints  # (S + 1,) where shelves begin
    centre: Matrix  # (S, d) mean vector of a shelf
    radius: Vector  # (S,) distance from there to the farthest vector

    @classmethod
    def of(cls, scores: ItemScores) -> "Shelves":
        """Cluster the items as they are now, and cut clusters by user-free score."""
        free, vectors = scores.free, scores.side.vectors(slice(None))
        head = np.sort(np.argpartition(-free, min(HEAD_ITEMS, len(free) - 1))[:HEAD_ITEMS])
        others = np.delete(np.arange(len(free)), head)
        points = np.concatenate([vectors, free[:, None]], axis=1)[others]
        cluster = nearest(points, k_means(points, min(MOST_CLUSTERS, max(1, len(points) // ITEMS_PER_CLUSTER))))
        order = np.lexsort((-free[others], cluster))
        start, column = _cuts(cluster[order]), others[order]
        length = np.diff(start)
        centre = (np.add.reduceat(vectors[column], start[:-1], axis=0) / length[:, None]).astype(np.float32)
        distance = np.linalg.norm(vectors[column] - np.repeat(centre, length, axis=0), axis=1)
        return cls(head, column, start, centre, np.maximum.reduceat(distance, start[:-1]))

    @property
    def n_items(self) -> int:
        return len(self.head) + len(self.column)

    def sure_place(self, column: Ints) -> Ints:
        """Place of columns in the head, or behind it when they are new since; −1 where neither."""
        place = np.minimum(np.searchsorted(self.head, column), len(self.head) - 1)
        in_head = np.where(self.head[place] == column, place, -1)
        return np.where(column < self.n_items, in_head, len(self.head) + column - self.n_items)

    def best(
        self, queries: Matrix, scores: ItemScores, own: Own, n: int, left_out: LeftOut | None = None
    ) -> tuple[Ints, Matrix]:
        """Columns (U, n) and scores of the best candidates of users (U, d), best first, ties by column.

        scores: of these items and of those that came after them; n: HEAD_ITEMS at most.
        """
        left_out = left_out or LeftOut.none(len(scores.free))
        scores = scores.without(left_out.of_all)
        sure = np.concatenate([self.head, np.arange(self.n_items, len(scores.free))])
        highest = np.maximum.reduceat(scores.free[self.column], self.start[:-1])
        search = _Search(self, scores, sure, scores.side.vectors(sure), highest, n)
        columns, best = np.empty((len(queries), n), np.int64), np.empty((len(queries), n), np.float32)
        for users in blocks(len(queries), USERS_AT_ONCE):
            columns[users], best[users] = search.best(queries[users], own.of_users(users), left_out.of_users(users))
        return columns, best


class _Candidates(NamedTuple):
    """Scored items of a block of users, in any order."""

    user: Ints
    column: Ints
    score: Vector

    def but(self, user: Ints, column: Ints, n_items: int) -> "_Candidates":
        """Without some pairs of user (ascending) and column."""
        kept = ~np.isin(self.user * n_items + self.column, user * n_items + column)
        return _Candidates(self.user[kept], self.column[kept], self.score[kept])

    def best(self, n_users: int, n: int) -> tuple[Ints, Matrix]:
        """(U, n) columns and scores, best first, ties by column; every user has n candidates or more."""
        order = np.lexsort((self.column, -self.score, self.user))
        first = np.searchsorted(self.user[order], np.arange(n_users))
        chosen = order[first[:, None] + np.arange(n)]
        return self.column[chosen], self.score[chosen]


def _joined(parts: Sequence[_Candidates]) -> _Candidates:
    user, column, score = (np.concatenate([part[field] for part in parts]) for field in range(3))
    return _Candidates(user, column, score)


@dataclass(frozen=True)
class _Search:
    """For users by the hundred: U in a block."""

    shelves: Shelves
    scores: ItemScores
    sure: Ints  # (A,) columns of the head and of new items
    sure_vectors: Matrix  # (A, d)
    highest: Vector  # (S,) user-free score of a shelf
    n: int

    def best(self, queries: Matrix, own: Own, left_out: LeftOut) -> tuple[Ints, Matrix]:
        n_items = len(self.scores.free)
        head = self._best_of_sure(queries, own, left_out)
        least = head.score[self.n - 1 :: self.n]
        user, shelf = self._promising(queries, least)
        shelved = self._shelved(self.scores.asked(queries), least, user, shelf).but(own.row, own.column, n_items)
        of_vectors = np.einsum("pd,pd->p", queries[own.row], self.scores.side.vectors(own.column))
        met = _Candidates(own.row, own.column, of_vectors + self.scores.free[own.column] + own.bonus)
        others = _joined([shelved, met]).but(left_out.user, left_out.column, n_items)
        return _joined([head, others]).best(len(queries), self.n)

    def _best_of_sure(self, queries: Matrix, own: Own, left_out: LeftOut) -> _Candidates:
        """The n best of the head and of new items for each user, by user, best first; none is own or left out."""
        scores = queries @ self.sure_vectors.T
        scores += self.scores.free[self.sure]
        for user, column in ((own.row, own.column), (left_out.user, left_out.column)):
            place = self.shelves.sure_place(column)
            scores[user[place >= 0], place[place >= 0]] = -np.inf
        best = top_n(scores, self.n)
        row = np.repeat(np.arange(len(queries)), best.shape[1])
        return _Candidates(row, self.sure[best].ravel(), np.take_along_axis(scores, best, axis=1).ravel())

    def _promising(self, queries: Matrix, least: Vector) -> tuple[Ints, Ints]:
        """Pairs of user and shelf: the shelves with the highest bounds, of those that reach what the user has at `least`."""
        bound = queries @ self.shelves.centre.T
        bound += self.highest + np.linalg.norm(queries, axis=1)[:, None] * self.shelves.radius
        most = min(SHELVES_PER_USER, bound.shape[1])
        shelf = np.argpartition(-bound, most - 1, axis=1)[:, :most]
        user, place = np.nonzero(np.take_along_axis(bound, shelf, axis=1) >= least[:, None])
        return user, shelf[user, place]

    def _shelved(self, asked: Asked, least: Vector, user: Ints, shelf: Ints) -> _Candidates:
        """What reaches `least`: shelf by shelf, for all users that look at it."""
        order = np.argsort(shelf, kind="stable")
        user, (distinct, first) = user[order], np.unique(shelf[order], return_index=True)
        found = [_Candidates(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))]
        for s, begin, end in zip(distinct.tolist(), first.tolist(), [*first[1:].tolist(), len(user)], strict=False):
            users, column = user[begin:end], self.shelves.column[self.shelves.start[s] : self.shelves.start[s + 1]]
            scores = self.scores.by_parts(asked, users, column)
            row, place = np.nonzero(scores >= least[users, None])
            found.append(_Candidates(users[row], column[place], scores[row, place]))
        return _joined(found)


def k_means(points: Matrix, n_clusters: int) -> Matrix:
    """Centres (n_clusters, d) of points (n, d), from seeded mini-batches: a centre moves to the mean of what was near it."""
    random = np.random.default_rng(SEED)
    centres = points[random.choice(len(points), n_clusters, replace=False)]
    seen = np.zeros(n_clusters)
    for _ in range(STEPS):
        some = points[random.choice(len(points), min(STEP_ITEMS, len(points)), replace=False)]
        cluster = nearest(some, centres)
        rows, sums = summed(cluster, some)
        rows = rows.astype(np.int64)
        n = np.bincount(cluster, minlength=n_clusters)
        seen = seen / 2 + n
        means = sums / n[rows, None]
        centres[rows] += ((n[rows] / seen[rows])[:, None] * (means - centres[rows])).astype(np.float32)
    return centres


def nearest(points: Matrix, centres: Matrix) -> Ints:
    """(n,) which of the centres is nearest to each point."""
    half_squares = np.square(centres).sum(axis=1) / 2
    parts = [points[at : at + ITEMS_AT_ONCE] for at in range(0, max(len(points), 1), ITEMS_AT_ONCE)]
    return np.concatenate([(part @ centres.T - half_squares).argmax(axis=1) for part in parts])


def _cuts(cluster: Ints) -> Ints:
    """Where shelves begin among items by cluster, and the end: at each new cluster, and every SHELF_ITEMS in a large one."""
    place = np.arange(len(cluster))
    is_first = np.diff(cluster, prepend=-1) != 0
    in_cluster = place - np.maximum.accumulate(np.where(is_first, place, 0))
    return np.append(np.flatnonzero(in_cluster % SHELF_ITEMS == 0), len(cluster))
