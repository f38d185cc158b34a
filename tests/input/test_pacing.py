"""Records are sent when it is time, with a clock and a sleep of the test's own."""

import pytest

from pipelines.errors import InputError
from pipelines.local.pacing import LONGEST_WAIT_SECONDS, EventClock, Pacer, parse_speed

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Time:
    def __init__(self) -> None:
        self.now = 100.0
        self.sleeps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


@pytest.mark.parametrize(("text", "speed"), [("max", None), ("1x", 1.0), ("60x", 60.0), ("0.5x", 0.5)])
def test_a_speed_is_a_multiple_or_max(text, speed):
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["", "60", "x", "0x", "-1x", "fast", "infx"])
def test_another_speed_is_refused(text):
    with pytest.raises(InputError, match="expected 'max' or a multiple"):
        parse_speed(text)


@pytest.mark.parametrize(("speed", "waited"), [(1.0, 120.0), (60.0, 2.0), (None, 0.0)])
def test_two_minutes_of_the_log_last_as_long_as_the_speed_says(speed, waited):
    time = Time()
    pacer = Pacer(speed, clock=lambda: time.now, sleep=time.sleep)

    for offset_ms in (0, 60_000, 120_000):
        pacer.wait_until(offset_ms)

    assert sum(time.sleeps) == pytest.approx(waited)


def test_a_pacer_that_is_behind_catches_up():
    time = Time()
    pacer = Pacer(1.0, clock=lambda: time.now, sleep=time.sleep)
    pacer.wait_until(0)
    time.now += 30

    pacer.wait_until(20_000)
    pacer.wait_until(31_000)

    assert sum(time.sleeps) == pytest.approx(1.0)


def test_a_wish_to_stop_ends_a_long_wait():
    time = Time()
    pacer = Pacer(1.0, lambda: len(time.sleeps) >= 2, clock=lambda: time.now, sleep=time.sleep)
    pacer.wait_until(0)

    pacer.wait_until(DAY_MS)

    assert time.sleeps == [LONGEST_WAIT_SECONDS] * 2


@pytest.mark.parametrize(
    ("times_ms", "offsets_ms"),
    [
        ([5, 7, 7, 10], [0, 2, 2, 5]),
        ([5, None, 7], [0, 0, 2]),  # unknown time: due at once
        ([HOUR_MS, 0, HOUR_MS + 1], [0, 0, 1]),  # late: due at once, and the clock does not run backwards
        ([0, 99 * DAY_MS, 5], [0, 0, 5]),  # a single wrong time is ignored
        ([0, 2 * DAY_MS, 2 * DAY_MS + 5, 2 * DAY_MS + 7], [0, 0, 0, 2]),  # a hole in the log is skipped
        ([99 * DAY_MS, 0, 3, 5], [0, 0, 0, 2]),  # the wrong one comes first
        ([0, 99 * DAY_MS, 1, 99 * DAY_MS, 2], [0, 0, 1, 1, 2]),  # two wrong ones that do not follow each other
    ],
)
def test_event_times_become_offsets(times_ms, offsets_ms):
    event_clock = EventClock()

    assert [event_clock.offset_ms(time_ms) for time_ms in times_ms] == offsets_ms
