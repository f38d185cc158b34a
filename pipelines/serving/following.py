"""The shop's catalogue as this process knows it: as new as the newest answer of Redis it has seen."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from redis.exceptions import RedisError

from pipelines.logs.trouble import Trouble
from pipelines.serving.sieve import Catalogue

_PATIENCE_SECONDS = 1.0  # a request waits so long for what changed, then goes on by what is known


class Copy(Catalogue, Protocol):
    """A copy of the catalogue that follows its changes (stores/catalogue_copy.py)."""

    @property
    def version(self) -> bytes | None: ...

    def catch_up(self, version: bytes | None) -> object: ...

    def __len__(self) -> int: ...


class Following:
    """Brings the copy up to the version that a request has read, in a thread, once for all requests that wait."""

    def __init__(self, copy: Copy, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.copy, self._clock_s = copy, clock_s
        self._catching_up: asyncio.Task[bool] | None = None
        self._began_s = 0.0
        self._trouble = Trouble("catalogue_unread", "catalogue_read")

    async def reach(self, version: bytes | None, patience_seconds: float = _PATIENCE_SECONDS) -> bool:
        """Return when the copy has all changes up to `version`; False where Redis is too slow for that, or away.

        Patience begins with the catching up: while that takes long, those who come later do not wait as long again.
        """
        while version is not None and _is_after(version, self.copy.version):
            if self._catching_up is None:
                self._began_s = self._clock_s()
                self._catching_up = asyncio.create_task(self._catch_up(version))
            left_s = self._began_s + patience_seconds - self._clock_s()
            try:
                if not await asyncio.wait_for(asyncio.shield(self._catching_up), max(left_s, 0.001)):
                    return False
            except asyncio.TimeoutError:
                return False
        return True

    async def _catch_up(self, version: bytes) -> bool:
        try:
            await asyncio.to_thread(self.copy.catch_up, version)
            self._trouble.over()
            return True
        except (RedisError, OSError) as error:
            self._trouble.failed(error)
            return False
        finally:
            self._catching_up = None


def _is_after(version: bytes, reached: bytes | None) -> bool:
    """Whether there is something to read: versions are ids of a stream, `ms-seq`.

    A version below the one reached by more than a moment is of a server that lost its data: then there is, too.
    """
    if version == reached:
        return False
    if reached is None or _parts(version) > _parts(reached):
        return True
    return _parts(reached)[0] - _parts(version)[0] > 60_000


def _parts(version: bytes) -> tuple[int, int]:
    try:
        milliseconds, _, number = version.partition(b"-")
        return int(milliseconds), int(number or 0)
    except ValueError:
        return 0, 0
