"""Something done every so often on a thread of its own, while the main thread waits for Spark."""

import threading
from collections.abc import Callable
from types import TracebackType


class Polling:
    """`with Polling(0.5, look):` calls `look` every half second until the block ends.

    What `look` raises ends the polling alone.
    """

    def __init__(self, seconds: float, look: Callable[[], None]) -> None:
        self._seconds, self._look = seconds, look
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._is_over.wait(self._seconds):
            self._look()

    def __enter__(self) -> "Polling":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()
