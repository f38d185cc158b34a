"""From readings to verdicts."""

import pytest

from pipelines.config import load_config
from pipelines.freshness.ages import Age, Reading, duration, judge, newest
from pipelines.freshness.quiet import Clock
from pipelines.freshness_sections import FreshnessConfig, Limits

NOW = 1_800_000_000_000
MINUTE = 60_000
LIMITS = Limits(soft_minutes=10, hard_minutes=60)


def judged(limits: Limits = LIMITS, **reading) -> Age:
    return judge(Reading("events", **reading), limits, Clock(), NOW)


@pytest.mark.parametrize(
    ("reading", "limits", "verdict"),
    [
        pytest.param({"at_ms": NOW}, LIMITS, "fresh", id="now"),
        pytest.param({"at_ms": NOW + MINUTE}, LIMITS, "fresh", id="a-clock-ahead"),
        pytest.param({"at_ms": NOW - 10 * MINUTE}, LIMITS, "fresh", id="at-the-soft-limit"),
        pytest.param({"at_ms": NOW - 10 * MINUTE - 1}, LIMITS, "late", id="past-the-soft-limit"),
        pytest.param({"at_ms": NOW - 60 * MINUTE}, LIMITS, "late", id="at-the-hard-limit"),
        pytest.param({"at_ms": NOW - 60 * MINUTE - 1}, LIMITS, "stale", id="past-the-hard-limit"),
        pytest.param({"at_ms": NOW - 600 * MINUTE}, Limits(soft_minutes=10), "late", id="no-hard-limit"),
        pytest.param({"at_ms": 0}, Limits(), "unjudged", id="no-limit"),
        pytest.param({"problem": "away"}, Limits(), "unjudged", id="unreadable-without-a-limit"),
        pytest.param({}, LIMITS, "missing", id="nothing-there"),
        pytest.param({"is_idle": True}, LIMITS, "fresh", id="nothing-to-do"),
        pytest.param({"at_ms": 0, "is_idle": True}, LIMITS, "fresh", id="nothing-to-do-since-long"),
        pytest.param({"problem": "away"}, LIMITS, "unreadable", id="unreadable"),
        pytest.param({"problem": "away", "at_ms": NOW}, LIMITS, "unreadable", id="unreadable-and-known-before"),
        pytest.param({"problem": "away", "at_ms": NOW - 61 * MINUTE}, LIMITS, "stale", id="unreadable-and-long-ago"),
    ],
)
def test_the_verdict_is(reading, limits, verdict):
    assert judged(limits, **reading).verdict == verdict


@pytest.mark.parametrize(
    ("reading", "line"),
    [
        (
            {"at_ms": NOW - 25 * MINUTE, "note": "3 records wait"},
            "events: 25 min old, soft limit 10 min (3 records wait)",
        ),
        ({"at_ms": NOW - 150 * MINUTE}, "events: 2.5 h old, hard limit 60 min"),
        ({"problem": "away"}, "events: cannot be read: away"),
        ({}, "events: there is none"),
        ({"note": "it never started"}, "events: it never started"),
    ],
)
def test_an_alert_says_the_figure_and_its_limit(reading, line):
    assert judged(**reading).line == line


def test_limits_that_are_not_named_keep_their_defaults(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("freshness: {events: {soft_minutes: 5}, tables: {lists: {soft_minutes: 9}}}")

    found = load_config(path).freshness
    assert found.events == Limits(soft_minutes=5, hard_minutes=FreshnessConfig().events.hard_minutes)
    assert found.tables == {**FreshnessConfig().tables, "lists": Limits(soft_minutes=9)}


def test_only_what_sleeps_at_night_stops_ageing_in_the_quiet_hours():
    always = Clock.of(FreshnessConfig(quiet_hours=["00:00-23:59"]))
    awake, asleep = (
        judge(Reading("events", NOW - 61 * MINUTE, sleeps=sleeps), LIMITS, always, NOW) for sleeps in (False, True)
    )

    assert awake.verdict == "stale" and asleep.verdict == "fresh"


def test_a_record_from_far_ahead_hides_no_silence():
    assert newest([NOW - 2, None, NOW - 1, NOW + 6 * MINUTE], NOW) == NOW - 1
    assert newest([NOW + 6 * MINUTE, None], NOW) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0.4 s"), (90, "90 s"), (120, "2 min"), (5_400, "90 min"), (9_000, "2.5 h"), (1e6, "11.6 d")],
)
def test_a_duration_is_said_in_its_largest_unit(seconds, text):
    assert duration(seconds) == text
