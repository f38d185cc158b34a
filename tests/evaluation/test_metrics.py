"""Every metric is scikit-learn's, on random lists; and what scikit-learn leaves open is pinned here."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as theirs

from pipelines.evaluation import metrics as ours

K_ANY = st.integers(1, 14)


@st.composite
def judged_scores(draw, *, n_relevant=None, ties=True):
    """(U, I) scores, often equal, and (U, I) relevance: something for every user."""
    n_users, n_items = draw(st.integers(1, 5)), draw(st.integers(2, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    scores = rng.integers(0, 4, (n_users, n_items)) / 4 if ties else rng.normal(size=(n_users, n_items))
    relevant = np.zeros((n_users, n_items), bool)
    for row in relevant:
        row[rng.choice(n_items, n_relevant or rng.integers(1, n_items + 1), replace=False)] = True
    return scores.astype(np.float32), relevant


def without_ties(scores):
    """The same order, no two equal: what comes first in the columns is the better one."""
    return scores.astype(float) - 1e-6 * np.arange(scores.shape[1])


def hits_at(scores, relevant, k):
    return ours.hits_of(ours.ranked_columns(scores, k), *np.nonzero(relevant))


def listed(scores, k):
    """(U, I) whether an item is among the k best."""
    best = np.argsort(-without_ties(scores), axis=1)[:, :k]
    out = np.zeros(scores.shape, bool)
    np.put_along_axis(out, best, True, axis=1)
    return out


@settings(deadline=None)
@given(judged_scores(), K_ANY)
def test_ndcg_is_scikit_learns(case, k):
    scores, relevant = case

    got = ours.ndcg(hits_at(scores, relevant, k))

    want = [theirs.ndcg_score([row], [order], k=k) for row, order in zip(relevant, without_ties(scores), strict=True)]
    np.testing.assert_allclose(got, want, rtol=1e-12)


@settings(deadline=None)
@given(judged_scores(), K_ANY)
def test_recall_and_precision_are_scikit_learns(case, k):
    scores, relevant = case
    hits = hits_at(scores, relevant, k)

    said = listed(scores, k)
    args = {"average": "samples", "zero_division": 0.0}
    np.testing.assert_allclose(ours.recall(hits).mean(), theirs.recall_score(relevant, said, **args), rtol=1e-12)
    np.testing.assert_allclose(ours.precision(hits).mean(), theirs.precision_score(relevant, said, **args), rtol=1e-12)


@settings(deadline=None)
@given(judged_scores())
def test_average_precision_of_whole_lists_is_scikit_learns(case):
    scores, relevant = case

    got = ours.average_precision(hits_at(scores, relevant, scores.shape[1]))

    want = theirs.label_ranking_average_precision_score(relevant, without_ties(scores))
    np.testing.assert_allclose(got.mean(), want, rtol=1e-12)


@settings(deadline=None)
@given(judged_scores(n_relevant=1, ties=False), K_ANY)
def test_of_one_relevant_item_hit_rate_and_reciprocal_rank_are_scikit_learns(case, k):
    scores, relevant = case
    n_items = scores.shape[1]
    chosen = relevant.argmax(axis=1)

    rank = theirs.coverage_error(relevant, scores)  # mean place of the last relevant one
    np.testing.assert_allclose(1 + ours.ranks_of(scores, chosen).mean(), rank, rtol=1e-12)
    everywhere = ours.reciprocal_rank(hits_at(scores, relevant, n_items))
    np.testing.assert_allclose(everywhere.mean(), theirs.label_ranking_average_precision_score(relevant, scores))
    if k < n_items > 2:  # of two classes, scikit-learn asks for one score
        in_list = theirs.top_k_accuracy_score(chosen, scores, k=k, labels=range(n_items))
        np.testing.assert_allclose(ours.hit_rate(hits_at(scores, relevant, k)).mean(), in_list, rtol=1e-12)


@settings(deadline=None)
@given(judged_scores(n_relevant=1), K_ANY)
def test_a_list_and_the_rank_of_its_one_relevant_item_say_the_same(case, k):
    scores, relevant = case
    chosen = relevant.argmax(axis=1)

    by_rank = ours.hits_of_ranks(ours.ranks_of(scores, chosen), min(k, scores.shape[1]))

    by_list = hits_at(scores, relevant, k)
    np.testing.assert_array_equal(by_rank.hit, by_list.hit)
    np.testing.assert_array_equal(by_rank.n_relevant, by_list.n_relevant)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_log_loss_is_scikit_learns(told):
    probability, outcome = map(np.array, zip(*told, strict=True))

    got = ours.log_loss(probability, outcome)

    np.testing.assert_allclose(
        got.mean(), theirs.log_loss(outcome, probability, labels=[False, True]), rtol=1e-9, atol=1e-12
    )


def test_choice_loss_is_the_log_loss_of_the_softmax():
    scores = np.random.default_rng(1).normal(size=(20, 7))
    chosen = np.arange(20) % 7
    share = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)

    got = ours.choice_loss(scores + 1_000, chosen)

    np.testing.assert_allclose(got.mean(), theirs.log_loss(chosen, share, labels=range(7)), rtol=1e-9)


def test_users_of_whom_nothing_is_relevant_are_not_judged():
    hits = ours.hits_of(np.array([[0, 1], [0, 1], [0, 1]]), np.array([2, 0]), np.array([1, 5]))

    assert hits.user.tolist() == [0, 2]
    assert ours.recall(hits).tolist() == [0.0, 1.0]


def test_a_user_without_a_list_counts_nothing():
    ranked = np.array([[ours.NO_ITEM, ours.NO_ITEM], [3, ours.NO_ITEM]])

    hits = ours.hits_of(ranked, np.array([0, 1]), np.array([3, 3]))

    assert ours.ndcg(hits).tolist() == [0.0, 1.0]
    assert ours.reciprocal_rank(hits).tolist() == [0.0, 1.0]


def test_a_purchase_that_comes_twice_is_relevant_once():
    hits = ours.hits_of(np.array([[4, 2]]), np.array([0, 0, 0]), np.array([4, 4, 7]))

    assert hits.n_relevant.tolist() == [2]
    assert ours.recall(hits).tolist() == [0.5]


def test_what_may_not_be_listed_is_not():
    scores = np.array([[-np.inf, 3.0, -np.inf], [1.0, 2.0, 3.0]], np.float32)

    assert ours.ranked_columns(scores, 2).tolist() == [[1, ours.NO_ITEM], [2, 1]]


def test_coverage_counts_items_of_any_list():
    assert ours.coverage(np.array([[0, 1], [1, ours.NO_ITEM]]), n_items=8) == 0.25


@pytest.mark.parametrize(
    ("call", "said"),
    [
        pytest.param(lambda: ours.ranked_columns(np.array([[1.0, np.nan]]), 1), "got 1 NaN of 2", id="nan-in-a-list"),
        pytest.param(lambda: ours.ranks_of(np.array([[1.0, np.nan]]), np.array([0])), "got 1 NaN", id="nan-and-a-rank"),
        pytest.param(
            lambda: ours.hits_of(np.array([[1, 2]]), np.array([1]), np.array([2])), "users 0 to 0, got 1", id="no-row"
        ),
        pytest.param(
            lambda: ours.hits_of(np.array([[2, 2]]), np.array([0]), np.array([2])), r"\[2, 2\] in list 0", id="twice"
        ),
    ],
)
def test_what_cannot_be_judged_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
