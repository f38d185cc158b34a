"""Reads from Redis for many requests at once, with a time-out, and none at all while Redis is known to be away.

The requests that come while a read is under way share the next one: one MGET for all of them. Under load that is a tenth of the
work of a read for each; alone, a request waits for nobody.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from pipelines.errors import LiveshelfError
from pipelines.logs.log import log
from pipelines.serving.metrics import Metrics
from pipelines.stores.keys import SERVING_MODE

MAX_KEYS = 400  # in one MGET: it blocks the server for less than a millisecond
MAX_CONNECTIONS = 4  # one for the reads, one for a probe, the others for what is no MGET
FAILURES = 2  # in a row, then nobody waits for Redis until it answers a probe

Value = bytes | None


class AwayError(LiveshelfError):
    """Redis is away or slow: what was asked for is not known."""


class Contact:
    """MGET for everybody. Call it from one event loop."""

    def __init__(self, url: str, timeout_seconds: float, probe_seconds: float, metrics: Metrics) -> None:
        self._probe_seconds, self._metrics = probe_seconds, metrics
        self._client = Redis.from_url(
            url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 1, (RedisConnectionError,)),  # a connection that a restarted server has forgotten
            max_connections=MAX_CONNECTIONS,
        )
        self._waiting: list[tuple[Sequence[str], asyncio.Future[list[Value]]]] = []
        self._reading: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None
        self._calling = asyncio.Semaphore(MAX_CONNECTIONS - 2)
        self._n_failed = 0
        self.away_since_s: float | None = None  # of the monotonic clock; None: it answers

    @property
    def is_away(self) -> bool:
        return self.away_since_s is not None

    async def read(self, keys: Sequence[str]) -> list[Value]:
        """The value of each key. Raises AwayError."""
        if self.away_since_s is not None:
            raise AwayError("Redis does not answer")
        future: asyncio.Future[list[Value]] = asyncio.get_running_loop().create_future()
        self._waiting.append((keys, future))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all())
        return await future

    async def call(self, command: Sequence[Any]) -> Any:
        """What any other command answers. Raises AwayError."""
        if self.away_since_s is not None:
            raise AwayError("Redis does not answer")
        async with self._calling:
            return await self._ask(*command)

    async def close(self) -> None:
        for task in (self._reading, self._probing):
            if task is not None:
                task.cancel()
        await self._client.aclose()

    async def _read_all(self) -> None:
        try:
            while self._waiting:
                group = self._next_group()
                try:
                    await self._read_group(group)
                except BaseException as error:
                    _fail(group, error)
                    if not isinstance(error, AwayError):
                        raise
        finally:
            self._reading = None

    def _next_group(self) -> list[tuple[Sequence[str], asyncio.Future[list[Value]]]]:
        n_keys = 0
        for place, (keys, _) in enumerate(self._waiting):
            n_keys += len(keys)
            if n_keys > MAX_KEYS and place:
                group, self._waiting = self._waiting[:place], self._waiting[place:]
                return group
        group, self._waiting = self._waiting, []
        return group

    async def _read_group(self, group: list[tuple[Sequence[str], asyncio.Future[list[Value]]]]) -> None:
        keys = list(dict.fromkeys(key for keys, _ in group for key in keys))
        values = dict(zip(keys, await self._ask("MGET", *keys), strict=True))
        for keys_of_one, future in group:
            if not future.done():  # whoever asked may have gone
                future.set_result([values[key] for key in keys_of_one])

    async def _ask(self, *command: Any) -> Any:
        if self.away_since_s is not None:  # meanwhile
            raise AwayError("Redis does not answer")
        began_s = time.perf_counter()
        try:
            answer = await self._client.execute_command(*command)  # type: ignore[no-untyped-call]
        except (RedisError, OSError) as error:
            self._failed(error)
            raise AwayError(f"Redis does not answer: {error}") from error
        self._n_failed = 0
        self._metrics.redis_seconds.observe(time.perf_counter() - began_s)
        return answer

    def _failed(self, error: Exception) -> None:
        self._metrics.redis_errors.labels("timeout" if isinstance(error, RedisTimeoutError) else "error").inc()
        self._n_failed += 1
        if self._n_failed >= FAILURES and self.away_since_s is None:
            self.away_since_s = time.monotonic()
            self._metrics.redis_up.set(0)
            log.warning("redis_away", error=error)
            self._probing = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        """Ask until it answers. A server that still loads its data answers with an error: it is away."""
        while True:
            await asyncio.sleep(self._probe_seconds)
            try:
                await self._client.get(SERVING_MODE)
            except Exception:  # whatever it is: who stops asking never hears that Redis is back
                continue
            lasted_s = time.monotonic() - (self.away_since_s or time.monotonic())
            self.away_since_s, self._n_failed = None, 0
            self._metrics.redis_up.set(1)
            log.info("redis_back", lasted_s=round(lasted_s, 1))
            return


def _fail(group: list[tuple[Sequence[str], asyncio.Future[list[Value]]]], error: BaseException) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(
                error if isinstance(error, AwayError) else AwayError(f"the read was given up: {error}")
            )
