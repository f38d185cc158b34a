"""Show what is stored of a list, a profile, an item or an event, and how old it is.

\b
    liveshelf show list u42        what the shop gets
    liveshelf show profile u42     what the list is made from
    liveshelf show item item-00042 what is served of it, and whether it is
    liveshelf show event e1f0…     the row in Delta, or why it is in quarantine
"""

import time
from dataclasses import asdict

import click
import numpy as np
from redis import Redis
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jobs._ages import utc
from jobs._options import config_option
from pipelines.config import Config
from pipelines.errors import InputError
from pipelines.features.definitions import load_definitions
from pipelines.features.online import OnlineSums
from pipelines.features.profile import Profiles, key_code, key_time_s
from pipelines.features.profile_bytes import decode
from pipelines.lists.document import PublishedList
from pipelines.local.addresses import with_running_redis
from pipelines.schemas import INTERACTION_CODES
from pipelines.sources.tables import find_event
from pipelines.stores.catalogue import CatalogueStore
from pipelines.stores.connection import connect
from pipelines.stores.keys import list_key, profile_key

CONSOLE = Console()


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command("list")
@click.argument("user")
@config_option
def show_list(config: Config, user: str) -> None:
    """The list of USER as the shop reads it, and its age."""
    published = PublishedList.from_json(
        _stored(config, list_key(user), f"no list for user '{user}': {_no_list(config)}")
    )
    table = Table("rank", "item", "score", box=None, header_style="bold")
    for rank, (item, score) in enumerate(zip(published.items, published.scores, strict=True)):
        table.add_row(str(rank), item, f"{score:g}")
    CONSOLE.print(
        f"list of [bold]{user}[/], made {_age(published.as_of_ms / 1000)} by {published.model}", highlight=False
    )
    CONSOLE.print(f"source {published.source}, list_id {published.list_id}", highlight=False)
    CONSOLE.print(table)


@main.command("profile")
@click.argument("user")
@config_option
def show_profile(config: Config, user: str) -> None:
    """The profile of USER: its newest interactions, and how far the stream was read."""
    value = _stored(
        config, profile_key(user), f"no profile for user '{user}': no interaction of theirs was valid, or it expired"
    )
    profile = decode([value])
    CONSOLE.print(
        f"profile of [bold]{user}[/]: {profile.n_interactions[0]} interactions, {profile.length[0]} kept, "
        f"{profile.tail_length[0]} known by key, {len(value)} bytes, generation {profile.generation[0]}",
        highlight=False,
    )
    if profile.as_of_s[0]:
        CONSOLE.print(f"newest interaction {_age(float(profile.as_of_s[0]))}", highlight=False)
    if link := profile.links.get(0):
        CONSOLE.print(f"a visitor who logged in: [bold]{link.user}[/] has all of this too", highlight=False)
    if profile.is_joined[0]:
        CONSOLE.print("with what visitors did before they logged in as this user", highlight=False)
    for source, reached in profile.marks[0].tolist():
        if reached:
            CONSOLE.print(f"read up to offset {reached - 1} of partition {source >> 32}", highlight=False)
    _print_sums(profile, load_definitions(config.features.definitions).online())
    name_of = {code: name for name, code in INTERACTION_CODES.items()}
    table = Table("event time (UTC)", "interaction", "item (64-bit hash)", box=None, header_style="bold")
    for time_s, code, item in zip(key_time_s(profile.key), key_code(profile.key), profile.item, strict=True):
        table.add_row(utc(float(time_s)), name_of.get(int(code), f"code {code}"), f"{int(item):016x}")
    CONSOLE.print(table)


def _print_sums(profile: Profiles, online: OnlineSums) -> None:
    version = int(profile.features_version[0])
    CONSOLE.print(f"sums of features version {version}, as of the newest interaction and as of now", highlight=False)
    if version != online.version:
        CONSOLE.print(f"  the definitions are version {online.version}: `liveshelf rebuild_profiles`", highlight=False)
        return
    now = online.aged(profile.sums, np.array([int(time.time())]) - profile.as_of_s)
    table = Table("sum", "then", "now", box=None, header_style="bold")
    for name, then, aged in zip(online.names, profile.sums[0], now[0], strict=True):
        table.add_row(name, f"{then:.6g}", f"{aged:.6g}")
    CONSOLE.print(table)


@main.command("item")
@click.argument("item_id", metavar="ITEM")
@config_option
def show_item(config: Config, item_id: str) -> None:
    """The item ITEM of the catalogue as it is served, and whether it may be shown."""
    store = CatalogueStore(connect(str(with_running_redis(config).redis.url)))
    item, hold, is_available = store.read(item_id), store.held(item_id), store.is_available(item_id)
    if item is None and is_available:
        raise InputError(
            f"no item '{item_id}' in the catalogue, so it may be shown and nothing is known of it; "
            "`liveshelf load_catalogue` loads items"
        )
    state = "may be shown" if is_available else "[red]may not be shown[/]"
    CONSOLE.print(f"item [bold]{item_id}[/] {state}", highlight=False)
    if hold:
        CONSOLE.print(f"hidden by hand {_age(hold.since_ms / 1000)}: {escape(hold.reason)}", highlight=False)
    if item is None:
        CONSOLE.print("the shop does not sell it any more, or never did", highlight=False)
        return
    CONSOLE.print(f"the shop's record of it was written {_age(item.updated_ms / 1000)}", highlight=False)
    told = asdict(item) | {"tags": ", ".join(item.tags), "created_at": item.created_ms and utc(item.created_ms / 1000)}
    grid = Table(box=None, show_header=False)
    for name in ("title", "category", "brand", "price", "image", "in_stock", "hidden", "created_at", "tags"):
        if told[name] not in (None, ""):
            grid.add_row(name, escape(str(told[name])))
    CONSOLE.print(grid)


@main.command("event")
@click.argument("event_id")
@config_option
def show_event(config: Config, event_id: str) -> None:
    """The event EVENT_ID as it lies in Delta, or in quarantine with the rules it broke."""
    found = find_event(config.lake_root, event_id)
    if found is None:
        raise InputError(
            f"no event '{event_id}' in {config.lake_root}: it did not come yet, waits for the next commit "
            f"(every {config.validation.trigger_seconds:g} s), or was sent under another id"
        )
    table, row = found
    CONSOLE.print(f"in [bold]{table}[/], got {_age(row['ingest_time'].timestamp())}", highlight=False)
    grid = Table(box=None, show_header=False)
    for name, value in row.items():
        if value is not None:
            grid.add_row(name, str(np.asarray(value).tolist() if isinstance(value, np.ndarray) else value))
    CONSOLE.print(grid)
    if table == "quarantine":
        CONSOLE.print(f"its rules, explained: liveshelf quarantine show {row['record_id'][:12]}", highlight=False)


def _stored(config: Config, key: str, otherwise: str) -> bytes:
    client: Redis = connect(str(with_running_redis(config).redis.url))
    value = client.get(key)
    if not isinstance(value, bytes):
        raise InputError(otherwise)
    return value


def _no_list(config: Config) -> str:
    every = config.lists.refresh_after_interactions
    return f"a list is made at the {every}th valid interaction; `liveshelf show profile` tells how many there are"


def _age(as_of_s: float) -> str:
    seconds = time.time() - as_of_s
    for size, unit in ((86_400 * 365, "years"), (86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit} ago ({utc(as_of_s)})"
    return f"{max(seconds, 0):.1f} seconds ago ({utc(as_of_s)})"


if __name__ == "__main__":
    main()
