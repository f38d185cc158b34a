"""Explain a user's list: from what was done to features, scores, filters and the list, item by item.

\b
    liveshelf explain u42
    liveshelf explain u42 --more 30 --json

\b
Reads   Redis profile:{user}, shown:{user}, list:{user}, the model and the catalogue
Writes  nothing

The list is made again, as of now, by the functions that made the published one, and both are shown side by side. "Because"
names what the score owes most to: how much lower it would be had the user never met that item.
"""

import json
import math
import sys
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from jobs._ages import utc
from jobs._options import config_option
from pipelines.config import Config
from pipelines.errors import InputError
from pipelines.features.definitions import load_definitions
from pipelines.hot_path.explained import ExplainedList, explain_list
from pipelines.hot_path.worker import StageSettings, Worker
from pipelines.lists.explanation import ExplainedItem
from pipelines.local.addresses import with_running_redis

NO_TOPIC = 0  # names of lists apart, nothing depends on it
CONSOLE = Console()


@click.command(help=__doc__)
@click.argument("user")
@click.option("--more", default=10, show_default=True, help="Items that the model likes and that are not in the list.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object instead of tables.")
@config_option
def main(config: Config, user: str, more: int, is_json: bool) -> None:
    config = with_running_redis(config)
    online = load_definitions(config.features.definitions).online()
    settings = StageSettings(
        str(config.redis.url), NO_TOPIC, config.profile, config.lists, config.model, online,
        category_separator=config.catalogue.category_separator,
    )  # fmt: skip
    found = explain_list(settings, Worker(settings), user, more)
    if found is None:
        raise InputError(f"no profile for user '{user}': no interaction of theirs was valid, or it expired")
    if is_json:
        click.echo(json.dumps(_as_json(user, found)))
    else:
        _print(user, found)


def _print(user: str, found: ExplainedList) -> None:
    CONSOLE.print(f"[bold]1. What {user} did[/]: {found.n_interactions} interactions, the newest:", highlight=False)
    done = Table("when (UTC)", "what", "item", "weighs", box=None, header_style="bold")
    for each in found.interactions[:12]:
        done.add_row(utc(float(each.time_s)), each.event_type, each.item_id, f"{each.weight:.3g}")
    CONSOLE.print(done)
    if found.bought_before:
        CONSOLE.print(f"bought longer ago: {', '.join(found.bought_before)}", highlight=False)
    if found.shown:
        CONSOLE.print("shown since: " + ", ".join(f"{item} ×{count}" for item, count in found.shown), highlight=False)
    if not found.items:
        CONSOLE.print("there is no model yet, so there is no list", highlight=False)
        return
    CONSOLE.print(f"\n[bold]2. The list, as model {found.model} and the rules make it now[/]", highlight=False)
    CONSOLE.print(_items([item for item in found.items if item.position], found, "why"))
    CONSOLE.print("\n[bold]3. What the model likes, and what kept it out[/]", highlight=False)
    CONSOLE.print(_items([item for item in found.items if not item.position], found, "kept out by"))
    CONSOLE.print(_compared(found), highlight=False)


def _items(items: list[ExplainedItem], found: ExplainedList, why: str) -> Table:
    grid = Table("place", "item", "model's rank", "score", why, "because", box=None, header_style="bold")
    for item in items:
        because = ", ".join(f"{found.causes.get(cause, '?')} +{part:.2g}" for cause, part in item.because)
        grid.add_row(
            str(item.position or ""), item.item_id, str(item.rank or ""),
            "" if math.isnan(item.score) else f"{item.score:.4g}", item.why, because or "popular with everybody",
        )  # fmt: skip
    return grid


def _compared(found: ExplainedList) -> str:
    if found.published is None:
        return "\nNo list is published for this user: too few interactions, and not long enough ago."
    now = [item.item_id for item in found.items if 0 < item.position <= len(found.published.items)]
    made = f"\nThe published list is of {utc(found.published.as_of_ms / 1000)}, by {found.published.model}"
    if now == list(found.published.items):
        return f"{made}: the same."
    return f"{made}; since then model, catalogue or profile have changed. It is: {', '.join(found.published.items)}"


def _as_json(user: str, found: ExplainedList) -> dict[str, object]:
    items = [
        {
            **asdict(item),
            "score": None if math.isnan(item.score) else item.score,
            "because": [{"item_id": found.causes.get(cause, ""), "adds": part} for cause, part in item.because],
        }
        for item in found.items
    ]
    told = asdict(found)
    del told["causes"]
    return {"user": user, **told, "items": items}


if __name__ == "__main__":
    sys.exit(main())
