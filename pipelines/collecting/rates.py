"""How many events a write key may send in a minute."""

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from pipelines.collecting.refusals import RefusedError


class RateLimit:
    """Counts in the memory of this process, two numbers a site."""

    def __init__(self, events_per_minute: int) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._item = RateLimitItemPerMinute(events_per_minute)

    def count(self, site: str, n_events: int) -> None:
        """Count events of a request. Raises RefusedError (429) where they are too many; none is counted then."""
        cost = min(max(n_events, 1), self._item.amount)
        if self._limiter.hit(self._item, site, cost=cost):
            return
        reset = self._limiter.get_window_stats(self._item, site).reset_time
        raise RefusedError(
            429,
            "rate",
            f"more than {self._item.amount:,} events in a minute for this write key: send the same again later",
            retry_after_seconds=max(1, math.ceil(reset - time.time())),
        )
