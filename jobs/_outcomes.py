"""Tells Redis how a job that ends has ended, so that its failing, its findings and its silence can be watched."""

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime, timedelta, timezone
from typing import Any

from redis.exceptions import RedisError

from pipelines.config import Config
from pipelines.errors import LiveshelfError, ServerError
from pipelines.local.addresses import with_running_redis
from pipelines.stores.connection import connect
from pipelines.stores.outcomes import Outcome, OutcomeStore

TIMEOUT_SECONDS = 2.0
MAX_SAID_CHARACTERS = 2_000
OF_THE_PAST = timedelta(days=1)


def tells_outcome(job: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a job, below `config_option`: however it ends, that is told, unless it is a trial or a look at the past."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, config: Config, **kwargs: Any) -> None:
            with telling_outcome(config, job) if _is_about_now(**kwargs) else nullcontext():
                function(*args, config=config, **kwargs)

        return run

    return decorate


def _is_about_now(*, is_dry_run: bool = False, as_of: datetime | None = None, **_: Any) -> bool:
    return not is_dry_run and (as_of is None or datetime.now(timezone.utc) - as_of < OF_THE_PAST)


@contextmanager
def telling_outcome(config: Config, job: str) -> Iterator[None]:
    """Tell how what is done inside ends. Nobody to tell is no trouble: a job needs no Redis for this."""
    began, exit_code, said = time.monotonic(), 1, ""
    try:
        yield
        exit_code = 0
    except Exception as error:
        exit_code = error.exit_code if isinstance(error, LiveshelfError) else 1
        said = (str(error) or type(error).__name__)[:MAX_SAID_CHARACTERS]
        raise
    finally:
        outcome = Outcome(time.time_ns() // 1_000_000, round(time.monotonic() - began, 3), exit_code, said)
        with suppress(ServerError, RedisError):
            url = str(with_running_redis(config).redis.url)
            OutcomeStore(connect(url, timeout_seconds=TIMEOUT_SECONDS, retries=0)).tell(job, outcome)
