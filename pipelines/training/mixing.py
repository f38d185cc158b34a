"""From models that learned apart, each from other users, back to one: iterative parameter mixing.

All begin as the same model. What is counted adds up: popularity, events, AdaGrad's squared gradients. A vector that one of
them moved is taken from it; one that several moved is their mean, weighted by their examples. Sources: McDonald, Hall, Mann,
"Distributed Training Strategies for the Structured Perceptron", NAACL 2010; Zinkevich, Weimer, Smola, Li, "Parallelized
Stochastic Gradient Descent", NIPS 2010.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipelines.features.profile import Ints
from pipelines.models.factorization.machine import FactorizationMachine
from pipelines.models.factorization.tables import BY_ITEM, Table
from pipelines.models.items import Items
from pipelines.models.model import Model
from pipelines.models.ranker import ItemFacts

ONE_BY_ONE = ("mixture", "co_occurrence")  # their neighbours compete for slots: two tables have no mean


def is_mixable(kind: str) -> bool:
    """Whether models of this kind can learn apart."""
    return kind not in ONE_BY_ONE


def mixed(before: Model, parts: Sequence[Model], n_examples: Sequence[int]) -> Model:
    """The model of `parts`, all of which went on from `before` without dropping items; `before` is left as it is.

    One part is the result itself: learning by one partition is plain sequential learning. The order of the parts is that of
    new items' columns. Raises ValueError for a kind that is not mixable.
    """
    if len(parts) == 1:
        return parts[0]
    if not is_mixable(before.config.kind):
        raise ValueError(f"expected one part of a model of kind {before.config.kind}, got {len(parts)}")
    items = _mixed_items(before.items, [part.items for part in parts])
    scorer = before.scorer.grow(len(items) - len(before.items))
    if isinstance(scorer, FactorizationMachine):
        columns = [items.index.find(part.items.index.item) for part in parts]
        machines = [part.scorer for part in parts if isinstance(part.scorer, FactorizationMachine)]
        scorer = FactorizationMachine(before.config, _mixed_tables(scorer, machines, columns, n_examples))
    return Model(before.config, items, scorer)


def _mixed_items(before: Items, parts: Sequence[Items]) -> Items:
    items = before.only(np.arange(len(before)))  # a copy
    for part in parts:
        told = ItemFacts(part.index.item, part.item_id, part.category, part.brand)
        items = items.with_facts(before.differing(told), 0)
    columns = [items.index.find(part.index.item) for part in parts]
    landmark_s = np.max([before.popularity.landmark_s, *(part.popularity.landmark_s for part in parts)], axis=0)
    n_events, last_s, popularity = items.n_events.copy(), items.last_s, items.popularity.grown(0)
    popularity.rebase(landmark_s)
    started, was = popularity.total.copy(), items.n_events
    for part, column in zip(parts, columns, strict=True):
        own = part.popularity.grown(0)
        own.rebase(landmark_s)
        popularity.total[column] += own.total - started[column]
        n_events[column] += part.n_events - was[column]
        last_s[column] = np.maximum(last_s[column], part.last_s)
    return replace(items, n_events=n_events, last_s=last_s, popularity=popularity)


def _mixed_tables(
    before: FactorizationMachine,
    parts: Sequence[FactorizationMachine],
    columns: Sequence[Ints],
    n_examples: Sequence[int],
) -> dict[str, Table]:
    """`before` has the new items already."""
    tables = {}
    for name, table in before.tables.items():
        rows = [column if name in BY_ITEM else np.arange(len(table.values)) for column in columns]
        tables[name] = _mixed_table(table, [part.tables[name] for part in parts], rows, n_examples)
    return tables


def _mixed_table(before: Table, parts: Sequence[Table], rows: Sequence[Ints], n_examples: Sequence[int]) -> Table:
    """Row r of a part is row `rows[…][r]` of the result. A vector that was only begun with says nothing beside one that moved."""
    values, accumulator = before.values.copy(), before.accumulator.copy()
    weight = np.zeros(len(values))
    for part, row, n in zip(parts, rows, n_examples, strict=True):
        moved = part.accumulator != before.accumulator[row]
        told = moved | (part.values != before.values[row]).any(axis=1)
        at, own = row[told], n * moved[told]
        accumulator[at] += part.accumulator[told] - before.accumulator[at]
        weight[at] += own
        # A running mean: the first that moved a row has all of it.
        share = np.divide(own, weight[at], out=np.ones(len(at)), where=weight[at] > 0)[:, None].astype(np.float32)
        values[at] = (1 - share) * values[at] + share * part.values[told]
    return Table(values, accumulator)
