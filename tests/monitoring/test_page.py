"""The page of the state: whatever there is, what is wrong comes first."""

import pytest

from pipelines.monitoring.overview import Overview
from pipelines.monitoring.page import ago, curves, page, rounded, worst_rules
from pipelines.monitoring.sparkline import risen, sparkline
from pipelines.stores.history import Point
from pipelines.stores.outcomes import Outcome
from pipelines.stores.serving_mode import ServingMode
from tests.monitoring.test_overview import NOW_MS, an_overview, beat


def points(**figures) -> list[Point]:
    """A minute apart, of lists of values of equal length."""
    rows = [dict(zip(figures, values, strict=True)) for values in zip(*figures.values(), strict=True)]
    return [Point(NOW_MS + 60_000 * n, row) for n, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("overview", "said"),
    [
        pytest.param(an_overview(streams={"personalize": beat()}), "All well", id="well"),
        pytest.param(an_overview(), "Nothing runs yet", id="empty"),
        pytest.param(an_overview(streams={"personalize": beat(state="failed")}), "1 to look at", id="broken"),
        pytest.param(Overview(NOW_MS, problem="refused"), "Redis does not answer: refused", id="redis-away"),
    ],
)
def test_the_verdict_comes_first_and_is_the_title(overview, said):
    html = page(overview, {})

    body = html.split("<body>")[1]
    assert said in body and body.index(said) < (body.find("<h2>") if "<h2>" in body else len(body))
    assert "<script" not in html and "http://" not in html and "https://" not in html


def test_what_streams_lists_records_and_jobs_say_is_there():
    filing = beat(
        n_valid=970,
        n_quarantined=30,
        quarantined_by_rule={"a": 20, "b": 10},
        last_quarantined=[["a", "0123456789abcdef"]],
    )
    hot = beat(kafka_lag=1_234, n_lists=56_789, model_version="7", batch_as_of_ms=NOW_MS - 180_000)
    told = page(
        an_overview(
            streams={"validate_events": filing, "personalize": hot},
            outcomes={"detect_drift": Outcome(NOW_MS - 7_200_000, 9.0, 3, "detect_drift: an alert\n  price: PSI 1.2")},
            serving=ServingMode("fallback", "a test"),
            waiting={"due": 12},
        ),
        {},
    )

    for part in (
        "1,234", "56,789", "3 min ago", "30 (3.0 %)", "0123456789ab<", "2 h ago", "has findings", "price: PSI 1.2",
        "waiting: due",
        "nobody gets a personal list: a test",
    ):  # fmt: skip
        assert part in told, part


def test_what_others_wrote_is_text_and_no_markup():
    rule = "<script>alert(1)</script>"
    told = page(an_overview(streams={"validate_events": beat(n_valid=1, quarantined_by_rule={rule: 3})}), {})

    assert rule not in told and "&lt;script&gt;" in told


def test_a_total_is_plotted_by_what_it_rises_by_and_a_figure_as_it_is():
    drawn = curves({"personalize": points(n_new=[100, 160, 5], lag_p50_ms=[300, 200, 250])})

    assert [(curve.name, curve.now) for curve in drawn] == [("interactions a minute", 5), ("event to list, ms", 250)]
    assert risen([100, 160, 5, 5]) == [60, 5, 0]  # it began again
    assert curves({"personalize": points(lag_p50_ms=[300])}) == []


def test_a_curve_stays_in_its_frame_and_begins_at_zero():
    svg = sparkline([0.0, 10.0, 5.0])

    assert 'points="2.0,34.0 80.0,2.0 158.0,18.0"' in svg
    assert sparkline([7.0]) == "" and "34.0" in sparkline([0.0, 0.0])


def test_the_most_broken_rules_come_first_each_with_an_example():
    filing = {
        "quarantined_by_rule": {"a": 1, "b": 9, "c": 9, "d": 2, "e": 3, "f": 4},
        "last_quarantined": [["c", "id-c"]],
    }

    assert worst_rules(filing) == [("b", 9, ""), ("c", 9, "id-c"), ("f", 4, ""), ("e", 3, ""), ("d", 2, "")]


@pytest.mark.parametrize(
    ("seconds", "said"), [(-3, "0 s ago"), (119, "119 s ago"), (120, "2 min ago"), (7_200, "2 h ago")]
)
def test_an_age_is_said_in_the_largest_unit_of_which_there_are_two(seconds, said):
    assert ago(seconds) == said


@pytest.mark.parametrize(("value", "said"), [(None, "–"), (1_234.5, "1,234"), (12, "12"), (0.2134, "0.213"), (0, "0")])
def test_numbers_are_short(value, said):
    assert rounded(value) == said
