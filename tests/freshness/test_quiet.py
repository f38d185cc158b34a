"""Ages that do not grow while a shop sleeps."""

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.freshness.quiet import Clock
from pipelines.freshness_sections import FreshnessConfig

HOUR = 3_600_000


def ms(text: str, zone: str = "UTC") -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def clock(*quiet_hours: str, zone: str = "UTC") -> Clock:
    return Clock.of(FreshnessConfig(quiet_hours=list(quiet_hours), time_zone=zone))


@pytest.mark.parametrize(
    ("quiet", "begin", "end", "hours"),
    [
        pytest.param([], "2026-03-01T23:00", "2026-03-02T07:00", 8, id="never-asleep"),
        pytest.param(["00:00-06:00"], "2026-03-01T23:00", "2026-03-02T07:00", 2, id="one-night"),
        pytest.param(["22:00-06:00"], "2026-03-01T23:00", "2026-03-02T07:00", 1, id="over-midnight"),
        pytest.param(["22:00-06:00"], "2026-03-02T01:00", "2026-03-02T02:00", 0, id="inside-the-night"),
        pytest.param(["00:00-06:00"], "2026-03-01T12:00", "2026-03-04T12:00", 54, id="three-nights"),
        pytest.param(["22:00-02:00", "01:00-06:00"], "2026-03-01T21:00", "2026-03-02T07:00", 2, id="pauses-that-meet"),
        pytest.param(
            ["22:00-06:00", "01:00-02:00"], "2026-03-01T21:00", "2026-03-02T07:00", 2, id="one-within-another"
        ),
        pytest.param(["12:00-13:00", "00:00-06:00"], "2026-03-01T11:00", "2026-03-02T07:00", 13, id="two-pauses"),
        pytest.param(["00:00-06:00"], "2026-03-02T07:00", "2026-03-02T06:59", 0, id="a-time-ahead"),
    ],
)
def test_hours_asleep_do_not_count(quiet, begin, end, hours):
    assert clock(*quiet).awake_ms(ms(begin), ms(end)) == hours * HOUR


def test_the_night_is_that_of_the_shops_clock_also_when_it_is_put_forward():
    vienna = clock("01:00-06:00", zone="Europe/Vienna")  # four hours long in the night of the change

    assert vienna.awake_ms(ms("2026-03-28T22:00"), ms("2026-03-29T05:00")) == 3 * HOUR


times = st.integers(ms("2026-03-20T00:00"), ms("2026-04-10T00:00"))
clocks = st.sampled_from(
    [clock(), clock("00:30-06:00"), clock("22:00-05:00", "04:00-07:15"), clock("23:00-01:00", zone="Europe/Vienna")]
)


@given(clocks, st.tuples(times, times, times).map(sorted))
def test_awake_time_adds_up_and_never_exceeds_the_time_that_went_by(clock, instants):
    first, second, third = instants

    assert 0 <= clock.awake_ms(first, third) <= third - first
    assert clock.awake_ms(first, second) + clock.awake_ms(second, third) == clock.awake_ms(first, third)


@pytest.mark.parametrize(
    ("section", "told"),
    [
        pytest.param(
            {"quiet_hours": ["at night"]}, "expected hours such as 00:30-06:00, got 'at night'", id="no-hours"
        ),
        pytest.param({"quiet_hours": ["06:00-06:00"]}, "is no time, or the whole day", id="all-day"),
        pytest.param({"time_zone": "Vienna"}, "such as Europe/Vienna, got 'Vienna'", id="no-zone"),
        pytest.param({"events": {"hard_minutes": 5}}, "the soft limit comes first", id="hard-alone"),
        pytest.param(
            {"events": {"soft_minutes": 9, "hard_minutes": 5}},
            "soft_minutes is 9.0, hard_minutes 5.0",
            id="turned-round",
        ),
    ],
)
def test_limits_that_make_no_sense_are_refused(section, told):
    with pytest.raises(ValidationError, match=told):
        FreshnessConfig(**section)


def test_the_clock_is_utc_where_nothing_else_is_said():
    assert clock("00:00-06:00").zone.utcoffset(datetime(2026, 7, 1)) == timezone.utc.utcoffset(None)
