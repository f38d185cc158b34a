"""Explain every key of the configuration, with its default and its value here."""

import click
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from jobs._options import config_option
from pipelines.config import Config


@click.command(help=__doc__)
@config_option
def main(config: Config) -> None:
    table = Table("key", "value here", "default", "meaning", box=None, header_style="bold", pad_edge=False)
    for section in _sections(config):
        table.add_row(*section)
    Console().print(table)
    click.echo("\nOverride a key by the environment: LIVESHELF_LISTS__N=20. Secrets: REDIS_URL.")


def _sections(values: BaseModel, prefix: str = "") -> list[tuple[str, str, str, str]]:
    rows: list[tuple[str, str, str, str]] = []
    for name, field in type(values).model_fields.items():
        value = getattr(values, name)
        if isinstance(value, BaseModel):
            rows += _sections(value, f"{prefix}{name}.")
        else:
            rows.append((prefix + name, str(value), str(field.default), field.description or ""))
    return rows


if __name__ == "__main__":
    main()
