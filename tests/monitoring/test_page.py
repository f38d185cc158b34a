"""The page of the state: whatever there is, what is wrong comes first."""

import pytest

from pipelines.monitoring.curves import curves
from pipelines.monitoring.limits import Limited, beside_limits
from pipelines.monitoring.overview import Overview
from pipelines.monitoring.page import page, worst_rules
from pipelines.monitoring.sparkline import letters, risen, sparkline
from pipelines.monitoring.words import lasted, rounded
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
        last_quarantined={"a": "0123456789abcdef"},
    )
    hot = beat(kafka_lag=1_234, n_lists=56_789, model_version="7", batch_as_of_ms=NOW_MS - 180_000)
    told = page(
        an_overview(
            streams={"validate_events": filing, "personalize": hot},
            outcomes={"detect_drift": Outcome(NOW_MS - 7_200_000, 9.0, 3, "detect_drift: an alert\n  price: PSI 1.2")},
            serving=ServingMode("fallback", "a test"),
            waiting={"due": 12},
            services={"collect_events": False, "serve_lists": True},
        ),
        {},
    )

    for part in (
        "1,234", "56,789", "3 min ago", "30 (3.0 %)", "0123456789ab<", "2 h ago", "has findings", "price: PSI 1.2",
        "waiting: due", "collect_events does not answer any more", '<td class="bad">silent', '<td class="good">answers',
        "nobody gets a personal list: a test",
    ):  # fmt: skip
        assert part in told, part


@pytest.mark.parametrize(
    ("beaten", "said"),
    [
        (beat(4_000), '<td class="bad">silent</td>'),
        (beat(4_000, state="failed"), '<td class="bad">failed</td>'),
        (beat(4_000, state="stopped"), '<td class="">stopped</td>'),
        (beat(), '<td class="good">running</td>'),
    ],
)
def test_a_stream_that_died_without_a_word_is_not_called_running(beaten, said):
    assert said in page(an_overview(streams={"personalize": beaten}), {})


def test_what_is_shown_of_a_stream_says_its_age_when_that_is_no_longer_how_it_is():
    def told(seconds_ago: float) -> str:
        hot = beat(seconds_ago, kafka_lag=4_321, n_lists=5)
        at_ms = NOW_MS - round(seconds_ago * 1000)
        notes = [Point(at_ms - 60_000, {"kafka_lag": 7.0}), Point(at_ms, {"kafka_lag": 8.0})]
        return page(an_overview(streams={"personalize": hot}), {"personalize": notes})

    alive, dead = told(3), told(3 * 3_600)

    for part in ("<b>8</b>", "<h2>Lists</h2>", "<h2>Model</h2>", ">4,321<", ">goes on<"):
        assert part in alive and part not in dead, part
    for part in ("<b>8 <small>3 h ago<", "<h2>Lists <small>3 h ago<", "<h2>Model <small>3 h ago<"):
        assert part in dead, part


def test_what_others_wrote_is_text_and_no_markup():
    rule = "<script>alert(1)</script>"
    told = page(an_overview(streams={"validate_events": beat(n_valid=1, quarantined_by_rule={rule: 3})}), {})

    assert rule not in told and "&lt;script&gt;" in told


def test_a_total_is_plotted_by_what_it_rises_by_and_a_figure_as_it_is():
    drawn = curves({"personalize": points(n_new=[100, 160, 5], lag_p50_ms=[300, 200, 250])})

    assert [(curve.name, curve.newest) for curve in drawn] == [("interactions a minute", 5), ("event to list, ms", 250)]
    assert risen([100, 160, 5, 5]) == [60, 5, 0]  # it began again
    assert curves({"personalize": points(lag_p50_ms=[300])}) == []


def test_a_curve_stays_in_its_frame_and_begins_at_zero():
    svg = sparkline([0.0, 10.0, 5.0])

    assert 'points="2.0,34.0 80.0,2.0 158.0,18.0"' in svg
    assert sparkline([7.0]) == "" and "34.0" in sparkline([0.0, 0.0])


