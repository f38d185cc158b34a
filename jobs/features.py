"""The features of users, items, categories and segments: list them, explain one with its formula.

\b
    liveshelf features list                     what there is, by table
    liveshelf features explain interest_day     formula, where it is kept, its value at any instant in SQL

\b
Reads   conf/features.yaml (features.definitions)
Writes  nothing
"""

import difflib
import json
import sys

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from jobs._options import config_option
from pipelines.config import Config
from pipelines.errors import InputError
from pipelines.features.definitions import Definitions, Feature, load_definitions, sums_of
from pipelines.features.feature_words import formula, sql_at
from pipelines.features.tables import table_name, table_path
from pipelines.stores.keys import rank_key

CONSOLE = Console()


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command("list")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object instead.")
@config_option
def list_features(config: Config, is_json: bool) -> None:
    """Name, kind and meaning of every feature, by table."""
    definitions = load_definitions(config.features.definitions)
    if is_json:
        features = {f.name: {"entity": f.entity, "kind": f.kind, "about": f.entry.about} for f in definitions.features}
        click.echo(json.dumps({"version": definitions.version, "features": features}, ensure_ascii=False))
        return
    for entity, keys in definitions.entities.items():
        grid = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
        for feature in definitions.of(entity):
            grid.add_row(Text(feature.name, "bold"), feature.kind, feature.entry.about)
        path = config.table(table_path(definitions, entity))
        CONSOLE.print(
            Text.assemble((table_name(entity), "bold"), f": one row per {' and '.join(keys)}, {path}"), soft_wrap=True
        )
        CONSOLE.print(grid)
    n_online = len(definitions.online().names)
    CONSOLE.print(
        f"{len(definitions.features)} features, version {definitions.version}; {n_online} sums are in profiles too",
        highlight=False,
    )


@main.command("explain")
@click.argument("name")
@config_option
def explain_feature(config: Config, name: str) -> None:
    """All of the feature NAME."""
    definitions = load_definitions(config.features.definitions)
    feature = _find(definitions, name)
    online = ", ".join(part.column for part in sums_of(feature)) if feature.entry.online else "no"
    ranks = ", ".join(rank_key(rank.name) for rank in definitions.ranks if rank.feature == feature)
    lines = {
        "feature": feature.name,
        "says": feature.entry.about,
        "formula": formula(feature),
        "row": f"one per {' and '.join(definitions.entities[feature.entity])}; values are as of its newest event, `as_of`",
        "table": config.table(table_path(definitions, feature.entity)),
        "in profiles": online,
        "in Redis": ranks or "no",
        "defined": f"{config.features.definitions}, entry {feature.entry_name}, version {definitions.version}",
    }
    grid = Table(box=None, show_header=False, pad_edge=False)
    for label, text in lines.items():
        grid.add_row(label, Text(text))
    CONSOLE.print(grid)
    CONSOLE.print("\nits value at an instant, in SQL:", style="dim")
    CONSOLE.print(Text(sql_at(feature)), soft_wrap=True)


def _find(definitions: Definitions, name: str) -> Feature:
    """Find a feature. Raises InputError, with the nearest known name, when there is none."""
    known = [feature.name for feature in definitions.features]
    if name in known:
        return definitions.feature(name)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    raise InputError(f"no feature '{name}'{hint} `liveshelf features list` shows them all")


if __name__ == "__main__":
    sys.exit(main())
