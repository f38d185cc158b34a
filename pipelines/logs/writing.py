"""Sets logging up: once in a process, by the command that starts it, and again in the processes that it starts.

A process tells its children by the environment: workers of uvicorn and of Spark (`environment`) write as their parent does.
"""

import logging
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Literal

import structlog
from structlog.typing import Processor

from pipelines.logs import lines
from pipelines.logs.libraries import Libraries
from pipelines.logs.log import log

VARIABLE = "LIVESHELF_LOGS"  # format:level:job:format in the configuration
JOB_VARIABLE = "LIVESHELF_JOB"  # for conf/log4j2-json.properties, which cannot take the other apart
Format = Literal["console", "json"]
_QUIET = {
    "py4j": logging.CRITICAL,  # it logs what it then raises, and how a stream refuses a micro-batch when it stops
    "kafka": logging.ERROR,  # it warns of each attempt to connect, and of what takes it a tenth of a second
}
_taken_up: list[str] = []  # what this process writes by, where it was told


def set_up(wanted: str, level: str, job: str) -> None:
    """Write lines as `wanted` says (auto, console, json), of `level` and above, from now on and in children.

    auto: for people where stderr is a terminal, else JSON. Libraries speak in the same format, from WARNING up.
    """
    chosen: Format = "json"
    if wanted == "console" or (wanted == "auto" and _is_terminal()):
        chosen = "console"
    os.environ.update({VARIABLE: f"{chosen}:{level}:{job}:{wanted}", JOB_VARIABLE: job})
    take_up()


def take_up() -> None:
    """Do in this process as its parent said. Costs nothing where that is done; without a parent's word, warnings only."""
    told = os.environ.get(VARIABLE, "")
    if _taken_up == [told] or not told:
        return
    _taken_up[:] = [told]
    said, level, job, _ = told.split(":")
    chosen: Format = "console" if said == "console" else "json"
    _configure(chosen, level, job)
    _take_in_libraries()
    _say_what_ends_us(is_json=chosen == "json")


def environment() -> Mapping[str, str]:
    """What a child that does not inherit the environment is to be given."""
    return {VARIABLE: os.environ[VARIABLE]} if VARIABLE in os.environ else {}


def is_json() -> bool:
    """Whether lines are JSON, of choice or because nobody looks at a terminal."""
    return os.environ.get(VARIABLE, "").startswith("json:")


def is_all_json() -> bool:
    """Whether JSON was asked for by name: then nothing else goes to stderr, also nothing for people."""
    return os.environ.get(VARIABLE, "").endswith(":json")


def _is_terminal() -> bool:
    with suppress(AttributeError, ValueError):
        return sys.stderr.isatty()
    return False


def _shared(job: str) -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        lines.of_process(job),
        lines.with_error,
        lines.without_passwords,
    ]


def _renderers(chosen: Format) -> list[Processor]:
    if chosen == "json":
        return [structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"), lines.as_json]
    stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False, key="at")
    return [stamp, *lines.for_people(colors=_is_terminal() and "NO_COLOR" not in os.environ)]


def _configure(chosen: Format, level: str, job: str) -> None:
    structlog.configure(
        processors=[*_shared(job), *_renderers(chosen)],
        wrapper_class=structlog.make_filtering_bound_logger(level or "warning"),
        logger_factory=lambda *_: lines.Stderr(),
        cache_logger_on_first_use=False,  # a command that sets logging up again is heard
    )


def _take_in_libraries() -> None:
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, Libraries)]:
        root.removeHandler(handler)
    root.addHandler(Libraries())
    logging.captureWarnings(True)
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(level)


def _say_what_ends_us(*, is_json: bool) -> None:
    """An error that nobody caught becomes a line; people at a terminal get Python's traceback."""
    sys.excepthook = _crashed if is_json else sys.__excepthook__
    threading.excepthook = _thread_crashed if is_json else threading.__excepthook__


def _crashed(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    log.critical("crashed", error=error.with_traceback(traceback))


def _thread_crashed(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        log.critical("crashed", error=ended.exc_value.with_traceback(ended.exc_traceback))


_configure("json", "warning", "")
