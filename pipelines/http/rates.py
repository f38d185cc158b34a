"""How much one client may ask for in a minute."""

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from pipelines.http.refusals import RefusedError

_MOST_LEASES = 100_000


class RateLimit:
    """Counts in the memory of this process, a few numbers a client.

    A client's count is taken in advance for a thousandth of what it may ask for: so most requests cost a subtraction.
    """

    def __init__(self, per_minute: int, what: str, of_whom: str) -> None:
        """`what` and `of_whom` are for the text of a refusal: events, requests; this write key, this address."""
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._item = RateLimitItemPerMinute(per_minute)
        self._text = f"more than {per_minute:,} {what} in a minute for {of_whom}: send the same again later"
        self._in_advance = per_minute // 1_000
        self._leases: dict[str, int] = {}

    def count(self, client: str, n: int) -> None:
        """Count what a request asks for. Raises RefusedError (429) where it is too much; nothing is counted then."""
        n, left = max(n, 1), self._leases.get(client, 0)
        self._leases[client] = left - n if n <= left else self._taken(client, n - left)

    def _taken(self, client: str, missing: int) -> int:
        """Count what is missing, and some in advance; gives what was counted in advance."""
        if len(self._leases) >= _MOST_LEASES:
            self._leases.clear()
        most = self._item.amount
        if missing + self._in_advance <= most and self._limiter.hit(
            self._item, client, cost=missing + self._in_advance
        ):
            return self._in_advance
        if self._limiter.hit(self._item, client, cost=min(missing, most)):
            return 0
        reset = self._limiter.get_window_stats(self._item, client).reset_time
        raise RefusedError(429, "rate", self._text, retry_after_seconds=max(1, math.ceil(reset - time.time())))
