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
    """Rank the chosen item of a sample of the examples against the whole catalogue, at most one of each user.

    With one relevant item, NDCG@k is 1 / log₂(1 + rank) up to k and recall@k whether it is there. Ties count against.
    """
    rows = _evaluated_rows(ranker, batch, config, seed)
    if not len(rows):
        return Evaluated()
    chosen = ranker.find(batch.timeline.item[rows])
    rank = ranks(ranker.score(histories_before(batch, rows, config)), chosen)
    popularity = ranker.popularity()
    popular_rank = (popularity >= popularity[chosen][:, None]).sum(axis=1)
    k = config.guards.evaluated_at
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
