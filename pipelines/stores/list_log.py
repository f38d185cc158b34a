"""Lists on their way to Delta: an outbox, filled in the step that publishes a list, emptied when the list is filed.

The hot path so pays one command of a script that runs anyway, and no list is published without being logged. Filing goes by a
*plan*: a part of the logs, fixed before it is read. A plan that was begun is done again, as the same rows under the same number.
"""

import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
from redis import Redis
from redis.exceptions import ResponseError

from pipelines.stores.keys import LIST_LOG_PLAN, list_log_key, user_of_list

N_LOGS = 4  # how many tasks may read them side by side
MAX_LOGGED = 250_000  # lists in a log before the oldest are given up: filing has stood still for long then
PLAN_TTL_SECONDS = 400 * 24 * 3600


@dataclass(frozen=True)
class Plan:
    """What is to be filed in one commit."""

    series: str  # of this outbox: begins with the first plan, is lost with Redis
    number: int  # rises by one with each plan of the series
    ends: tuple[str, ...]  # id of the last entry of each log; empty: nothing of it

    @property
    def is_empty(self) -> bool:
        return not any(self.ends)


@dataclass(frozen=True)
class LoggedList:
    """A list as it was published."""

    user: str
    cause: str
    document: bytes


@dataclass(frozen=True)
class ListLog:
    """Reads the outbox."""

    client: Redis

    def plan(self) -> Plan:
        """The plan that was begun and is not finished, else a new one about all that is there."""
        last = self._last()
        if not last.is_empty:
            return last
        plan = Plan(last.series, last.number + 1, tuple(self._end(log) for log in range(N_LOGS)))
        if not plan.is_empty:
            self._store(plan)
        return plan

    def read(self, log: int, end: str, n: int = 1_000) -> Iterator[list[LoggedList]]:
        """The lists in a log up to the entry `end`, oldest first, in pieces of at most `n`."""
        first = "-"
        while end and (entries := self._entries(log, first, end, n)):
            yield [
                LoggedList(user_of_list(of[b"key"].decode()), of[b"cause"].decode(), of[b"list"]) for _, of in entries
            ]
            first = f"({entries[-1][0].decode()}"

    def finish(self, plan: Plan) -> None:
        """All of the plan is filed: forget it. Safe to repeat."""
        for log, end in enumerate(plan.ends):
            if end:
                milliseconds, sequence = end.split("-")
                self.client.xtrim(list_log_key(log), minid=f"{milliseconds}-{int(sequence) + 1}", approximate=False)
        self._store(Plan(plan.series, plan.number, ()))

    def newest_ms(self) -> int | None:
        """When the newest list was published, filed or not, by the clock of Redis, epoch ms; None: none ever was."""
        ids = [self._last_id(list_log_key(log)) for log in range(N_LOGS)]
        return max((int(entry_id.split(b"-")[0]) for entry_id in ids if entry_id), default=None)

    def _last_id(self, key: str) -> bytes | None:
        with suppress(ResponseError):  # there is no such stream
            told = self.client.xinfo_stream(key)
            last_id: bytes = told["last-generated-id"]
            return last_id
        return None

    def _last(self) -> Plan:
        stored = self.client.get(LIST_LOG_PLAN)
        if not isinstance(stored, bytes):
            return Plan(uuid.uuid4().hex, -1, ())
        about = orjson.loads(stored)
        return Plan(about["series"], about["number"], tuple(about["ends"]))

    def _end(self, log: int) -> str:
        newest: Any = self.client.xrevrange(list_log_key(log), count=1)
        return str(newest[0][0].decode()) if newest else ""

    def _entries(self, log: int, first: str, last: str, n: int) -> Any:
        return self.client.xrange(list_log_key(log), first, last, count=n)

    def _store(self, plan: Plan) -> None:
        about = {"series": plan.series, "number": plan.number, "ends": plan.ends}
        self.client.set(LIST_LOG_PLAN, orjson.dumps(about), ex=PLAN_TTL_SECONDS)
