"""A progress bar on the terminal, with rate and time to go."""

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

SECONDS_BETWEEN_UPDATES = 0.1


class SendingProgress:
    """`with SendingProgress("replay", total) as bar:` shows how much of `total` is done, and records per second.

    `done` is the word for what was done to them.
    """

    def __init__(self, title: str, total: int, done: str = "sent") -> None:
        self._progress = Progress(
            TextColumn(title), BarColumn(), TaskProgressColumn(), TextColumn(f"{{task.fields[n_sent]:,}} {done}"),
            TextColumn("{task.fields[rate]:,.0f}/s"), TimeRemainingColumn(), console=Console(stderr=True),
        )  # fmt: skip
        self._task = self._progress.add_task(title, total=total, n_sent=0, rate=0.0)
        self._started = self._updated = time.monotonic()

    def show(self, n_sent: int, completed: int) -> None:
        """Cheap: draws ten times a second at most."""
        now = time.monotonic()
        if now - self._updated >= SECONDS_BETWEEN_UPDATES:
            self._updated = now
            self._draw(n_sent, completed, now)

    def finish(self, n_sent: int, completed: int) -> None:
        """Draw the last state, which `show` may have left out."""
        self._draw(n_sent, completed, time.monotonic())

    def _draw(self, n_sent: int, completed: int, now: float) -> None:
        rate = n_sent / max(now - self._started, 1e-3)
        self._progress.update(self._task, completed=completed, n_sent=n_sent, rate=rate)

    def __enter__(self) -> "SendingProgress":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
