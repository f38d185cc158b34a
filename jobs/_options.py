"""The arguments that every job takes, and how a job is run: errors we know are one line, not a traceback."""

import functools
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobs._notices import refusal
from pipelines.config import Config, load_config
from pipelines.errors import LiveshelfError, ServerError
from pipelines.local.addresses import redis_advice
from pipelines.logs.writing import set_up

DEFAULT_CONFIG = Path("conf/local.yaml")


def config_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--config`; the function gets the loaded configuration as `config`."""

    @click.option(
        "--config",
        "config_path",
        default=DEFAULT_CONFIG,
        show_default=True,
        envvar="LIVESHELF_CONFIG",
        show_envvar=True,
        type=click.Path(path_type=Path, dir_okay=False),
        help="YAML file; `liveshelf config` explains its keys.",
    )
    @functools.wraps(function)
    def run(*args: Any, config_path: Path, **kwargs: Any) -> None:
        try:
            config = load_config(config_path)
            set_up(config.logging.format, config.logging.level, _job_of(function))
            function(*args, config=config, **kwargs)
        except LiveshelfError as error:
            _refuse(error)
        except (RedisConnectionError, RedisTimeoutError) as error:
            _refuse(ServerError(f"{str(error).rstrip('.')}: {redis_advice(config.redis.url)}"))

    return run


def _refuse(error: LiveshelfError) -> NoReturn:
    refusal(error)
    sys.exit(error.ends_with)


def _job_of(function: Callable[..., Any]) -> str:
    """What lines of the log are of: a job has the name of its file."""
    module = inspect.getmodule(inspect.unwrap(function))
    path = getattr(module, "__file__", None)
    return Path(path).stem if path else "liveshelf"


def once_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--once` to a stream."""
    option = click.option(
        "--once", is_flag=True, help="Process all that is available now, then stop. Default: run for ever."
    )
    decorated: Callable[..., Any] = option(function)
    return decorated


__all__ = ["Config", "config_option", "once_option"]
