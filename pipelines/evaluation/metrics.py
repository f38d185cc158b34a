"""How good ranked lists are, user by user. Gain is binary; equal scores are ranked in the order of their columns.

Users of whom nothing is relevant are not judged, and are in no mean; users without a list count 0. Definitions: Järvelin,
Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002 (NDCG); Manning, Raghavan, Schütze, "Introduction to
Information Retrieval", 2008, chapter 8 (the others). Equal to scikit-learn's, which tests/evaluation holds them to.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Scores = NDArray[np.floating]
NO_ITEM = -1


@dataclass(frozen=True)
class Hits:
    """What the lists of V users hold of what is relevant to them."""

    user: Ints  # (V,) ascending: the users of whom something is relevant
    hit: Flags  # (V, k) whether the item at this rank is relevant
    n_relevant: Ints  # (V,) at least 1


def ranked_columns(scores: Scores, k: int) -> Ints:
    """(U, min(k, I)) columns of the highest of (U, I) scores, best first; NO_ITEM in place of those scored −inf.

    Raises ValueError when a score is NaN, which has no rank.
    """
    _refuse_nan(scores)
    best: Ints = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.where(np.isneginf(np.take_along_axis(scores, best, axis=1)), NO_ITEM, best)


def ranks_of(scores: Scores, column: Ints) -> Ints:
    """(n,) the place, from 0, of item `column` (n,) among the (n, I) scores. Raises ValueError when a score is NaN."""
    _refuse_nan(scores)
    own = np.take_along_axis(scores, column[:, None], axis=1)
    is_before = np.arange(scores.shape[1]) < column[:, None]
    ranks: Ints = ((scores > own) | ((scores == own) & is_before)).sum(axis=1)
    return ranks


def hits_of(ranked: Ints, user: Ints, column: Ints) -> Hits:
    """Judge lists (U, k) of distinct items, padded with NO_ITEM, by the relevant pairs `user` (R,), `column` (R,).

    A pair that comes twice counts once. Raises ValueError when a pair is of a user without a row, or a list holds an
    item twice.
    """
    if len(user) and not 0 <= user.min() <= user.max() < len(ranked):
        raise ValueError(f"expected users 0 to {len(ranked) - 1}, got {user.min()} to {user.max()}")
    _refuse_repeated(ranked)
    width = 1 + int(max(column.max(initial=0), ranked.max(initial=0)))
    relevant = np.unique(user * width + column)
    n_relevant = np.bincount(relevant // width, minlength=len(ranked))
    judged = np.flatnonzero(n_relevant)
    listed = ranked[judged]
    is_hit = np.isin(judged[:, None] * width + listed, relevant) & (listed != NO_ITEM)
    return Hits(judged, is_hit, n_relevant[judged])


def hits_of_ranks(rank: Ints, k: int) -> Hits:
    """Judge lists of k by the rank (n,), from 0, of the one relevant item of each; a negative one is in no list."""
    return Hits(np.arange(len(rank)), rank[:, None] == np.arange(k), np.ones(len(rank), np.int64))


def ndcg(hits: Hits) -> Floats:
    """(V,) discounted gain, as a part of what the best list of k would have."""
    k = hits.hit.shape[1]
    discount = 1.0 / np.log2(np.arange(k) + 2.0)
    best = np.cumsum(discount)[np.minimum(hits.n_relevant, k) - 1]
    return np.asarray((hits.hit @ discount) / best, np.float64)


def recall(hits: Hits) -> Floats:
    """(V,) part of what is relevant that is in the list."""
    return np.asarray(hits.hit.sum(axis=1) / hits.n_relevant, np.float64)


def precision(hits: Hits) -> Floats:
    """(V,) part of the k places that hold something relevant."""
    return np.asarray(hits.hit.mean(axis=1), np.float64)


def hit_rate(hits: Hits) -> Floats:
    """(V,) 1 where anything in the list is relevant, else 0."""
    return np.asarray(hits.hit.any(axis=1), np.float64)


def reciprocal_rank(hits: Hits) -> Floats:
    """(V,) 1 / place of the first relevant item, from 1; 0 where the list has none."""
    first = hits.hit.argmax(axis=1)  # 0 also where there is none
    return np.asarray(hits.hit.any(axis=1) / (1.0 + first), np.float64)


def average_precision(hits: Hits) -> Floats:
    """(V,) mean, over what is relevant, of the precision at its place; 0 for what is not in the list."""
    place = np.arange(1, hits.hit.shape[1] + 1)
    precision_there = np.cumsum(hits.hit, axis=1) / place
    return np.asarray((precision_there * hits.hit).sum(axis=1) / hits.n_relevant, np.float64)


def coverage(ranked: Ints, n_items: int) -> float:
    """Part of the items that at least one list holds."""
    return len(np.unique(ranked[ranked != NO_ITEM])) / n_items


def log_loss(probability: Floats, outcome: Flags) -> Floats:
    """(n,) −log of the probability given to what happened, in nats; a 0 counts as the smallest step above it."""
    smallest = np.finfo(np.float64).eps
    clipped = np.clip(probability, smallest, 1.0 - smallest)
    return -np.where(outcome, np.log(clipped), np.log1p(-clipped))


def choice_loss(scores: Scores, column: Ints) -> Floats:
    """(n,) −log softmax of (n, I) scores at what was chosen, in nats."""
    shifted = scores.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(shifted, column[:, None], axis=1)[:, 0]
    return np.asarray(np.log(np.exp(shifted).sum(axis=1)) - chosen, np.float64)


def _refuse_nan(scores: Scores) -> None:
    if np.isnan(scores).any():
        raise ValueError(f"expected numbers to rank, got {np.isnan(scores).sum()} NaN of {scores.size}")


def _refuse_repeated(ranked: Ints) -> None:
    ordered = np.sort(ranked, axis=1)
    repeated = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != NO_ITEM)
    if repeated.any():
        row = int(np.flatnonzero(repeated.any(axis=1))[0])
        raise ValueError(f"expected distinct items in a list, got {ranked[row].tolist()} in list {row}")
