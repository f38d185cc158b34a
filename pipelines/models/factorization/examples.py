"""From the rows of a micro-batch to examples: who chose what after which history, and what else there was to choose."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.features.fold import Timeline
from pipelines.features.profile import Ints, Words, key_code, key_time_s
from pipelines.model_sections import ModelConfig
from pipelines.models.items import Items, weights_of_codes
from pipelines.models.past import Past, earlier_seconds, past_of, ranges


@dataclass(frozen=True)
class Examples:
    """B choices, in the order of their rows."""

    row: Ints  # (B,) of the timeline
    column: Ints  # (B,) of the chosen item
    weight: NDArray[np.float32]  # (B,) how much a choice counts, 1 at most
    past: Past  # B rows


@dataclass(frozen=True)
class Negatives:
    """N distinct items that stand for all others, and the logarithm of how often chance brings an item among them."""

    column: Ints  # (N,)
    log_expected: NDArray[np.float32]  # (I,) of every item


def examples_of(timeline: Timeline, rows: Ints, items: Items, config: ModelConfig) -> Examples:
    """Make an example of each of the `rows` whose event says something good of an item that is admitted.

    One that is not yet is never drawn as a negative, so log-Q correction would make it all but certain. The history is what
    the user did in earlier seconds: what has the same timestamp has no order.
    """
    positive = np.maximum(weights_of_codes(config), 0.0)
    weight = positive[key_code(timeline.key[rows])] / max(positive.max(), 1e-9)
    column = items.index.find(timeline.item)
    learns = (weight > 0) & (column[rows] >= 0)
    learns[learns] = items.is_admitted[column[rows[learns]]]
    rows, weight = rows[learns], weight[learns]
    start, end = earlier_seconds(timeline, rows, config.factorization.history_items)
    before = ranges(start, end - start)
    row = np.repeat(np.arange(len(rows)), end - start)
    as_of_s = key_time_s(timeline.key[rows])
    past = past_of(config, len(rows), row, column[before], timeline.key[before], as_of_s)
    return Examples(rows, column[rows], weight.astype(np.float32), past)


def draw_negatives(items: Items, n: int, exponent: float, random: np.random.Generator) -> Negatives:
    """Draw n items with replacement, by popularity to the power `exponent`, and keep the distinct ones.

    An item of probability p is among them 1 − (1 − p)ⁿ times on average: what log-Q correction subtracts (Bengio, Senécal,
    "Adaptive Importance Sampling to Accelerate Training of a Neural Probabilistic Language Model", 2008).
    """
    popularity = items.popularity.total[:, -1]
    raised = np.maximum(popularity, 1e-9 * popularity.max(initial=0.0)) ** exponent
    mass = np.where(items.is_admitted, raised, 0.0)
    cumulated = np.cumsum(mass)
    if not len(mass) or cumulated[-1] <= 0:
        return Negatives(np.empty(0, np.int64), np.zeros(len(mass), np.float32))
    drawn = np.searchsorted(cumulated, random.random(n) * cumulated[-1], side="right")
    column = np.unique(np.minimum(drawn, len(mass) - 1))
    expected = -np.expm1(n * np.log1p(-np.minimum(mass / cumulated[-1], 1 - 1e-12)))
    return Negatives(column, np.log(np.maximum(expected, 1e-30)).astype(np.float32))


def context_rows(context: Words, n_rows: int) -> Ints:
    """Rows of the context table for hashes (B, F): each field has `n_rows` of its own, after the row of the unknown."""
    field = np.arange(context.shape[1], dtype=np.uint64)
    row = np.uint64(1) + field * np.uint64(n_rows) + context % np.uint64(n_rows)
    return np.where(context == 0, 0, row.astype(np.int64))