def test_what_a_curve_is_compared_with_is_drawn_behind_it_on_the_same_scale():
    svg = sparkline([0.0, 5.0], [0.0, 10.0])

    assert svg.index('class="beside" points="2.0,34.0 158.0,2.0"') < svg.index(
        'class="curve" points="2.0,34.0 158.0,18.0"'
    )
    (curve,) = curves({"personalize": points(progressive_ndcg=[0.1, 0.2], progressive_ndcg_of_popularity=[0.1, 0.1])})
    assert curve.beside_name == "popularity" and curve.newest == 0.2


def test_letters_are_as_high_as_values_and_the_newest_are_kept():
    assert letters([0.0, 5.0, 10.0]) == "▁▅█" and letters([0.0, 0.0]) == "▁▁"
    assert letters([9.0, 0.0, 7.0], n_most=2) == "▁█"


def test_what_jobs_that_end_have_found_is_on_the_page_beside_its_limits():
    drift = {"psi": {"events.price": 0.31, "events.device_type": 0.02}, "psi_limit": {"events.price": 0.2}}
    ages = {"age_seconds": {"events": 7_200.0}, "soft_limit_seconds": {"events": 600.0}}
    told = page(
        an_overview(
            streams={"personalize": beat()},
            outcomes={
                "detect_drift": Outcome(NOW_MS, 1.0, 3, "x", drift),
                "check_freshness": Outcome(NOW_MS, 1.0, 0, "", ages),
                "evaluate_model": Outcome(NOW_MS, 1.0, 0, "", {"ndcg": {"champion": 0.2412}}),
            },
        ),
        {"evaluate_model": points(**{"ndcg.champion": [0.2, 0.2412]})},
    )

    for part in ("events.<wbr>price", ">0.31<", "bar over", ">2 h<", "NDCG of later choices: champion", ">0.241<"):
        assert part in told, part
    assert "device_<wbr>type" not in told  # it has no limit
    assert 'class="curve"' in told


def test_figures_beside_limits_come_nearest_to_their_limit_first():
    found = beside_limits({"a": 1.0, "b": 30.0, "c": 9.0, "d": 5.0}, {"a": 10.0, "b": 20.0, "c": 10.0}, 2)

    assert found == [Limited("b", 30.0, 20.0), Limited("c", 9.0, 10.0)]
    assert [one.is_over for one in found] == [True, False]
    assert [round(one.percent, 1) for one in found] == [99.0, 59.4]
    assert Limited("x", 7.0, 1.0).percent == Limited("x", 1.0, 0.0).percent == 100.0


def test_the_most_broken_rules_come_first_each_with_an_example():
    filing = {
        "quarantined_by_rule": {"a": 1, "b": 9, "c": 9, "d": 2, "e": 3, "f": 4},
        "last_quarantined": {"c": "id-c"},
    }

    assert worst_rules(filing) == [("b", 9, ""), ("c", 9, "id-c"), ("f", 4, ""), ("e", 3, ""), ("d", 2, "")]


@pytest.mark.parametrize(
    ("seconds", "said"), [(-3, "0 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (172_800, "2 d")]
)
def test_a_time_is_said_in_the_largest_unit_of_which_there_are_two(seconds, said):
    assert lasted(seconds) == said


@pytest.mark.parametrize(("value", "said"), [(None, "–"), (1_234.5, "1,234"), (12, "12"), (0.2134, "0.213"), (0, "0")])
def test_numbers_are_short(value, said):
    assert rounded(value) == said


@pytest.mark.parametrize(
    ("lags", "said"), [({}, "–"), ({"lag_p50_ms": 210.4, "lag_p99_ms": 900.0}, "210 · 900 ms")], ids=["none", "some"]
)
def test_no_unit_is_said_of_what_nobody_measured(lags, said):
    html = page(an_overview(streams={"personalize": beat(**lags)}), {})

    assert f"<dt>event to list, p50 · p99</dt><dd>{said}</dd>" in html
