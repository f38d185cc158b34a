"""Whether lists fit less than before: points of choices, the rhythm of a day, and Page-Hinkley."""

import numpy as np
import pytest

from pipelines.drift.concept import LEAST_POINTS, Series, detect, points_of
from pipelines.drift_sections import ConceptConfig

CONFIG = ConceptConfig()
DAY = 86_400
START = 7 * DAY  # of the current window
SLICE = 600


def slices(seed, ndcg_at, per_slice=20):
    """Choices of eight days: each found, with NDCG 1, with a chance that depends on the second."""
    rng = np.random.default_rng(seed)
    times = range(0, 8 * DAY, SLICE)
    return [(second, per_slice, float(rng.binomial(per_slice, ndcg_at(second)))) for second in times]


def change(told):
    return detect(points_of(told, START, CONFIG.choices_per_point), START)


def test_a_fall_is_told_soon_and_by_how_much():
    found = change(slices(1, lambda second: 0.3 if second < START + DAY // 4 else 0.2))

    assert found.is_drift(CONFIG)
    assert found.before == pytest.approx(0.3, abs=0.01) and found.fall == pytest.approx(1 / 3, abs=0.1)
    first = found.series.time_s[found.detected[0]]
    assert START + DAY // 4 < first < START + DAY // 2


@pytest.mark.parametrize(
    "ndcg_at",
    [
        pytest.param(lambda _: 0.3, id="nothing-happens"),
        pytest.param(lambda second: 0.3 if second < START else 0.4, id="a-rise"),
        pytest.param(lambda second: 0.3 if second < 5 * DAY else 0.2, id="a-fall-in-the-reference"),
        pytest.param(lambda second: 0.3 if second < START + DAY // 4 else 0.29, id="a-small-fall"),
        pytest.param(lambda second: 0.35 if second % DAY < DAY // 2 else 0.2, id="worse-every-night"),
    ],
)
def test_what_is_no_fall_now_is_not_told(ndcg_at):
    for seed in range(5):
        assert not change(slices(seed, ndcg_at)).is_drift(CONFIG)


def test_points_have_as_many_choices_as_asked_for_and_none_is_in_both_windows():
    told = [(second, 3, 1.0) for second in range(0, 8 * DAY, SLICE)]

    series = points_of(told, START, per_point=50)

    assert set(series.n.tolist()) == {51}
    assert series.value == pytest.approx(np.full(len(series), 1 / 3))
    reference = series.time_s < START
    assert reference.sum() == START // SLICE * 3 // 51
    assert series.time_s[~reference][0] == START + 16 * SLICE  # the 17th slice of the window completes its first point


def test_too_short_a_past_or_no_choice_now_is_not_judged():
    few = [(second, 50, 15.0) for second in range(START - (LEAST_POINTS - 1) * SLICE, START + DAY, SLICE)]

    assert not change(few).is_judged
    assert not change([of for of in slices(1, lambda _: 0.3) if of[0] < START]).is_judged
    assert not change([]).is_judged


def test_points_that_never_vary_are_no_division_by_zero():
    n = 200
    constant = Series(np.linspace(0, 8 * DAY - 1, n).astype(np.int64), np.full(n, 0.3), np.full(n, 0.3), np.full(n, 50))

    assert not detect(constant, START).detected
