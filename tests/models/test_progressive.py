"""Test, then train: the rank in the list that is shown is the rank among all items, as far as the list goes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.models.kinds import KINDS
from pipelines.models.model import Model
from pipelines.models.progressive import (
    Evaluated,
    _evaluated_rows,
    evaluate,
    histories_before,
    ndcg,
    ranks,
    ranks_by_popularity,
    ranks_in_lists,
)
from tests.examples import examples
from tests.models.builders import a_batch, a_config, learned, micro_batches

N_ITEMS = 40


def a_model(kind: str, k: int = 10) -> Model:
    config = a_config(kind, guards={"evaluated_at": k, "evaluated_examples_per_task": 100})
    random = np.random.default_rng(2)
    log = [(int(random.integers(30)), 900 - n, "click", 1 + int(random.zipf(1.6)) % N_ITEMS) for n in range(400)]
    return learned(*micro_batches(log, 40), config=config)


def what_came_next(n_users: int = 60):
    """Of each user a few clicks that are known, and one that is to be foretold."""
    random = np.random.default_rng(4)
    known = [
        (user, 60 + n, "click", 1 + int(random.integers(N_ITEMS))) for user in range(n_users) for n in range(user % 4)
    ]
    return a_batch(*((user, 5, "click", 1 + int(random.integers(N_ITEMS))) for user in range(n_users)), known=known)


def by_definition(model: Model, batch, seed: int) -> Evaluated:
    """Scores of all items for every example, all popularities beside each."""
    config = model.config
    rows, k = _evaluated_rows(model, batch, config, seed), config.guards.evaluated_at
    chosen, popularity = model.find(batch.timeline.item[rows]), model.popularity()
    rank = ranks(model.score(histories_before(batch, rows, config)), chosen)
    popular_rank = (popularity >= popularity[chosen][:, None]).sum(axis=1)
    return Evaluated(len(rows), ndcg(rank, k).sum(), (rank <= k).sum(), ndcg(popular_rank, k).sum())


@pytest.mark.parametrize("k", [1, 3, 10, 39, 100])
@pytest.mark.parametrize("kind", KINDS)
def test_the_figures_are_those_of_all_scores(kind, k):
    model, batch = a_model(kind, k), what_came_next()

    told = evaluate(model, batch, model.config, 7)

    assert told == by_definition(model, batch, 7)
    assert told.n > 30 and told.recall > 0


@settings(max_examples=examples(200), deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 3), min_size=12, max_size=12), min_size=1, max_size=5),
    st.integers(1, 14),
    st.data(),
)
def test_up_to_k_a_rank_in_the_list_is_that_of_all_scores_however_many_tie(values, k, data):
    scores = np.array(values, np.float32)
    chosen = np.array([data.draw(st.integers(0, 11)) for _ in values])
    columns = np.argsort(-scores, axis=1, kind="stable")[:, : k + 1]

    found = ranks_in_lists(columns, np.take_along_axis(scores, columns, axis=1), chosen)

    wanted = ranks(scores, chosen)
    assert np.minimum(found, k + 1).tolist() == np.minimum(wanted, k + 1).tolist()
    of_popularity = ranks_by_popularity(scores[0].astype(float), chosen, k)
    assert of_popularity.tolist() == np.minimum((scores[0] >= scores[0][chosen][:, None]).sum(axis=1), k + 1).tolist()


def test_what_is_not_among_the_candidates_counts_as_not_shown():
    found = ranks_in_lists(np.array([[4, 2], [1, 3]]), np.array([[2, 1], [2, 1]], np.float32), np.array([2, 9]))

    assert found.tolist() == [2, 3]


def test_a_tie_at_the_end_of_the_list_counts_against():
    """All are as popular, so each of 40 has rank 40."""
    config = a_config("popularity", guards={"evaluated_at": 10})
    model = learned(a_batch(*((100 + item, 60, "click", item) for item in range(1, N_ITEMS + 1))), config=config)

    told = evaluate(model, what_came_next(), config, 0)

    assert told.n > 10 and (told.recall, told.ndcg, told.ndcg_of_popularity) == (0, 0, 0)


def test_without_examples_there_is_nothing_to_tell():
    model = a_model("popularity")

    assert evaluate(model, a_batch((0, 5, "remove_from_cart", 1)), model.config, 0) == Evaluated()
