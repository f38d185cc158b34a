"""The arguments that every job takes, and how a job is run: errors we know are one line, not a traceback."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pipelines.config import Config, load_config
from pipelines.errors import LiveshelfError

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
            function(*args, config=load_config(config_path), **kwargs)
        except LiveshelfError as error:
            click.secho(f"liveshelf: {error}", err=True, fg="red")
            sys.exit(error.ends_with)

    return run


def once_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--once` to a stream."""
    option = click.option(
        "--once", is_flag=True, help="Process all that is available now, then stop. Default: run for ever."
    )
    decorated: Callable[..., Any] = option(function)
    return decorated


__all__ = ["Config", "config_option", "once_option"]
