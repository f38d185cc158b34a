"""Metrics over several relevant items, beside those of RecTools 0.19.0, which cannot be installed with our NumPy.

The values are what its `calc` gave for these lists: NDCG with `divide_by_achievable`, intra-list diversity by Hamming distance.
"""

import numpy as np
import pytest

from pipelines.evaluation import metrics
from pipelines.evaluation.list_qualities import diversity
from pipelines.evaluation.metrics import NO_ITEM, hits_of

N_USERS, N_ITEMS, K = 40, 30, 10
OF_RECTOOLS = {
    "ndcg": 0.3408679519971912,
    "recall": 0.38097021034521034,
    "precision": 0.2775,
    "hit_rate": 0.9,
    "reciprocal_rank": 0.45569444444444435,
    "average_precision": 0.1813277802444469,
}


@pytest.fixture(scope="module")
def drawn():
    """(U, K) lists, every fifth of six items, and what is relevant to each user: one to thirteen items."""
    rng = np.random.default_rng(11)
    lists = np.full((N_USERS, K), NO_ITEM)
    for user in range(N_USERS):
        length = K if user % 5 else 6
        lists[user, :length] = rng.permutation(N_ITEMS)[:length]
    relevant = [rng.choice(N_ITEMS, rng.integers(1, 14), replace=False) for _ in range(N_USERS)]
    return lists, np.repeat(np.arange(N_USERS), [len(of_user) for of_user in relevant]), np.concatenate(relevant)


@pytest.mark.parametrize("name", OF_RECTOOLS)
def test_the_mean_over_users_is_rectools(drawn, name):
    assert getattr(metrics, name)(hits_of(*drawn)).mean() == pytest.approx(OF_RECTOOLS[name], rel=1e-12)


def test_diversity_and_coverage_are_rectools(drawn):
    lists, _, _ = drawn
    category = (np.arange(N_ITEMS) % 4 + 1).astype(np.uint64)

    assert diversity(lists, category).mean() == pytest.approx(0.7683333333333333, rel=1e-12)
    assert metrics.coverage(lists, N_ITEMS) == 1.0
