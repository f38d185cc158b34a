"""What a service does beside its answers, again and again, until it ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from pipelines.logs.trouble import Trouble

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
    name = getattr(getattr(action, "func", action), "__name__", "")
    trouble = Trouble("side_work_failing", "side_work_back")
    while True:
        try:
            await action()
            trouble.over(work=name)
        except Exception as error:
            trouble.failed(error, work=name)
        await asyncio.sleep(seconds)
