"""Test, then train: how a model ranks what users chose before it learns from it (Dawid, "Prequential Analysis", 1984)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.features.profile import Ints, key_code, key_time_s
from pipelines.model_sections import ModelConfig
from pipelines.models.items import weights_of_codes
from pipelines.models.learnable import capped_rows, sampled
from pipelines.models.past import earlier_seconds, ranges
from pipelines.models.ranker import Histories, Ranker, TrainingBatch


@dataclass(frozen=True)
class Evaluated:
    """Sums over the examples that were ranked."""

    n: int = 0
    ndcg: float = 0.0
    recall: float = 0.0
    ndcg_of_popularity: float = 0.0


def evaluate(ranker: Ranker, batch: TrainingBatch, config: ModelConfig, seed: int) -> Evaluated:
    """Find the chosen items of a sample of the examples, at most one of each user, in the lists that would have been shown.

    With one relevant item, NDCG@k is 1 / log₂(1 + rank) up to k and recall@k whether it is there. Ties count against: what
    scores as high is before it. The list is of k + 1 items, so that a tie at its end is seen. It is that of the whole
    catalogue up to `exact_up_to_items`; in a larger one it is made from candidates (factorization/pruning.py), and an item
    that is none of them counts as not shown.
    """
    rows = _evaluated_rows(ranker, batch, config, seed)
    if not len(rows):
        return Evaluated()
    k = config.guards.evaluated_at
    chosen = ranker.find(batch.timeline.item[rows])
    rank = ranks_in_lists(*ranker.best(histories_before(batch, rows, config), k + 1), chosen)
    popular_rank = ranks_by_popularity(ranker.popularity(), chosen, k)
    return Evaluated(
        len(rows), float(ndcg(rank, k).sum()), float((rank <= k).sum()), float(ndcg(popular_rank, k).sum())
    )


def histories_before(batch: TrainingBatch, rows: Ints, config: ModelConfig) -> Histories:
    """What was known of the user of each row before its second."""
    timeline = batch.timeline
    start, end = earlier_seconds(timeline, rows, config.factorization.history_items)
    before = ranges(start, end - start)
    user = np.repeat(np.arange(len(rows)), end - start)
    as_of_s = key_time_s(timeline.key[rows])
    return Histories(len(rows), user, timeline.key[before], timeline.item[before], as_of_s, batch.context[rows])


def ranks(scores: NDArray[np.float32], chosen: Ints) -> Ints:
    """(B,) rank of the chosen column of each row, from 1; what scores as high is before it."""
    own = np.take_along_axis(scores, chosen[:, None], axis=1)
    above: Ints = (scores >= own).sum(axis=1)
    return above


def ranks_in_lists(columns: Ints, scores: NDArray[np.float32], chosen: Ints) -> Ints:
    """(B,) the same in lists (B, n) of columns and scores; one more than n where it is not listed."""
    is_chosen = columns == chosen[:, None]
    own = np.max(scores, axis=1, where=is_chosen, initial=-np.inf)
    above: Ints = (scores >= own[:, None]).sum(axis=1)
    return np.where(is_chosen.any(axis=1), above, columns.shape[1] + 1)


def ranks_by_popularity(popularity: NDArray[np.float64], chosen: Ints, k: int) -> Ints:
    """(B,) rank by popularity, with ties against it; k + 1 where it is higher than k."""
    n = min(k + 1, len(popularity))
    highest = np.sort(np.partition(-popularity, n - 1)[:n])
    return np.searchsorted(highest, -popularity[chosen], side="right")


def ndcg(rank: Ints, k: int) -> NDArray[np.float64]:
    """NDCG@k of one relevant item at `rank`."""
    gain: NDArray[np.float64] = np.where(rank <= k, 1.0 / np.log2(1.0 + rank), 0.0)
    return gain


def _evaluated_rows(ranker: Ranker, batch: TrainingBatch, config: ModelConfig, seed: int) -> Ints:
    timeline = batch.timeline
    rows = capped_rows(timeline, config)
    is_choice = weights_of_codes(config)[key_code(timeline.key[rows])] > 0
    rows = rows[is_choice & (ranker.find(timeline.item[rows]) >= 0)]
    last_of_user = np.diff(timeline.user[rows], append=-1) != 0
    return sampled(rows[last_of_user], config.guards.evaluated_examples_per_task, seed)
