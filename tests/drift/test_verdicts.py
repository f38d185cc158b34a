"""What is drift, what is not, and what is said of it."""

import numpy as np
import pytest

from pipelines.drift.verdicts import judge
from pipelines.drift_sections import DriftConfig
from tests.drift.builders import DAYS, categories, drawn, numbers

CONFIG = DriftConfig()
USUAL = {"mobile": 310, "desktop": 590, "tablet": 100}
SHARES = {name: n / 1000 for name, n in USUAL.items()}


def jittered(seed=1, n=1_000, days=DAYS):
    """Days of one shop, no two alike."""
    rng = np.random.default_rng(seed)
    return [dict(zip(SHARES, rng.multinomial(n, list(SHARES.values())).tolist(), strict=True)) for _ in range(days)]


def one(current, *blocks, config=CONFIG, same_weekday=(), build=categories):
    (judged,) = judge([build(current, *blocks)], config, same_weekday)
    return judged


def test_a_changed_mix_is_drift_and_named():
    judged = one({"mobile": 580, "desktop": 330, "tablet": 90}, *jittered())

    assert judged.verdict == "drift" and judged.figures.psi > judged.figures.threshold
    assert judged.change == "mobile 31% → 58%, desktop 59% → 33%"


def test_a_price_in_cents_is_drift_and_its_median_named():
    days = [list(np.exp(np.random.default_rng(day).normal(3, 1, 400))) for day in range(8)]
    judged = one([100 * price for price in days[0]], *days[1:], build=numbers)

    assert judged.verdict == "drift" and judged.figures.kolmogorov_smirnov > 0.9
    assert judged.figures.kolmogorov_smirnov_p < 1e-9
    assert judged.change.startswith("median 19.4 → 1,900, ")


def test_the_same_mix_is_stable():
    assert one(*jittered(days=8)).verdict == "stable"


def test_a_sure_but_small_change_is_no_drift():
    current = {"mobile": 35_000, "desktop": 55_000, "tablet": 10_000}
    judged = one(current, *[{k: 100 * v for k, v in USUAL.items()}] * 7)

    assert judged.figures.psi_p < 1e-9 and judged.verdict == "stable"


def test_a_large_change_that_is_as_large_every_day_is_no_drift():
    """Ten users make all events of a day: two days never look alike."""
    rng = np.random.default_rng(3)
    days = [dict(zip(USUAL, (100 * rng.multinomial(10, [0.31, 0.59, 0.1])).tolist(), strict=True)) for _ in range(8)]
    judged = one(*days)

    assert judged.figures.psi > CONFIG.psi and judged.figures.dispersion > 20
    assert judged.verdict == "stable"


def test_a_weekend_that_is_as_the_last_ones_is_no_drift():
    weekend, sundays = {"mobile": 600, "desktop": 300, "tablet": 100}, (7, 14, 21, 28)
    weeks = jittered(days=28)
    rhythm = [weekend if day in sundays else mix for day, mix in enumerate(weeks, start=1)]

    assert one(weekend, *rhythm).verdict == "drift"  # against all days; held against Sundays it is not
    assert one(weekend, *rhythm, same_weekday=sundays).verdict == "usual weekday"
    assert one(weekend, *weeks, same_weekday=sundays).verdict == "drift"


def test_a_week_with_a_weekend_raises_no_alarm_on_any_day():
    days = jittered(days=14)
    week = [
        {"mobile": 500, "desktop": 400, "tablet": 100} if day % 7 in (5, 6) else mix for day, mix in enumerate(days)
    ]
    for day in range(7):
        assert not one(week[day + 7], *week[day : day + 7][::-1], same_weekday=(7,)).is_alert


@pytest.mark.parametrize(
    ("current", "change"),
    [
        pytest.param({}, "0 rows, usually 1,000", id="empty-window"),
        pytest.param({"mobile": 30, "desktop": 60}, "90 rows, usually 1,000", id="hardly-any-row"),
        pytest.param({None: 1000}, "every row is without it, never before", id="a-field-that-became-null"),
    ],
)
def test_missing_data_is_drift(current, change):
    judged = one(current, *jittered())

    assert (judged.verdict, judged.is_alert, judged.change) == ("missing", True, change)


def test_a_shop_that_rests_on_sundays_misses_nothing_on_one():
    sunday, nothing = {"mobile": 3, "desktop": 4}, {}
    week = [*jittered(days=6), sunday]

    assert one(nothing, *week, same_weekday=(7,)).verdict == "too few rows"
    assert one(nothing, *week).verdict == "missing"  # on a Monday
    assert (
        one(nothing, *jittered(days=3), *[nothing] * 4, same_weekday=(7,)).verdict == "missing"
    )  # a shop of three days


def test_a_field_that_few_rows_ever_had_is_not_gone_when_none_has_it():
    rare = {None: 995, "tablet": 5}

    assert one({None: 1000}, *[rare] * 7).verdict == "stable"
    assert one({None: 1000}, *[{None: 900, "tablet": 100}] * 7).verdict == "missing"


def test_a_field_that_is_missing_more_often_is_drift():
    judged = one({"mobile": 200, "desktop": 350, "tablet": 50, None: 400}, *jittered())

    assert judged.verdict == "drift" and judged.change.startswith("missing 0% → 40%")


@pytest.mark.parametrize(
    ("windows", "verdict"),
    [
        pytest.param([{}] * 8, "no data", id="nothing-ever"),
        pytest.param([{None: 1000}] * 8, "no data", id="a-field-that-is-never-sent"),
        pytest.param([USUAL, USUAL, USUAL, *[{}] * 5], "no reference", id="a-new-shop"),
        pytest.param([{"mobile": 50}, *[{"mobile": 90}] * 7], "too few rows", id="a-quiet-shop"),
    ],
)
def test_what_cannot_be_compared_is_said_and_no_alert(windows, verdict):
    judged = one(*windows)

    assert (judged.verdict, judged.is_alert, judged.figures) == (verdict, False, None)


def test_what_drifted_comes_first_and_missing_before_it():
    stable, drifted, gone = (
        categories(*jittered(days=8), column="a_stable"),
        categories({"mobile": 900, "desktop": 100}, *jittered(), column="b_drifted"),
        categories({}, *jittered(), column="c_gone"),
    )

    assert [j.histogram.column for j in judge([stable, drifted, gone], CONFIG)] == ["c_gone", "b_drifted", "a_stable"]


def test_a_rare_value_that_became_frequent_is_named():
    usual = {f"c{n}": 100 for n in range(20)}
    judged = one(usual | {"scooters": 90}, *[usual] * 7)

    assert judged.change.startswith("scooters 0% → 4%")


def test_columns_share_the_chance_of_a_false_alarm():
    alone, of_many = (
        judge([drawn(np.random.default_rng(0), SHARES, 300, column=f"x{n}") for n in range(columns)], CONFIG)[0]
        for columns in (1, 40)
    )

    assert of_many.figures.threshold > alone.figures.threshold


@pytest.mark.parametrize("per_user", [pytest.param(1, id="independent"), pytest.param(8, id="eight-events-a-user")])
def test_false_alarms_are_as_rare_as_asked_for_however_alike_the_events_of_a_user_are(per_user):
    rng, config = np.random.default_rng(11), DriftConfig(false_alarms=0.1, psi=0.0)
    runs = 1_000
    alarms = 0
    for _ in range(runs):
        windows = [
            dict(zip(SHARES, (per_user * rng.multinomial(60, list(SHARES.values()))).tolist(), strict=True))
            for _ in range(8)
        ]
        alarms += one(*windows, config=config).is_alert

    assert alarms <= 0.13 * runs
