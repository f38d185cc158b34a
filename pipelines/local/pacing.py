"""When to send the next record: at the speed of the log, or a multiple of it."""

import re
import time
from collections.abc import Callable

from pipelines.errors import InputError

LONGEST_WAIT_SECONDS = 0.2  # so that a wish to stop is heard soon
LEAP_MS = 24 * 3_600_000


def parse_speed(text: str) -> float | None:
    """Read "60x" as 60.0, sixty times as fast as it happened; "max" as None. Raises InputError."""
    if text == "max":
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)x", text)
    if not match or float(match.group(1)) <= 0:
        raise InputError(f"speed: expected 'max' or a multiple such as '60x' or '0.5x', got '{text}'")
    return float(match.group(1))


class Pacer:
    """Waits until it is time. One that is behind does not wait, and so catches up."""

    def __init__(
        self,
        speed: float | None,
        should_stop: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._speed, self._should_stop, self._clock, self._sleep = speed, should_stop, clock, sleep
        self._started: float | None = None

    def wait_until(self, offset_ms: int) -> None:
        """Return at `offset_ms` (in the log's time) after the first call, or when asked to stop."""
        if self._speed is None:
            return
        now = self._clock()
        self._started = now if self._started is None else self._started
        due = self._started + offset_ms / 1000 / self._speed
        while now < due and not self._should_stop():
            self._sleep(min(due - now, LONGEST_WAIT_SECONDS))
            now = self._clock()


class EventClock:
    """Turns event times into offsets from the first one, in ms, never running backwards.

    A late event is due at once. A jump of more than a day, ahead or back, is not waited for: a single one is a wrong
    time, and the clock ignores it; two in a row that agree are a hole in the log, and the clock goes on from there.
    """

    def __init__(self) -> None:
        self._now_ms: int | None = None
        self._offset_ms = 0
        self._leap_to_ms: int | None = None

    def offset_ms(self, event_time_ms: int | None) -> int:
        if event_time_ms is None:
            return self._offset_ms
        if self._now_ms is None:
            self._now_ms = event_time_ms
        ahead_ms = event_time_ms - self._now_ms
        if abs(ahead_ms) > LEAP_MS:
            self._leap(event_time_ms)
            return self._offset_ms
        self._leap_to_ms = None
        if ahead_ms > 0:
            self._now_ms, self._offset_ms = event_time_ms, self._offset_ms + ahead_ms
        return self._offset_ms

    def _leap(self, to_ms: int) -> None:
        if self._leap_to_ms is not None and abs(to_ms - self._leap_to_ms) <= LEAP_MS:
            self._now_ms = to_ms
        self._leap_to_ms = to_ms
