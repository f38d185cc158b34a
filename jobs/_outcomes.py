"""Tells Redis how a job that ends has ended, so that its failing, its findings and its silence can be watched."""

import functools
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from datetime import datetime, timedelta, timezone
from typing import Any

from redis.exceptions import RedisError

from pipelines.config import Config
from pipelines.errors import AlertError, ConsistencyError, LiveshelfError, ServerError
from pipelines.local.addresses import with_running_redis
from pipelines.logs.log import log
from pipelines.logs.reasons import told
from pipelines.stores.connection import connect
from pipelines.stores.history import HistoryStore
from pipelines.stores.outcomes import Outcome, OutcomeStore, Told, bounded

TIMEOUT_SECONDS = 2.0
MAX_SAID_CHARACTERS = 2_000
OF_THE_PAST = timedelta(days=1)
_FIGURES: ContextVar[dict[str, Mapping[str, float | None]] | None] = ContextVar("figures of the run", default=None)


def tells_outcome(job: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a job, below `config_option`: however it ends, that is told, unless it is a trial or a look at the past."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, config: Config, **kwargs: Any) -> None:
            with logging_ending(), telling_outcome(config, job) if _is_about_now(**kwargs) else nullcontext():
                function(*args, config=config, **kwargs)

        return run

    return decorate


def _is_about_now(*, is_dry_run: bool = False, as_of: datetime | None = None, **_: Any) -> bool:
    return not is_dry_run and (as_of is None or datetime.now(timezone.utc) - as_of < OF_THE_PAST)


def tell_figures(figures: Told) -> None:
    """Give the run's outcome these figures (figure, with its unit in the name → of what → number), however the run then ends.

    Nothing happens in a run whose outcome is not told, and None and what is not finite are left out.
    """
    told = _FIGURES.get()
    if told is not None:
        told.update(figures)


@contextmanager
def logging_ending() -> Iterator[None]:
    """Log that a job begins, and how it ended."""
    began = time.monotonic()
    log.info("job_started")
    try:
        yield
    except Exception as error:
        exit_code = error.ends_with if isinstance(error, LiveshelfError) else 1
        level = logging.WARNING if isinstance(error, AlertError) else logging.ERROR
        log.log(level, "job_ended", exit_code=exit_code, duration_ms=_ms_since(began), error=error)
        raise
    log.info("job_ended", exit_code=0, duration_ms=_ms_since(began))


def _ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


@contextmanager
def telling_outcome(config: Config, job: str) -> Iterator[None]:
    """Tell how what is done inside ends. Nobody to tell is no trouble: a job needs no Redis for this."""
    began, exit_code, said, is_told = time.monotonic(), 1, "", True
    figures: dict[str, Mapping[str, float | None]] = {}
    of_run = _FIGURES.set(figures)
    try:
        yield
        exit_code = 0
    except Exception as error:
        exit_code = error.exit_code if isinstance(error, LiveshelfError) else 1
        said = _said(error)
        raise
    except KeyboardInterrupt:
        is_told = False  # whoever ended it knows
        raise
    finally:
        _FIGURES.reset(of_run)
        if is_told:
            seconds = round(time.monotonic() - began, 3)
            _tell(config, job, Outcome(time.time_ns() // 1_000_000, seconds, exit_code, said, bounded(figures)))


def _tell(config: Config, job: str, outcome: Outcome) -> None:
    with suppress(ServerError, RedisError):
        url = str(with_running_redis(config).redis.url)
        client = connect(url, timeout_seconds=TIMEOUT_SECONDS, retries=0)
        OutcomeStore(client).tell(job, outcome)
        HistoryStore(client).note_run(job, outcome.figures)


def _said(error: Exception) -> str:
    """What pages and terminals may show: not which users' profiles are wrong."""
    if isinstance(error, ConsistencyError):
        return str(error).splitlines()[0][:MAX_SAID_CHARACTERS]
    if isinstance(error, LiveshelfError) and str(error):
        return str(error)[:MAX_SAID_CHARACTERS]
    known = told(error)  # the text of another may hold anything
    return ": ".join(part for part in (known["error"], known.get("because")) if part)
