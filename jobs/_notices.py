"""What a command tells people beside its results: where it listens, what it waits for, why it refused. On stderr."""

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
    """Tell why the command refused."""
    if is_all_json():
        log.error("refused", exit_code=error.ends_with, error=error)
    else:
        click.secho(f"liveshelf: {error}", err=True, fg="red")
