"""Each quality of a list is what its formula says, item by item and pair by pair."""

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from pipelines.evaluation import list_qualities as ours
from pipelines.evaluation.metrics import NO_ITEM

N_ITEMS, N_LABELS = 9, 3


@st.composite
def some_lists(draw):
    """(n, k) lists of distinct items, some short, and the items' labels, 0 for none."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    k = draw(st.integers(1, 6))
    lists = np.stack([rng.permutation(N_ITEMS)[:k] for _ in range(draw(st.integers(1, 5)))])
    lists = np.where(np.arange(k) < rng.integers(0, k + 1, len(lists))[:, None], lists, NO_ITEM)
    return lists, rng.integers(0, N_LABELS + 1, N_ITEMS).astype(np.uint64), rng


def shown(row):
    return [item for item in row.tolist() if item != NO_ITEM]


def mean_or_nan(values):
    return sum(values) / len(values) if values else math.nan


def test_self_information_is_that_of_smoothed_shares():
    information = ours.self_information(np.array([7, 0]), 14, 2)

    assert information.tolist() == [1.0, 4.0]  # 8 of 16, 1 of 16


@given(some_lists())
def test_novelty_is_the_mean_over_what_is_shown(drawn):
    lists, _, rng = drawn
    information = rng.random(N_ITEMS)

    want = [mean_or_nan([information[item] for item in shown(row)]) for row in lists]
    np.testing.assert_allclose(ours.novelty(lists, information), want)


@given(some_lists())
def test_diversity_is_the_share_of_pairs_that_differ(drawn):
    lists, label, _ = drawn
    pairs = [[(label[a], label[b]) for a, b in combinations(shown(row), 2)] for row in lists]

    want = [mean_or_nan([float(a != b) for a, b in of_list if a and b]) for of_list in pairs]
    np.testing.assert_allclose(ours.diversity(lists, label), want)


@given(some_lists())
def test_miscalibration_is_stecks_divergence(drawn):
    lists, label, rng = drawn
    n = rng.integers(0, 20)
    row = np.sort(rng.integers(0, len(lists), n))
    liked, weight = rng.integers(0, N_LABELS + 1, n).astype(np.uint64), rng.integers(-1, 3, n).astype(float)

    want = [
        stecks(
            [(g, w) for r, g, w in zip(row, liked.tolist(), weight, strict=True) if r == number],
            [int(label[item]) for item in shown(of_list)],
        )
        for number, of_list in enumerate(lists)
    ]
    np.testing.assert_allclose(ours.miscalibration(lists, label, row, liked, weight), want, atol=1e-12)


def stecks(history, listed):
    """Equation by equation, of one user; alpha as in the paper."""
    p, q = Counter(), Counter(g for g in listed if g)
    for g, w in history:
        if g and w > 0:
            p[g] += w
    if not p:
        return math.nan
    total, n = sum(p.values()), max(sum(q.values()), 1)
    smoothed = {g: 0.99 * q[g] / n + 0.01 * w / total for g, w in p.items()}
    return sum(w / total * math.log(w / total / smoothed[g]) for g, w in p.items())


@pytest.mark.parametrize(
    ("listed", "divergence"),
    [
        pytest.param([0, 1, 2, 3], 0.0, id="the-same-mix"),
        pytest.param([0, 1, 4, 5], 0.0, id="the-same-mix-of-other-items"),
        pytest.param([0, 1, 4], 2 * 0.5 * math.log(0.5) - 0.5 * (math.log(0.665) + math.log(0.335)), id="one-more"),
    ],
)
def test_a_list_that_mirrors_the_history_is_calibrated(listed, divergence):
    label = np.array([1, 2, 1, 2, 1, 2], np.uint64)

    got = ours.miscalibration(
        np.array([listed]), label, np.zeros(2, int), np.array([1, 2], np.uint64), np.array([3.0, 3.0])
    )

    np.testing.assert_allclose(got, [divergence], atol=1e-12)


def test_calibration_error_is_that_of_scikit_learns_curve():
    rng = np.random.default_rng(1)
    foretold = rng.beta(1, 5, 500)
    happened = (rng.random(500) < foretold**1.3).astype(float)

    seen, expected = calibration_curve(happened, foretold, n_bins=10, strategy="quantile")
    assert ours.calibration_error(foretold, happened) == pytest.approx(np.abs(seen - expected).mean(), abs=1e-3)
    assert ours.calibration_error(np.full(4, 0.25), np.array([1.0, 0, 0, 0]), n_bins=1) == 0
    assert math.isnan(ours.calibration_error(np.array([]), np.array([])))


def test_of_no_items_nothing_is_said():
    nothing = np.full((2, 3), NO_ITEM)

    for values in (
        ours.novelty(nothing, np.array([])),
        ours.diversity(nothing, np.array([], np.uint64)),
        ours.miscalibration(nothing, np.array([], np.uint64), np.array([0]), np.array([1], np.uint64), np.array([1.0])),
    ):
        assert np.isnan(values).all()
