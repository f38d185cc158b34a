"""What a service does beside its answers, again and again, until it ends."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

_LOG = logging.getLogger(__name__)
Action = Callable[[], Awaitable[None]]


@asynccontextmanager
async def repeating(*actions: tuple[float, Action]) -> AsyncIterator[None]:
    """Do each action every so many seconds, at first at once. One that fails is logged, and tried again."""
    tasks = [asyncio.create_task(_repeat(seconds, action)) for seconds, action in actions]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _repeat(seconds: float, action: Action) -> None:
    while True:
        try:
            await action()
        except Exception:
            _LOG.exception("what is done beside the answers failed; again in %g s", seconds)
        await asyncio.sleep(seconds)
