"""Says that something fails and that it works again: not each second that it goes on failing."""

import threading
import time
from collections.abc import Callable
from typing import Any

from pipelines.logs.log import log

REMIND_SECONDS = 600.0


class Trouble:
    """One thing that may fail again and again. Any thread.

    A line when it begins to fail, one every ten minutes while it does, with how often it failed (`times`), and one when it
    works again.
    """

    def __init__(self, failing: str, again: str, clock: Callable[[], float] = time.monotonic) -> None:
        """The events' names: of failing (a warning), and of working again (info)."""
        self._failing, self._again, self._clock = failing, again, clock
        self._lock = threading.Lock()
        self._n = 0
        self._began_s = self._remind_at_s = 0.0

    def failed(self, error: BaseException | None = None, **about: Any) -> None:
        """It failed. `about` and the error are told where a line is written."""
        now_s = self._clock()
        with self._lock:
            if not self._n:
                self._began_s, self._remind_at_s = now_s, now_s
            self._n += 1
            if now_s < self._remind_at_s:
                return
            self._remind_at_s = now_s + REMIND_SECONDS
            times = self._n
        of_error = {} if error is None else {"error": error}
        log.warning(self._failing, times=times, **of_error, **about)

    def over(self, **about: Any) -> None:
        """It worked. Nothing is said where it did before, too; that costs a look at a number."""
        if not self._n:
            return
        with self._lock:
            times, self._n = self._n, 0
            lasted_s = self._clock() - self._began_s
        if times:
            log.info(self._again, times=times, lasted_s=round(lasted_s, 1), **about)


class Tallied:
    """Counts what happens often by kind, and tells the counts at most once in so many seconds. Any thread."""

    def __init__(
        self, event: str, key: str, every_seconds: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`key`: what the counts are called in the line."""
        self._event, self._key, self._every_s, self._clock = event, key, every_seconds, clock
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._next_s, self._since_s = 0.0, clock()

    def add(self, kind: str, n: int = 1, error: BaseException | None = None) -> None:
        """Count. The first after a quiet time is told at once; those that follow, with the first one after the interval.

        Of several errors the last one is told.
        """
        now_s = self._clock()
        with self._lock:
            self._counts[kind] = self._counts.get(kind, 0) + n
            if now_s < self._next_s:
                return
            counts, self._counts = self._counts, {}
            self._next_s = now_s + self._every_s
            interval_s, self._since_s = now_s - self._since_s, now_s
        of_error = {} if error is None else {"error": error}
        log.warning(self._event, **{self._key: counts}, interval_s=round(interval_s, 1), **of_error)
