"""Bins: of numbers by quantiles of the reference, of categories the frequent ones, of both what is missing."""

import math

import numpy as np
import pytest

from pipelines.drift.grid import keys, lower_edge, round_number
from pipelines.drift.histogram import binned, histogram, median
from tests.drift.builders import categories, numbers


def test_a_key_of_the_grid_rises_with_the_number_and_a_step_is_narrow():
    values = np.array([-500.0, -1.0, -0.01, 0.0, 1e-300, 0.01, 1.0, 1.03, 1.05, 2.0, 16.0, 17.0, 1e300])

    assert (np.diff(keys(values)) >= 0).all()
    assert keys(values)[6] == keys(values)[7] < keys(values)[8]
    assert len(set(keys(np.arange(0.0, 17.0)).tolist())) == 17  # small whole numbers have a step each
    for value in (0.01, 19.99, 2.0**29, 1e6):
        edge = lower_edge(int(keys(np.array([value]))[0]))
        assert edge <= value * (1 + 1e-9) and value < edge * 2 ** (1 / 16)


@pytest.mark.parametrize("value", [0.0, 1.0, 2.0, 9.0, 16.0, 100.0, 0.5, 3000.0, -9.0])
def test_a_step_is_named_by_a_round_number_on_it(value):
    assert round_number(int(keys(np.array([value]))[0])) == value


def test_bins_of_a_number_have_equal_shares_of_the_reference():
    reference = list(np.exp(np.random.default_rng(0).normal(3, 1, 4_000)))
    bins = binned(numbers(reference[:500], reference), n_bins=10, n_values=20)

    assert len(bins.labels) == 10
    assert bins.reference.min() > 300 and bins.reference.max() < 500
    assert (bins.labels[0].split()[0], bins.labels[-1].split()[-1]) == ("below", "more")


def test_bins_of_a_number_join_their_neighbours_where_hardly_a_row_is_expected():
    reference = list(np.exp(np.random.default_rng(0).normal(3, 1, 4_000)))
    bins = binned(numbers(reference[:24], reference), n_bins=10, n_values=20)

    expected = bins.counts.sum(axis=1) / bins.counts.sum() * 24
    assert 2 <= len(bins.labels) <= 4 and expected.min() >= 5
    assert bins.counts.sum() == 4_024


def test_bins_do_not_depend_on_the_current_window():
    reference = list(np.exp(np.random.default_rng(0).normal(3, 1, 4_000)))
    same, dearer = (binned(numbers([v * f for v in reference[:500]], reference), 10, 20) for f in (1, 1.2))

    assert same.labels == dearer.labels[: len(same.labels)]


def test_what_lies_beyond_the_reference_has_a_bin_of_its_own():
    bins = binned(numbers([1] * 50 + [100] * 50, [1] * 700), n_bins=10, n_values=20)

    assert bins.labels == ("below 100", "100 and more")
    assert bins.counts.tolist() == [[50, 700], [50, 0]]


def test_what_lies_beyond_the_reference_does_not_join_its_last_quantile():
    reference = list(np.exp(np.random.default_rng(0).normal(3, 1, 4_000)))

    bins = binned(numbers([1e6] * 100 + reference[:400], reference), n_bins=10, n_values=20)

    assert bins.counts[-1].tolist() == [100, 0]


def test_frequent_values_have_a_bin_each_and_the_rest_one():
    windows = {f"v{n}": 100 - n for n in range(40)}

    bins = binned(categories(windows, windows, windows), n_bins=10, n_values=3)

    assert bins.labels == ("v0", "v1", "v2", "other")
    assert bins.counts[:3, 1].tolist() == [100, 99, 98] and bins.counts.sum() == 3 * sum(windows.values())


def test_a_new_value_has_a_bin_though_the_reference_does_not_know_it():
    usual = {f"v{n}": 100 for n in range(5)}

    bins = binned(categories(usual | {"new": 60}, usual, usual, usual), n_bins=10, n_values=5)

    assert bins.labels[-1] == "new" and bins.counts[-1].tolist() == [60, 0, 0, 0]


def test_values_too_rare_to_be_tested_are_together():
    bins = binned(categories({"a": 90, "b": 2, "c": 1}, {"a": 90, "b": 1, "c": 3}), n_bins=10, n_values=20)

    assert bins.labels == ("a", "other") and bins.counts[1].tolist() == [3, 4]


def test_what_is_missing_has_a_bin_of_its_own():
    assert binned(categories({"a": 90, None: 10}, {"a": 100}), 10, 20).labels == ("a", "missing")
    assert binned(numbers([1.0] * 50 + [None] * 7, [1.0] * 50), 10, 20).counts.tolist() == [[50, 50], [7, 0]]


@pytest.mark.parametrize("kind", ["number", "category"])
def test_no_rows_are_no_bins(kind):
    assert binned(histogram("events", "x", kind, {}, 4), 10, 20).labels == ()


def test_the_median_is_that_of_the_numbers_to_a_step():
    of = numbers([2000.0] * 11, [float(n) for n in range(1, 100)])

    assert median(of, slice(1, None)) == pytest.approx(50, rel=0.05)
    assert median(of, slice(0, 1)) == pytest.approx(2000, rel=0.05)
    assert median(numbers([None], [1.0]), slice(0, 1)) is None
    assert math.isfinite(median(of, slice(None)))
