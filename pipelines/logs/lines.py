"""How a line is made: what is bound, what is said, and how it looks in a terminal and elsewhere."""

import os
import sys
import time
from collections.abc import Callable
from typing import IO, Any

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from pipelines.logs.reasons import masked, told

FIRST = ("at", "level", "event", "job", "stream", "batch_id")
CONSOLE_SECONDS = 2.0  # in a terminal, lines of micro-batches come no closer than this
EVENT_WIDTH = 20
_ENDINGS = ("stream_stopped", "stream_failed")


class Stderr:
    """Writes a line in one piece to what stderr is now: tests and progress bars put another in its place."""

    def msg(self, line: str) -> None:
        """Write `line`. A stderr that is gone ends nobody's work."""
        try:
            stream = stderr()
            stream.write(line + "\n")
            stream.flush()
        except (OSError, ValueError):
            pass

    debug = info = warning = error = critical = msg


def stderr() -> IO[str]:
    """Where lines go. A progress bar of rich takes lines in, to draw itself below; but never those that go to a file."""
    stream: Any = sys.stderr
    behind = getattr(stream, "rich_proxied_file", None)
    chosen: IO[str] = stream if behind is None or behind.isatty() else behind
    return chosen


def of_process(job: str) -> Processor:
    """Add what is the same in all lines of this process."""

    def add(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        line.setdefault("job", job)
        line.setdefault("pid", os.getpid())
        return line

    return add


def with_error(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """In the place of an exception, what may be said of it (reasons.py)."""
    error = line.get("error")
    caught = line.pop("exc_info", None)
    if not isinstance(error, BaseException) and caught:
        error = (
            caught[1]
            if isinstance(caught, tuple)
            else caught
            if isinstance(caught, BaseException)
            else sys.exc_info()[1]
        )
    if isinstance(error, BaseException):
        line.update(told(error))
    return line


def without_passwords(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Mask passwords wherever a text has one."""
    for key, value in line.items():
        if isinstance(value, str):
            line[key] = masked(value)
    return line


def as_json(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    """One JSON object."""
    ordered = {**{key: line.pop(key) for key in FIRST if key in line}, **line}
    return orjson.dumps(ordered, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()


class Paced:
    """Adds the micro-batches of a busy stream up, so that people can read them: one line in CONSOLE_SECONDS."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next_s: dict[str, float] = {}
        self._held: dict[str, dict[str, Any]] = {}

    def __call__(self, _logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        if line.get("event") in _ENDINGS and (rest := self._held.pop(str(line.get("stream")), None)):
            line["not_told_yet"] = ", ".join(f"{n} {name}" for name, n in rest.items())
        if line.get("event") != "batch_done":
            return line
        stream, now_s = str(line.get("stream")), self._clock()
        held = self._held.pop(stream, {"batches": 0})
        line["batches"] = held["batches"] + 1
        for name in ("rows", "lists"):
            if name in line:
                line[name] += held.get(name, 0)
        if now_s < self._next_s.get(stream, 0.0):
            self._held[stream] = {name: line[name] for name in ("batches", "rows", "lists") if name in line}
            raise structlog.DropEvent
        self._next_s[stream] = now_s + CONSOLE_SECONDS
        return line


def for_people(colors: bool) -> list[Processor]:
    """Short lines: the time of day, the event, what is to be said of it."""
    return [
        Paced(),
        _briefly,
        structlog.dev.ConsoleRenderer(
            colors=colors, timestamp_key="at", pad_event_to=EVENT_WIDTH, sort_keys=False, pad_level=True
        ),
    ]


def _briefly(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Leave out what people at a terminal know."""
    for key in ("job", "pid", "level") if line.get("level") == "info" else ("job", "pid"):
        line.pop(key, None)
    return {**{key: line.pop(key) for key in FIRST if key in line}, **line}
