"""What libraries say by the standard library's logging, as lines like ours: one event, short, and not again and again."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipelines.logs.log import log
from pipelines.logs.reasons import short

AGAIN_SECONDS = 60.0
MAX_REMEMBERED = 500
# Whose messages are known to say addresses and settings. Of others the text as it stands in their code is told, without values.
_SPOKEN = {
    "alembic", "asyncio", "great_expectations", "kafka", "mlflow", "pika", "py", "sqlalchemy", "tenacity", "urllib3", "uvicorn",
}  # fmt: skip


class Libraries(logging.Handler):
    """Takes warnings and errors. The same one comes once a minute at most, with how often it came (`times`).

    Of an exception the kind is told, not the text: reasons.py.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(logging.WARNING)
        self._clock = clock
        self._due_s: dict[tuple[str, str], float] = {}
        self._n_held: dict[tuple[str, str], int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        try:
            if times := self._times((record.name, str(record.msg))):
                self._tell(record, times)
        except Exception:  # a line that cannot be made is no reason to stop
            self.handleError(record)

    def _times(self, said: tuple[str, str]) -> int:
        """How often it was said since it was last told; 0: it is not to be told now. Under the handler's lock."""
        now_s = self._clock()
        if now_s < self._due_s.get(said, 0.0):
            self._n_held[said] = self._n_held.get(said, 0) + 1
            return 0
        if len(self._due_s) >= MAX_REMEMBERED:
            self._due_s.clear()
            self._n_held.clear()
        self._due_s[said] = now_s + AGAIN_SECONDS
        return self._n_held.pop(said, 0) + 1

    def _tell(self, record: logging.LogRecord, times: int) -> None:
        is_spoken = record.name.partition(".")[0] in _SPOKEN
        message = short(record.getMessage() if is_spoken else str(record.msg))
        error = record.exc_info[1] if record.exc_info else None
        of_error = {} if error is None else {"error": error}
        level = logging.ERROR if record.levelno >= logging.ERROR else logging.WARNING
        log.log(level, "library_said", logger=record.name, message=message, times=times, **of_error)


@contextmanager
def unheard(library: str) -> Iterator[None]:
    """No lines of a library about what is being found out anyway."""
    logger = logging.getLogger(library)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
