"""How versions of the model are shown to people."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from jobs._ages import age, utc
from pipelines.tracking.comparison import Difference, Pairs, changed
from pipelines.tracking.versions import HIGH, LOW, Version

CONSOLE = Console()
HEADLINE = "ndcg10_all"
N_SHOWN = 10


def print_versions(versions: Sequence[tuple[Version, Mapping[str, float]]], model_name: str) -> None:
    """A line for each version."""
    if not versions:
        CONSOLE.print(f"no version of {model_name} yet: `liveshelf train_model` makes the first", highlight=False)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("version", "alias", "kind", "learned on from", "made", "items", HEADLINE):
        table.add_column(title, no_wrap=title != "alias")
    for version, metrics in versions:
        tags = version.tags
        table.add_row(
            str(version.number), Text(", ".join(version.aliases), "bold green"), tags.get("kind", ""),
            "" if version.parent is None else str(version.parent), age(version.created_ms / 1000),
            f"{int(tags.get('n_items', 0)):,}", dict(figures(metrics)).get(HEADLINE, ""),
        )  # fmt: skip
    CONSOLE.print(table)


def print_version(
    version: Version, parameters: Mapping[str, str], metrics: Mapping[str, float], ancestors: Sequence[int]
) -> None:
    """All of one version."""
    tags = version.tags
    lines = {
        "version": f"{version.number} {' '.join(version.aliases)}".strip(),
        "kind": {"trained": "trained: jobs/train_model", "online": "online: learned from the stream"}.get(
            tags.get("kind", ""), tags.get("kind", "")
        ),
        "made": f"{utc(version.created_ms / 1000)} UTC, {age(version.created_ms / 1000)}",
        "lineage": " ← ".join(map(str, (version.number, *ancestors))),
        "newest event in it": tags.get("as_of"),
        "last micro-batch in it": tags.get("batch_id"),
        "next Kafka offsets": _offsets(tags.get("offsets")),
        "features version": tags.get("features_version"),
        "items": tags.get("n_items"),
        "sha256 of its bytes": tags.get("data_sha256"),
        "MLflow run": version.run_id,
    }
    grid = Table(box=None, show_header=False, pad_edge=False)
    for name, text in lines.items():
        if text is not None:
            grid.add_row(name, Text(text))
    CONSOLE.print(grid)
    _print_pairs("metrics", figures(metrics))
    of_data = {name: value for name, value in parameters.items() if name.startswith("data.")}
    _print_pairs("data", ((name.removeprefix("data."), value) for name, value in sorted(of_data.items())))
    _print_pairs("parameters", sorted((name, value) for name, value in parameters.items() if name not in of_data))


def print_difference(
    numbers: tuple[int, int], parameters: Pairs[str], metrics: Pairs[float], content: Difference
) -> None:
    """What differs, side by side."""
    told = [dict(figures({name: pair[side] for name, pair in metrics.items()})) for side in (0, 1)]
    for title, pairs in (("parameters", parameters), ("metrics", changed(*told))):
        table = Table(
            title, *(f"version {number}" for number in numbers), box=None, header_style="bold", pad_edge=False
        )
        for name, values in pairs.items():
            table.add_row(name, *(Text(value or "–") for value in values))
        CONSOLE.print(table if pairs else f"{title}: no difference", highlight=False)
    before, after = content.n_items
    CONSOLE.print(f"\n[bold]items[/]  {before:,} → {after:,}", highlight=False)
    for sign, word, items in (("+", "gained", content.gained), ("-", "lost", content.lost)):
        if items:
            more = f" and {len(items) - N_SHOWN:,} more" if len(items) > N_SHOWN else ""
            CONSOLE.print(Text(f"  {sign} {len(items):,} {word}: {', '.join(items[:N_SHOWN])}{more}"))
    if content.moved is None:
        CONSOLE.print("vectors are not compared: not both are factorization machines", highlight=False)
        return
    _print_pairs("moved, in parts of the length before", ((name, f"{by:.2%}") for name, by in content.moved.items()))
    _print_pairs("items that moved farthest", ((name, f"{by:.4g}") for name, by in content.farthest.items()))


def as_json(version: Version) -> dict[str, Any]:
    """What the registry knows of a version."""
    return {**vars(version), "tags": dict(version.tags), "aliases": list(version.aliases)}


def figures(metrics: Mapping[str, float | None]) -> Iterator[tuple[str, str]]:
    """Each metric that was measured, once, with its interval where there is one: `0.331 [0.320, 0.342]`."""
    measured = {name: value for name, value in sorted(metrics.items()) if value is not None}
    for name, value in measured.items():
        if name.endswith((LOW, HIGH)) and name.removesuffix(LOW).removesuffix(HIGH) in measured:
            continue
        bounds = [measured.get(name + suffix, math.nan) for suffix in (LOW, HIGH)]
        yield name, f"{value:.4g}" if math.isnan(sum(bounds)) else f"{value:.3f} [{bounds[0]:.3f}, {bounds[1]:.3f}]"


def _print_pairs(title: str, pairs: Iterator[tuple[str, str]] | Sequence[tuple[str, str]]) -> None:
    grid = Table(box=None, show_header=False, pad_edge=False)
    for name, value in pairs:
        grid.add_row(f"  {name}", Text(value))
    if grid.row_count:
        CONSOLE.print(f"\n[bold]{title}[/]")
        CONSOLE.print(grid)


def _offsets(tag: str | None) -> str | None:
    if tag is None:
        return None
    return ", ".join(f"partition {partition}: {offset:,}" for partition, offset in json.loads(tag).items()) or "none"
