"""When somebody should look: relevance that fell, a champion that is no better than popularity."""

import pytest

from pipelines.evaluation.alerts import Watched, fallen, no_better
from pipelines.evaluation.intervals import Interval
from pipelines.evaluation_sections import AlertConfig

CONFIG = AlertConfig(n_earlier=4, min_earlier=3, tolerated_drop=0.1)


@pytest.mark.parametrize(
    ("high", "earlier", "alerts"),
    [
        pytest.param(0.26, [0.30, 0.29, 0.31], True, id="the-whole-interval-is-below"),
        pytest.param(0.27, [0.30, 0.29, 0.31], False, id="at-the-limit"),
        pytest.param(0.28, [0.30, 0.29, 0.31], False, id="within-the-tolerated-drop"),
        pytest.param(0.26, [0.30, 0.30], False, id="too-few-earlier-ones"),
        pytest.param(0.26, [], False, id="the-first"),
        pytest.param(0.26, [0.20, 0.30, 0.30, 0.20, 0.90, 0.90], False, id="only-the-newest-count"),
        pytest.param(0.26, [0.30, 0.30, 0.30, 0.01], True, id="one-bad-day-before-does-not-hide-it"),
    ],
)
def test_relevance_has_fallen_when_its_interval_is_below_the_usual(high, earlier, alerts):
    told = fallen(Watched("NDCG@10", Interval(high - 0.02, high - 0.04, high), earlier), CONFIG)

    assert (told is not None) == alerts
    if told:
        assert "NDCG@10 is 0.240 [0.220, 0.260], below 0.270: the median of the" in told and "10% less" in told


@pytest.mark.parametrize(
    ("low", "n", "alerts"),
    [(0.01, 500, False), (0.0, 500, True), (-0.1, 500, True), (-0.1, 199, False)],
)
def test_a_champion_must_be_better_than_popularity_beyond_the_interval(low, n, alerts):
    told = no_better(7, Interval(low + 0.05, low, low + 0.1), n, min_choices=200)

    assert (told is not None) == alerts and (told is None or "the champion, version 7, is no better" in told)
