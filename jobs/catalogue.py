"""Hide an item by hand, from every list and at once, whatever the shop's records say; and take that back.

\b
    liveshelf catalogue hide item-00042 --reason "recalled by the maker"
    liveshelf catalogue unhide item-00042
    liveshelf catalogue held

A hold is filed in {lake_root}/catalogue_holds and put into Redis. No load ends it, for it is not the shop's record that
changes; `unhide` does, and then the item is what the last record says. `liveshelf show item` shows both.
"""

from datetime import datetime, timezone

import click
from rich.console import Console
from rich.table import Table

from jobs._options import config_option
from pipelines.config import Config
from pipelines.local.addresses import with_running_redis
from pipelines.sinks.catalogue_holds import file_hold, held_items
from pipelines.stores.catalogue import CatalogueStore, Hold
from pipelines.stores.connection import connect

TABLE = "catalogue_holds"


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command("hide")
@click.argument("item_id", metavar="ITEM")
@click.option("--reason", required=True, help="Why, for whoever asks later.")
@config_option
def hide(config: Config, item_id: str, reason: str) -> None:
    """Hide ITEM until it is unhidden."""
    store, now = _store(config), datetime.now(timezone.utc)
    file_hold(config.table(TABLE), item_id, is_held=True, reason=reason, as_of=now)
    store.hold(item_id, Hold(reason, round(now.timestamp() * 1000)))
    known = "" if store.read(item_id) else "; the catalogue has no such item: is the id right?"
    click.echo(f"{item_id} is hidden: no list that is read from now on has it{known}")


@main.command("unhide")
@click.argument("item_id", metavar="ITEM")
@click.option("--reason", default="", help="Why, for whoever asks later.")
@config_option
def unhide(config: Config, item_id: str, reason: str) -> None:
    """End the hold of ITEM."""
    store, now = _store(config), datetime.now(timezone.utc)
    file_hold(config.table(TABLE), item_id, is_held=False, reason=reason, as_of=now)
    if not store.release(item_id):
        click.echo(f"{item_id} was not hidden by hand")
        return
    item = store.read(item_id)
    may = (
        "may be shown again" if item is None or item.is_available else "is hidden or sold out by the shop's own record"
    )
    click.echo(f"{item_id} is not hidden by hand any more; it {may}")


@main.command("held")
@config_option
def held(config: Config) -> None:
    """List the items that are hidden by hand."""
    grid = Table("item", "since (UTC)", "reason", box=None, header_style="bold")
    for item_id, (reason, since) in sorted(held_items(config.table(TABLE)).items()):
        grid.add_row(item_id, f"{since:%Y-%m-%d %H:%M}", reason)
    Console().print(grid, highlight=False)


def _store(config: Config) -> CatalogueStore:
    return CatalogueStore(connect(str(with_running_redis(config).redis.url)))


if __name__ == "__main__":
    main()
