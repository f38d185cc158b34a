"""How much one client may ask for in a minute."""

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from pipelines.http.refusals import RefusedError


class RateLimit:
    """Counts in the memory of this process, two numbers a client."""

    def __init__(self, per_minute: int, what: str, of_whom: str) -> None:
        """`what` and `of_whom` are for the text of a refusal: events, requests; this write key, this address."""
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._item = RateLimitItemPerMinute(per_minute)
        self._text = f"more than {per_minute:,} {what} in a minute for {of_whom}: send the same again later"

    def count(self, client: str, n: int) -> None:
        """Count what a request asks for. Raises RefusedError (429) where it is too much; nothing is counted then."""
        cost = min(max(n, 1), self._item.amount)
        if self._limiter.hit(self._item, client, cost=cost):
            return
        reset = self._limiter.get_window_stats(self._item, client).reset_time
        raise RefusedError(429, "rate", self._text, retry_after_seconds=max(1, math.ceil(reset - time.time())))
