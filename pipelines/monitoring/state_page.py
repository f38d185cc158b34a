"""The page of the state, as services answer it."""

import threading
import time
from collections.abc import Callable, Mapping

from redis import Redis

from pipelines.monitoring.curves import histories_of
from pipelines.monitoring.overview import Overview
from pipelines.monitoring.page import page
from pipelines.monitoring.services import Services

REMEMBER_SECONDS = 2.0
Served = Mapping[str, int]


class StatePage:
    """Looks at Redis at most once in REMEMBER_SECONDS, however many ask. May be asked by several threads."""

    def __init__(self, client: Redis, services: Services | None = None, served: Callable[[], Served] = dict) -> None:
        """`served`: the answers with lists by what they begin with, where the service that shows the page gives lists."""
        self._client, self._services, self._served = client, services, served
        self._lock, self._html, self._until_s = threading.Lock(), "", 0.0

    def html(self) -> str:
        """The page; while Redis is away it says so. Takes as long as Redis does: not for a thread that others wait for."""
        with self._lock:
            if time.monotonic() >= self._until_s:
                overview = Overview.read(self._client, self._services)
                histories = histories_of(self._client, overview)
                self._html = page(overview, histories, self._served())
                self._until_s = time.monotonic() + REMEMBER_SECONDS
            return self._html
