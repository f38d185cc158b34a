"""What tells two models apart: their items, and how far their parameters lie from each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from pipelines.models.factorization.machine import FactorizationMachine
from pipelines.models.factorization.tables import BY_ITEM, Matrix
from pipelines.models.model import Model

N_FARTHEST = 5
Value = TypeVar("Value")
Pairs = dict[str, tuple[Value | None, Value | None]]


@dataclass(frozen=True)
class Difference:
    """Of model b from model a."""

    n_items: tuple[int, int]
    gained: list[str]  # ids of items that only b has, by its popularity
    lost: list[str]  # that only a has, by its popularity
    moved: (
        dict[str, float] | None
    )  # table → ‖b − a‖ / ‖a‖ over the rows of both; None: they are no factorization machines
    farthest: dict[str, float]  # item → how far its vector moved, the farthest first


def difference(a: Model, b: Model) -> Difference:
    """Compare two models. Tables of different shapes, by another `model.factorization.dimensions` say, are left out."""
    in_b, in_a = (one.find(other.items.index.item) for one, other in ((b, a), (a, b)))
    gained, lost = _by_popularity(b, in_a < 0), _by_popularity(a, in_b < 0)
    sizes = (a.n_items, b.n_items)
    if not (isinstance(a.scorer, FactorizationMachine) and isinstance(b.scorer, FactorizationMachine)):
        return Difference(sizes, gained, lost, None, {})
    shared = np.flatnonzero(in_b >= 0)
    of_a, of_b = (_tables(machine, rows) for machine, rows in ((a.scorer, shared), (b.scorer, in_b[shared])))
    moved = {name: _relative(of_a[name], of_b[name]) for name in of_a if of_a[name].shape == of_b[name].shape}
    return Difference(sizes, gained, lost, moved, _farthest(of_a["item"], of_b["item"], a.item_ids[shared]))


def changed(a: Mapping[str, Value], b: Mapping[str, Value]) -> Pairs[Value]:
    """Name → both values, where they differ; None where one has none."""
    names = sorted({*a, *b})
    return {name: (a.get(name), b.get(name)) for name in names if a.get(name) != b.get(name)}


def _tables(machine: FactorizationMachine, rows: NDArray[np.int64]) -> dict[str, Matrix]:
    return {name: table.values[rows] if name in BY_ITEM else table.values for name, table in machine.tables.items()}


def _relative(a: Matrix, b: Matrix) -> float:
    distance, length = float(np.linalg.norm(b - a)), float(np.linalg.norm(a))
    return distance / length if length else (0.0 if distance == 0 else float("inf"))


def _farthest(a: Matrix, b: Matrix, item_ids: NDArray[np.object_]) -> dict[str, float]:
    if a.shape != b.shape:
        return {}
    distance = np.linalg.norm(b - a, axis=1)
    first = np.argsort(-distance, kind="stable")[:N_FARTHEST]
    return {str(item_ids[at]): float(distance[at]) for at in first if distance[at] > 0}


def _by_popularity(model: Model, which: NDArray[np.bool_]) -> list[str]:
    columns = np.flatnonzero(which)
    ordered = columns[np.argsort(-model.popularity()[columns], kind="stable")]
    return [str(item) for item in model.item_ids[ordered]]
