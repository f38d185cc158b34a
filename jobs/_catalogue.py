"""What the jobs of the catalogue share: the wired tables, the holds, and how a load is told."""

from collections.abc import Callable, Sequence

import click
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from jobs._notices import notice
from pipelines.catalogue.parse import unknown_fields
from pipelines.config import Config
from pipelines.sinks.catalogue import CatalogueChange, CatalogueTables
from pipelines.sinks.catalogue_holds import held_items
from pipelines.stores.catalogue import CatalogueStore, Hold
from pipelines.stores.catalogue_rows import publish_rows
from pipelines.stores.connection import connect

SHOWN_REJECTED = 5


def catalogue_tables(config: Config, on_batch: Callable[[dict[str, int]], None] | None = None) -> CatalogueTables:
    """The tables of the lake, publishing to Redis."""

    def publish(rows: DataFrame) -> None:
        publish_rows(rows, str(config.redis.url))

    return CatalogueTables(config.table("catalogue"), config.table("catalogue_rejected"), publish, on_batch)


def renew_holds(config: Config) -> int:
    """Hold in Redis what is held in Delta; returns how many items that is. Safe to repeat."""
    store = CatalogueStore(connect(str(config.redis.url)))
    held = held_items(config.table("catalogue_holds"))
    for item_id, (reason, since) in held.items():
        store.hold(item_id, Hold(reason, round(since.timestamp() * 1000)))
    return len(held)


def print_unknown_fields(names: Sequence[str]) -> None:
    """Say which columns are passed over, for one of them may be a slip."""
    if unknown := unknown_fields(names):
        notice(f"columns that are passed over: {', '.join(unknown)}")


def print_change(change: CatalogueChange, told: DataFrame, verb: str) -> None:
    """Say what a load did, or would do, and show some of the records that it rejects."""
    grid = Table(box=None, show_header=False)
    texts = {
        "new": change.n_new,
        "changed": change.n_changed,
        "unchanged": change.n_unchanged,
        "gone": change.n_gone,
        "older than what is there": change.n_older,
        "rejected": change.n_rejected,
        f"not shown any more, of {change.n_shown:,}": change.n_hidden,
    }
    for text, count in texts.items():
        grid.add_row(f"{verb} {text}", f"{count:,}")
    Console().print(grid, highlight=False)
    if change.n_rejected:
        _print_rejected(told)


def _print_rejected(told: DataFrame) -> None:
    rejected = told.where(F.col("reasons").isNotNull()).orderBy("position").limit(SHOWN_REJECTED)
    for row in rejected.collect():
        click.echo(f"rejected: {row['item_id'] or 'record ' + str(row['position'])}: {'; '.join(row['reasons'])}")
    click.echo("all of them: the table catalogue_rejected")
