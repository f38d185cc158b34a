"""The gradient of a mini-batch: the chain rule from the scores of the candidates back to the tables."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pipelines.features.profile import Flags, Ints
from pipelines.models.arrays import Arrays
from pipelines.models.factorization.examples import Examples, Negatives
from pipelines.models.factorization.item_side import ItemSide
from pipelines.models.factorization.loss import Candidates, Scored, candidates, softmax_gradient
from pipelines.models.factorization.tables import Matrix, Vector, summed
from pipelines.models.factorization.user_side import Pooling, repeats
from pipelines.models.scorer import Learned

Rows = tuple[NDArray[np.generic], Matrix]  # distinct rows of a table and their gradients


@dataclass(frozen=True)
class _Forward:
    """What the gradient needs of the way to the scores: the distinct items, and vectors by group of candidates."""

    columns: Ints  # (C,) ascending
    place: Ints  # (I,) of a column among them
    queries: Matrix  # (B, d)
    chosen: Matrix  # (B, d)
    own: Matrix  # (P, d)
    negatives: Matrix  # (N, d)
    terms: Matrix  # (P, R) repeat terms
    chosen_affinity: Vector  # (B,) how much of ⟨q, p⟩ counts for the chosen items
    own_affinity: np.float32  # and for own items


def gradient_of(side: ItemSide, examples: Examples, negatives: Negatives, pooled: Pooling) -> Learned:
    """The gradient of the summed, weighted loss of the examples, by table; items are named by their hashes."""
    n_items = len(side.items)
    repeated = repeats(examples.past, n_items, side.config.factorization)
    among = candidates(examples.column, repeated.own, negatives.column, n_items)
    columns, place = _distinct(among, n_items)
    vectors = side.vectors(columns)
    own_affinity = np.float32(side.config.factorization.own_item_affinity)
    forward = _Forward(
        columns=columns,
        place=place,
        queries=pooled.queries(side.tables["history"], side.tables["context"]),
        chosen=vectors[place[among.chosen]],
        own=vectors[place[among.own]],
        negatives=vectors[place[among.negatives]],
        terms=repeated.terms,
        chosen_affinity=np.where(among.is_own, own_affinity, np.float32(1.0)),
        own_affinity=own_affinity,
    )
    scores = _scores(side, among, negatives, forward)
    loss, by_score = softmax_gradient(scores, among, examples.weight)
    return Learned(
        _flat(dict(_by_table(side, among, by_score, forward, pooled))),
        n_examples=len(loss),
        loss=float(loss.sum()),
        loss_of_popularity=_loss_of_popularity(side, among, negatives),
    )


def _distinct(among: Candidates, n_items: int) -> tuple[Ints, Ints]:
    """Columns (C,) of all candidates, ascending, and the place (I,) of a column among them."""
    is_candidate = np.zeros(n_items, np.bool_)
    for columns in (among.chosen, among.own, among.negatives):
        is_candidate[columns] = True
    return np.flatnonzero(is_candidate), np.cumsum(is_candidate) - 1


def _scores(side: ItemSide, among: Candidates, negatives: Negatives, forward: _Forward) -> Scored:
    """Log-Q corrected scores of all candidates."""
    by_repeat = side.repeat_scores(forward.terms)
    chosen = np.einsum("bd,bd->b", forward.queries, forward.chosen) * forward.chosen_affinity
    chosen += side.free_scores(among.chosen)
    chosen -= np.where(among.is_own, 0.0, negatives.log_expected[among.chosen])
    chosen[among.is_own] += by_repeat[among.chosen_place[among.is_own]]
    own = np.einsum("pd,pd->p", forward.queries[among.own_row], forward.own) * forward.own_affinity
    own += side.free_scores(among.own)
    shared = forward.queries @ forward.negatives.T
    shared += side.free_scores(among.negatives) - negatives.log_expected[among.negatives]
    return Scored(chosen.astype(np.float32), own + by_repeat, shared)


def _by_table(
    side: ItemSide, among: Candidates, by_score: Scored, forward: _Forward, pooled: Pooling
) -> Iterator[tuple[str, Rows]]:
    columns = forward.columns
    of_vectors, of_free = _by_item(among, by_score, forward)
    admitted = side.items.is_admitted
    yield "item", _of_items(side, columns, of_vectors, admitted)
    yield "bias", _of_items(side, columns, of_free[:, None], admitted)
    for name, rows in zip(("category", "brand"), side.attribute_rows(columns), strict=True):
        yield name, _known(summed(rows, of_vectors))
    of_queries = _by_query(among, by_score, forward)
    yield "history", _of_items(side, pooled.column, pooled.history_gradient(of_queries), admitted)
    yield "context", _known(summed(pooled.context.ravel(), np.repeat(of_queries, pooled.context.shape[1], axis=0)))
    of_repeat = by_score.own @ forward.terms
    of_repeat += by_score.chosen[among.is_own] @ forward.terms[among.chosen_place[among.is_own]]
    of_terms = np.concatenate([of_free @ side.popularity_terms(columns), of_repeat]).astype(np.float32)
    yield "term", (np.arange(len(of_terms)), of_terms[:, None])


def _by_item(among: Candidates, by_score: Scored, forward: _Forward) -> tuple[Matrix, Vector]:
    """The gradients by vectors (C, d) and user-free scores (C,) of the distinct items."""
    columns, place, queries = forward.columns, forward.place, forward.queries
    example = np.concatenate([np.arange(len(among.chosen)), among.own_row])
    value = np.concatenate([by_score.chosen, by_score.own])
    by_product = np.concatenate([by_score.chosen * forward.chosen_affinity, by_score.own * forward.own_affinity])
    at = place[np.concatenate([among.chosen, among.own])]
    of_vectors: Matrix = csr_array((by_product, (at, example)), shape=(len(columns), len(queries))) @ queries
    of_vectors[place[among.negatives]] += by_score.negatives.T @ queries
    of_free = np.bincount(at, value, len(columns)).astype(np.float32)
    of_free[place[among.negatives]] += by_score.negatives.sum(axis=0)
    return of_vectors, of_free


def _by_query(among: Candidates, by_score: Scored, forward: _Forward) -> Matrix:
    """(B, d) gradient by the user side of each example."""
    of_queries: Matrix = by_score.negatives @ forward.negatives
    of_queries += (by_score.chosen * forward.chosen_affinity)[:, None] * forward.chosen
    start = np.searchsorted(among.own_row, np.arange(len(of_queries) + 1))
    own = csr_array(
        (by_score.own * forward.own_affinity, np.arange(len(among.own)), start), shape=(len(of_queries), len(among.own))
    )
    of_queries += own @ forward.own
    return of_queries


def _loss_of_popularity(side: ItemSide, among: Candidates, negatives: Negatives) -> float:
    """The loss of a model that scores by the logarithm of popularity, against the shared negatives alone."""
    chosen = side.popularity_terms(among.chosen).mean(axis=1) - negatives.log_expected[among.chosen]
    others = side.popularity_terms(among.negatives).mean(axis=1) - negatives.log_expected[among.negatives]
    highest = max(float(chosen.max()), float(others.max(initial=-np.inf)))
    total = np.exp(chosen - highest) + np.exp(others - highest).sum()
    return float((np.log(total) - (chosen - highest)).sum())


def _of_items(side: ItemSide, column: Ints, gradient: Matrix, admitted: Flags) -> Rows:
    """Of the items that have parameters, by hash."""
    learns = admitted[column]
    return side.items.index.item[column[learns]], gradient[learns]


def _known(rows: Rows) -> Rows:
    row, gradient = rows
    return row[row != 0], gradient[row != 0]


def _flat(by_table: dict[str, Rows]) -> Arrays:
    flat: Arrays = {}
    for name, (row, gradient) in by_table.items():
        flat |= {f"{name}.row": row, f"{name}.gradient": gradient.ravel()}
    return flat
