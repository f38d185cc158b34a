"""Intervals: SciPy's percentile bootstrap, users kept whole, the same every time."""

import numpy as np
import pytest
from scipy.stats import bootstrap

from pipelines.evaluation.intervals import mean_interval, mean_intervals, ratio_intervals

VALUES = np.random.default_rng(3).beta(0.5, 1.0, 400)


def test_an_interval_is_scipys():
    got = mean_interval(VALUES, n_resamples=20_000)

    want = bootstrap((VALUES,), np.mean, n_resamples=20_000, method="percentile", rng=1).confidence_interval
    assert got.mean == VALUES.mean()
    np.testing.assert_allclose([got.low, got.high], want, atol=1e-3)


def test_copies_of_each_users_value_make_nobody_surer():
    user = np.arange(len(VALUES))

    once = mean_interval(VALUES, user)
    ten_times = mean_interval(np.tile(VALUES, 10), np.tile(user, 10))

    np.testing.assert_allclose([ten_times.low, ten_times.high], [once.low, once.high], rtol=1e-12)
    alone = mean_interval(np.tile(VALUES, 10))
    assert alone.high - alone.low < 0.5 * (once.high - once.low)


def test_about_as_many_intervals_hold_the_truth_as_they_say():
    rng = np.random.default_rng(5)
    samples = (rng.exponential(size=100) for _ in range(300))

    held = [(i := mean_interval(sample, n_resamples=500)).low <= 1.0 <= i.high for sample in samples]

    assert 0.88 <= np.mean(held) <= 0.98


def test_the_same_seed_gives_the_same_interval():
    assert mean_interval(VALUES, seed=4) == mean_interval(VALUES, seed=4) != mean_interval(VALUES, seed=5)


def test_one_value_is_sure_of_itself():
    assert str(mean_interval(np.array([0.25]))) == "0.250 [0.250, 0.250]"


@pytest.mark.parametrize("values", [[], [0.5, np.nan]], ids=["none", "no-number"])
def test_no_mean_is_made_of_nothing(values):
    with pytest.raises(ValueError, match="expected finite values"):
        mean_interval(np.array(values))


def test_many_means_by_the_same_draws_are_those_of_each():
    user = np.repeat(np.arange(100), 4)
    others = np.where(np.arange(400) % 3 == 0, np.nan, VALUES * 2)

    both = mean_intervals({"a": VALUES, "b": others, "none": np.full(400, np.nan)}, user)

    assert both.keys() == {"a", "b"} and both["a"] == mean_interval(VALUES, user)
    told = np.isfinite(others)
    alone = mean_interval(others[told], user[told])
    np.testing.assert_allclose([both["b"].mean, both["b"].low, both["b"].high], [alone.mean, alone.low, alone.high])


def test_a_ratio_of_sums_is_scipys():
    rng = np.random.default_rng(2)
    seen = rng.integers(1, 50, 300).astype(float)
    clicked = rng.binomial(seen.astype(int), 0.1).astype(float)

    (got,) = ratio_intervals(clicked[:, None], seen[:, None], n_resamples=10_000)

    def ratio(a, b, axis):
        return a.sum(axis=axis) / b.sum(axis=axis)

    want = bootstrap((clicked, seen), ratio, paired=True, n_resamples=10_000, method="percentile", rng=1)
    assert got.mean == clicked.sum() / seen.sum()
    np.testing.assert_allclose([got.low, got.high], want.confidence_interval, atol=1e-3)


def test_of_nothing_counted_there_is_no_ratio():
    (got,) = ratio_intervals(np.zeros((3, 1)), np.zeros((3, 1)))

    assert np.isnan([got.mean, got.low, got.high]).all()
