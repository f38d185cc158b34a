"""Asks for lists to be made again, beside the answers: once per user and minute."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from redis.exceptions import RedisError

from pipelines.logs.trouble import Trouble
from pipelines.serving.metrics import Metrics
from pipelines.serving.recent import Recent

_AGAIN_SECONDS = 60.0
_REMEMBERED = 100_000
_WAITING = 10_000


class Due(Protocol):
    """Who makes lists again (stores/due.py)."""

    def ask(self, users: Sequence[str], at_ms: int) -> None: ...


class Asking:
    """Collects users, and hands them over all at once."""

    def __init__(self, due: Due, metrics: Metrics, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._due, self._metrics, self._clock_s = due, metrics, clock_s
        self._asked: Recent[str, float] = Recent(_REMEMBERED)
        self._waiting: set[str] = set()
        self._trouble = Trouble("asking_failing", "asking_back")

    def ask(self, user: str) -> None:
        """Have the user's list made again, unless that was asked for within the last minute. Returns at once."""
        asked_s, now_s = self._asked.get(user), self._clock_s()
        if (asked_s is not None and now_s - asked_s < _AGAIN_SECONDS) or len(self._waiting) >= _WAITING:
            return
        self._asked.put(user, now_s)
        self._waiting.add(user)

    async def hand_over(self) -> None:
        """Hand over those that wait. While Redis is away they are forgotten: a list that is still wrong is asked for again."""
        if not self._waiting:
            return
        users, self._waiting = sorted(self._waiting), set()
        try:
            await asyncio.to_thread(self._due.ask, users, time.time_ns() // 1_000_000)
            self._metrics.asked.inc(len(users))
            self._trouble.over()
        except (RedisError, OSError) as error:
            self._trouble.failed(error, users=len(users))
