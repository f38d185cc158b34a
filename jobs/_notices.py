"""What a command tells people beside its results: where it listens, what it waits for, why it refused. On stderr."""

import sys

import click

from pipelines.errors import LiveshelfError
from pipelines.logs.log import log
from pipelines.logs.writing import is_all_json


def notice(text: str, color: str | None = None) -> None:
    """Tell people `text`; a line of the log where `logging.format` is json."""
    if is_all_json():
        log.info("notice", text=text)
    else:
        click.secho(text, err=True, fg=color)


def refusal(error: LiveshelfError) -> None:
    """Tell why the command refused: people the text, a log only what names nobody."""
    if is_all_json():
        log.error("refused", exit_code=error.ends_with, error=error)
    if not is_all_json() or sys.stderr.isatty():
        click.secho(f"liveshelf: {error}", err=True, fg="red")
