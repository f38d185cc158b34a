"""The parameters: tables of float32 vectors, each with AdaGrad's memory of how far it moved.

AdaGrad (Duchi, Hazan, Singer, JMLR 2011) with one accumulator for a row: G += mean(g²); row −= rate · g / √G.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.features.profile import Ints
from pipelines.model_sections import FactorizationConfig
from pipelines.models.arrays import Arrays
from pipelines.models.spare import buffer_of, lengthened

Matrix = NDArray[np.float32]  # two-dimensional
Vector = NDArray[np.float32]
N_REPEAT_TERMS = 5
BY_ITEM = ("item", "history", "bias")  # tables with a row for each item
UNKNOWN = 0  # the row of a category, brand or context that is not known: it stays 0


@dataclass
class Table:
    """n vectors of d numbers."""

    values: Matrix  # (n, d)
    accumulator: Vector  # (n,) Σ of mean squared gradients, and what they started with

    @classmethod
    def zeros(cls, n: int, d: int, initial_accumulator: float) -> "Table":
        """A table that has not learned."""
        return cls(np.zeros((n, d), np.float32), np.full(n, initial_accumulator, np.float32))

    @property
    def n_dimensions(self) -> int:
        return int(self.values.shape[1])

    def step(self, row: Ints, gradient: Matrix, rate: float, l2: float) -> None:
        """Move distinct rows against their gradients (r, d)."""
        gradient = gradient + np.float32(l2) * self.values[row]
        self.accumulator[row] += np.square(gradient).mean(axis=1)
        scale = np.sqrt(self.accumulator[row])
        step = np.divide(gradient, scale[:, None], out=np.zeros_like(gradient), where=scale[:, None] > 0)
        self.values[row] -= np.float32(rate) * step

    def grown(self, n_new: int, initial_accumulator: float) -> "Table":
        """The same with `n_new` more rows of zeros, in the same arrays where they have room (spare.py)."""
        return Table(lengthened(self.values, n_new), lengthened(self.accumulator, n_new, initial_accumulator))

    def buffers(self) -> Arrays:
        """The arrays with their spare rows."""
        return {"values": buffer_of(self.values), "accumulator": buffer_of(self.accumulator)}

    def only(self, row: Ints) -> "Table":
        """The table of some rows alone."""
        return Table(self.values[row], self.accumulator[row])

    def state(self, row: Ints) -> Arrays:
        """Some rows, as `set` takes them."""
        return {"row": row.astype(np.int32), "values": self.values[row].ravel(), "accumulator": self.accumulator[row]}

    def set(self, state: Arrays) -> None:
        """Take over rows of another copy."""
        row = state["row"]
        self.values[row] = state["values"].reshape(-1, self.n_dimensions)
        self.accumulator[row] = state["accumulator"]


def empty_tables(config: FactorizationConfig, n_context_fields: int, n_popularity_terms: int) -> dict[str, Table]:
    """All tables, of a model without items."""
    d, start = config.dimensions, config.initial_accumulator
    tables = {
        "item": Table.zeros(0, d, start),
        "history": Table.zeros(0, d, start),
        "bias": Table.zeros(0, 1, start),
        "category": Table.zeros(config.category_rows, d, start),
        "brand": Table.zeros(config.brand_rows, d, start),
        "context": Table.zeros(n_context_fields * config.context_rows + 1, d, start),
        "term": Table.zeros(n_popularity_terms + N_REPEAT_TERMS, 1, start),
    }
    # Before it learns, it ranks by popularity, and what the user met before all others.
    tables["term"].values[:, 0] = [1.0 / n_popularity_terms] * n_popularity_terms + list(config.initial_repeat_weights)
    return tables


def random_vectors(item: NDArray[np.uint64], d: int, scale: float) -> Matrix:
    """(n, d) normal numbers that depend on the item's hash alone, so that every copy of the model draws the same.

    Counter-based: SplitMix64 (Steele, Lea, Flood, OOPSLA 2014) of hash and dimension, then Box–Muller.
    """
    counter = item[:, None] + np.arange(1, 2 * d + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (counter ^ (counter >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    uniform = ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    radius, angle = np.sqrt(-2.0 * np.log(uniform[:, :d])), 2.0 * np.pi * uniform[:, d:]
    return np.asarray(scale * radius * np.cos(angle), np.float32)


def summed(row: NDArray[np.generic], gradient: Matrix) -> tuple[NDArray[np.generic], Matrix]:
    """Distinct rows, ascending, and the sum of the gradients of each, added in the order given."""
    order = np.argsort(row, kind="stable")
    ordered = row[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(row) else order
    if not len(first):
        return row, gradient
    return ordered[first], np.add.reduceat(gradient[order], first, axis=0)


def joined(name: str, parts: Sequence[Mapping[str, NDArray[np.generic]]], d: int) -> tuple[NDArray[np.generic], Matrix]:
    """The gradient of a table from all tasks: distinct rows and their sums."""
    rows = [part[f"{name}.row"] for part in parts]
    gradients = [part[f"{name}.gradient"].reshape(-1, d) for part in parts]
    return summed(np.concatenate(rows), np.concatenate(gradients).astype(np.float32))
