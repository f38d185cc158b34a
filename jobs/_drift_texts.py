"""What `detect_drift` shows: a table on the terminal, and a page."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from pipelines.drift.report import drift_page
from pipelines.drift.results import DriftResult

STYLES = {"drift": "red", "missing": "red"}
NOT_COMPARED = ("no data", "no reference", "too few rows")
PAGE = "drift.html"


def print_drift(result: DriftResult, page: Path | None) -> None:
    """Print what was compared, drifted first; of the rest how many there are."""
    windows = result.windows
    rows = [row for row in result.rows() if row["verdict"] not in NOT_COMPARED]
    rows.sort(key=lambda row: row["verdict"] not in STYLES)
    console = Console()
    title = f"the {windows.hours:g} hours before {windows.as_of:%Y-%m-%d %H:%M} UTC, against {windows.n_blocks} windows before"
    table = Table(
        "verdict", Column("what", overflow="fold"), Column("figure", justify="right"), Column("limit", justify="right"),
        Column("what changed most", overflow="fold"), title=title, title_justify="left", box=None, header_style="bold",
        pad_edge=False,
    )  # fmt: skip
    for row in rows:
        figures = [_number(row[name]) for name in ("figure", "threshold")]
        table.add_row(row["verdict"], row["name"], *figures, row["change"], style=STYLES.get(row["verdict"]))
    console.print(table)
    left_out = Counter(row["verdict"] for row in result.rows() if row["verdict"] in NOT_COMPARED)
    if left_out:
        told = ", ".join(f"{verdict}: {n}" for verdict, n in sorted(left_out.items()))
        console.print(f"\nnot compared: {told}", highlight=False)
    if page is not None:
        console.print(f"\n{page}", highlight=False, soft_wrap=True)


def write_report(result: DriftResult, folder: Path) -> Path:
    """Write the page as a whole. Returns where it is; a page of an earlier run is replaced. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / PAGE
    unfinished = page.with_name(f".{page.name}.{os.getpid()}")
    unfinished.write_text(drift_page(result), encoding="utf-8")
    unfinished.replace(page)
    return page


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.3f}"
