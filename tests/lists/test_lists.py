"""Selecting, refreshing, publishing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipelines.lists.document import PublishedList
from pipelines.lists.refresh import Pace
from pipelines.lists.selection import top_n
from pipelines.schemas import INTERACTION_CODES
from tests.examples import examples

some_scores = st.sampled_from([-2.5, -1.0, -0.0, 0.0, 1e-30, 0.5, 0.5000001, 3.0, 1e30])


def sorted_oracle(scores, n):
    columns = np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    # -0.0 and 0.0 are told apart by their bits: map both the same way for the oracle
    order = np.lexsort((columns, -scores - np.signbit(scores) * -1e-35), axis=1)
    return order[:, :n]


@settings(max_examples=examples(100), deadline=None)
@given(arrays(np.float32, (3, 40), elements=some_scores.map(np.float32)), st.integers(1, 12))
def test_the_best_are_found_in_order_and_ties_go_to_the_lower_column(scores, n):
    scores = scores + np.float32(0)  # no negative zeros

    np.testing.assert_array_equal(top_n(scores, n), sorted_oracle(scores, n))


@pytest.mark.parametrize("n_items", [2_000, 5_000, 5_017], ids=str)
def test_the_search_by_blocks_finds_what_sorting_finds(n_items):
    scores = np.random.default_rng(5).permuted(np.tile(np.arange(n_items, dtype=np.float32), (20, 1)), axis=1)

    np.testing.assert_array_equal(top_n(scores, 7), np.argsort(-scores, axis=1)[:, :7])


@pytest.mark.parametrize("n_items", [900, 5_017], ids=str)
def test_a_shorter_list_is_the_beginning_of_a_longer_one_also_among_ties(n_items):
    scores = np.random.default_rng(6).integers(0, 50, (4, n_items)).astype(np.float32)

    longest = top_n(scores, 400)

    assert all((top_n(scores, n) == longest[:, :n]).all() for n in (1, 5, 6, 199))
    assert (np.diff(np.take_along_axis(scores, longest, axis=1)) <= 0).all()


def test_fewer_items_than_asked_for_are_all_ranked():
    assert top_n(np.array([[1, 3, 2]], np.float32), 10).tolist() == [[1, 2, 0]]


VIEW, PURCHASE, REMOVE = (INTERACTION_CODES[name] for name in ("product_view", "purchase", "remove_from_cart"))


@pytest.mark.parametrize(
    ("before", "codes", "due"),
    [
        pytest.param([], [VIEW] * 4, False, id="four-are-not-enough"),
        pytest.param([], [VIEW] * 5, True, id="the-fifth"),
        pytest.param([VIEW] * 4, [VIEW], True, id="the-fifth-alone"),
        pytest.param([VIEW] * 5, [VIEW] * 4, False, id="four-more"),
        pytest.param([VIEW] * 3, [VIEW] * 9, True, id="many-at-once"),
        pytest.param([VIEW] * 4, [], False, id="nothing-new"),
        pytest.param([], [PURCHASE], True, id="a-purchase-at-once"),
        pytest.param([VIEW] * 3, [PURCHASE], True, id="a-purchase-whatever-was-before"),
        pytest.param([VIEW] * 3 + [PURCHASE], [VIEW], False, id="the-fourth-view"),
        pytest.param([VIEW] * 3 + [PURCHASE], [VIEW] * 2, True, id="the-fifth-view"),
        pytest.param([VIEW] * 4, [REMOVE] * 9, False, id="what-counts-for-nothing"),
    ],
)
def test_when_a_list_is_due(before, codes, due):
    pace = Pace.of(5, {"purchase": 5, "remove_from_cart": 0})
    _, progress = pace.after(np.array([0, 0]), np.ones(len(before), np.int64), np.array(before, np.int64))

    now, _ = pace.after(progress, np.ones(len(codes), np.int64), np.array(codes, np.int64))

    assert now.tolist() == [False, due]


def test_a_published_list_reads_back():
    published = PublishedList(["a", "b"], [0.25, 0.125], 1_570_000_000_123, "baseline-1", "personal", "7-0-12")

    assert PublishedList.from_json(published.to_json()) == published
