"""The versions of the model: list them, look at one, make one champion, go back, compare two.

\b
    liveshelf models list                    which there are, and what they are called
    liveshelf models show champion           what it was made of, how good it is
    liveshelf models diff champion 14        what 14 has learned since
    liveshelf models promote 14              the hot path goes on from 14, without a restart
    liveshelf models rollback                and back to the one before

\b
VERSION is a number, or an alias: champion, challenger, previous.
Reads   MLflow: tracking.uri, MLFLOW_TRACKING_URI, or the embedded one in tracking.root
Writes  aliases in MLflow, where it promotes or rolls back
"""

import json
import sys
from typing import TYPE_CHECKING

import click

from jobs._model_texts import as_json, print_difference, print_version, print_versions
from jobs._options import config_option
from pipelines.config import Config
from pipelines.models.kinds import from_bytes
from pipelines.models.model import Model
from pipelines.tracking.comparison import changed, difference
from pipelines.tracking.promotion import promote, rollback
from pipelines.tracking.versions import Version

if TYPE_CHECKING:
    from pipelines.tracking.registry import Registry


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command("list")
@config_option
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object instead of a table.")
def list_models(config: Config, is_json: bool) -> None:
    """Every version, the newest first: its aliases, what it learned on from, its age and quality."""
    registry = _registry(config)
    versions = [(version, registry.metrics(version)) for version in registry.versions()]
    if is_json:
        click.echo(json.dumps({"versions": [as_json(version) | {"metrics": metrics} for version, metrics in versions]}))
    else:
        print_versions(versions, config.tracking.model_name)


@main.command("show")
@click.argument("version")
@config_option
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object instead of tables.")
def show_model(config: Config, version: str, is_json: bool) -> None:
    """All of VERSION: its lineage, data, offsets, parameters, and metrics with their intervals."""
    registry = _registry(config)
    found = registry.version(version)
    parameters, metrics = registry.parameters(found), registry.metrics(found)
    if is_json:
        click.echo(json.dumps(as_json(found) | {"parameters": parameters, "metrics": metrics}))
    else:
        print_version(found, parameters, metrics, _ancestors(registry, found))


@main.command("promote")
@click.argument("version")
@config_option
@click.option(
    "--force",
    "is_forced",
    is_flag=True,
    help="Also one that is clearly worse, or made with other features, than the champion.",
)
def promote_model(config: Config, version: str, is_forced: bool) -> None:
    """Make VERSION champion, and the champion `previous`. The hot path changes to it by itself.

    A version whose ndcg10_all is worse than the champion's so that their intervals do not meet is refused, and so is one
    made with another version of the features.
    """
    registry = _registry(config)
    chosen = registry.version(version)
    before = promote(registry, chosen, is_forced=is_forced)
    if before is not None and before.number == chosen.number:
        click.echo(f"version {chosen.number} is champion already")
        return
    was = f", version {before.number} is previous" if before else ""
    click.echo(f"version {chosen.number} is champion{was}. {_when(config)}")


@main.command("rollback")
@config_option
def roll_back(config: Config) -> None:
    """Make the previous version champion again; a second rollback takes back the first."""
    now, before = rollback(_registry(config))
    click.echo(f"version {now.number} is champion again, version {before.number} is previous. {_when(config)}")


@main.command("diff")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@config_option
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object instead of tables.")
def diff_models(config: Config, a: str, b: str, is_json: bool) -> None:
    """What tells version B from version A: parameters, metrics, items gained and lost, how far vectors moved."""
    registry = _registry(config)
    first, second = registry.version(a), registry.version(b)
    parameters = changed(registry.parameters(first), registry.parameters(second))
    metrics = changed(registry.metrics(first), registry.metrics(second))
    content = difference(_model(registry, first), _model(registry, second))
    if is_json:
        both = {"versions": [first.number, second.number], "parameters": parameters, "metrics": metrics}
        click.echo(json.dumps(both | vars(content)))
    else:
        print_difference((first.number, second.number), parameters, metrics, content)


def _registry(config: Config) -> "Registry":
    from pipelines.tracking.registry import Registry  # MLflow takes seconds to import: not for --help

    return Registry.open(config.tracking)


def _model(registry: "Registry", version: Version) -> Model:
    return from_bytes(registry.model_config(version), registry.model_bytes(version))


def _ancestors(registry: "Registry", version: Version) -> list[int]:
    """The parent, its parent, and so on, as far as they are still there; the last one may not be."""
    known = {each.number: each for each in registry.versions()}
    ancestors: list[int] = []
    while version.parent is not None and version.parent not in ancestors:
        ancestors.append(version.parent)
        if version.parent not in known:
            break
        version = known[version.parent]
    return ancestors


def _when(config: Config) -> str:
    return f"A running hot path changes to it within {config.tracking.champion_poll_seconds:g} s and a micro-batch."


if __name__ == "__main__":
    sys.exit(main())
