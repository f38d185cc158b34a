"""How every benchmark tells its figures: a table for people, a file for machines."""

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


def publish(name: str, figures: Mapping[str, float], aims: Mapping[str, str]) -> None:
    """Print `figures` beside their aims, and write benchmarks/results/{name}.json."""
    table = Table("figure", "measured", "aim", box=None, header_style="bold")
    for key, value in figures.items():
        table.add_row(key, f"{value:,.4g}" if value < 100 else f"{value:,.0f}", aims.get(key, ""))
    Console().print(table)
    RESULTS.mkdir(exist_ok=True)
    document = {
        "name": name,
        "machine": machine(),
        "figures": {key: float(f"{value:.5g}") for key, value in figures.items()},
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def machine() -> dict[str, str | int]:
    return {
        "cores": os.cpu_count() or 0,
        "system": platform.system(),
        "arch": platform.machine(),
        "python": platform.python_version(),
    }
