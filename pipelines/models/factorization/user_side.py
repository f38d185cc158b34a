"""What a user's past says: how much each interaction weighs in q_u, and the terms about items met before."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pipelines.features.profile import Ints
from pipelines.model_sections import FactorizationConfig
from pipelines.models.factorization.tables import N_REPEAT_TERMS, Matrix, Table
from pipelines.models.items import HOUR_S
from pipelines.models.past import OwnItems, Past, decayed, own_items


@dataclass(frozen=True)
class Repeats:
    """The items that each row's user met before, and what is said of them."""

    own: OwnItems
    terms: (
        Matrix  # (P, 5) log1p of the decayed weight (short, long half-life), 1, log1p of the number, number by moment
    )


def repeats(past: Past, n_items: int, config: FactorizationConfig) -> Repeats:
    """The repeat terms of every item in the past; of all other items they are 0."""
    own = own_items(past, n_items)
    terms = np.empty((len(own.row), N_REPEAT_TERMS), np.float32)
    for term, hours in enumerate(config.repeat_half_lives_hours):
        terms[:, term] = np.log1p(np.maximum(own.sums(decayed(past, hours * HOUR_S)), 0.0))
    number = own.sums(np.ones(len(past.row)))
    terms[:, 2] = 1.0
    terms[:, 3] = np.log1p(number)
    terms[:, 4] = number / n_moments(past)[own.row]
    return Repeats(own, terms)


def n_moments(past: Past) -> Ints:
    """(B,) at how many different seconds a row's interactions were: clicks one by one, or orders of many lines."""
    is_first = (np.diff(past.row, prepend=-1) != 0) | (np.diff(past.age_s, prepend=-1) != 0)
    return np.bincount(past.row[is_first], minlength=past.n_rows)


@dataclass(frozen=True)
class Pooling:
    """q = weights · history vectors + context vectors: a sparse sum over few distinct items."""

    column: Ints  # (C,) distinct columns in the histories
    weights: csr_array  # (B, C)
    context: Ints  # (B, F) rows of the context table

    def queries(self, history: Table, context: Table) -> Matrix:
        """(B, d)."""
        queries: Matrix = self.weights @ history.values[self.column]
        for field in range(self.context.shape[1]):
            queries += context.values[self.context[:, field]]
        return queries

    def history_gradient(self, of_queries: Matrix) -> Matrix:
        """(C, d) from the gradient of the queries (B, d)."""
        gradient: Matrix = self.weights.T @ of_queries
        return gradient


def pooling(past: Past, context: Ints, config: FactorizationConfig, kept: NDArray[np.bool_] | None = None) -> Pooling:
    """Weigh each row's history: decayed event weights, divided by the sum of their sizes to the power `history_normalization`.

    kept: (E,) what history dropout leaves.
    """
    weight = decayed(past, config.history_half_life_hours * HOUR_S)
    if kept is not None:
        weight = weight * kept
    size = np.bincount(past.row, np.abs(weight), past.n_rows)[past.row] ** config.history_normalization
    share = np.divide(weight, size, out=np.zeros_like(weight), where=size > 0).astype(np.float32)
    is_met = np.bincount(past.column) > 0  # sorts nothing, unlike np.unique
    column, place = np.flatnonzero(is_met), (np.cumsum(is_met) - 1)[past.column]
    start = np.searchsorted(past.row, np.arange(past.n_rows + 1))
    return Pooling(column, csr_array((share, place, start), shape=(past.n_rows, len(column))), context)
