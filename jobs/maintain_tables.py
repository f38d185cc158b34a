"""Look after the tables in Delta while streams write them: delete old days, compact, remove files nobody needs.

\b
    liveshelf maintain_tables --dry-run
    spark-submit --properties-file conf/spark-defaults.conf --py-files dist/pyfiles.zip jobs/maintain_tables.py

Finite; once a night is enough. Deletes only days that `retention` does not keep: by default none. Compacts the partitions
older than today, and tables that have none as a whole. Ends with code 1 when a table could not be finished because other
writers changed it again and again; the next run goes on there.

\b
Reads   {lake_root}/*, {lake_root}/features/v*/*
Writes  the same tables: other files, the same rows but for the deleted days
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from fnmatch import fnmatchcase

import click
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from jobs._options import config_option
from jobs._outcomes import tell_figures, tells_outcome
from jobs._spark import job_session
from pipelines.config import Config
from pipelines.errors import ConflictError, InputError
from pipelines.sinks.maintenance import Rules, Size, Upkeep, find_tables, maintain
from pipelines.stores.outcomes import Told

JOB = "maintain_tables"


@click.command(help=__doc__)
@config_option
@tells_outcome(JOB)
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Print what would be done, and change nothing.")
@click.option(
    "--tables",
    "patterns",
    multiple=True,
    metavar="NAME",
    help="Only this one: `events`, `features/v1/item_features`, `features/*`. May be repeated. Default: all.",
)
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object instead of a table.")
def main(config: Config, is_dry_run: bool, patterns: tuple[str, ...], is_json: bool) -> None:
    spark = job_session(JOB)
    tables = _chosen(find_tables(spark, config.lake_root), patterns)
    today = datetime.now(timezone.utc).date()
    keep = config.retention
    rules = Rules(today, keep.days_of_tables, keep.vacuum_hours, keep.features_vacuum_hours, is_dry_run)

    done, conflicts = [], []
    for name in _with_progress(list(tables)):
        try:
            done.append(maintain(spark, name, tables[name], rules))
        except ConflictError as conflict:
            conflicts.append(str(conflict))

    if is_json:
        click.echo(json.dumps({"is_dry_run": is_dry_run, "tables": list(map(asdict, done)), "conflicts": conflicts}))
    else:
        _print(done, is_dry_run)
    tell_figures(_told(done))
    if conflicts:
        raise ConflictError("\n".join(conflicts))


def _told(done: list[Upkeep]) -> Told:
    """What the outcome of the run has, by table."""
    sizes = {each.table: each.after or each.before for each in done}
    return {
        "table_bytes": {table: size.n_bytes for table, size in sizes.items()},
        "table_files": {table: size.n_files for table, size in sizes.items()},
        "rows_deleted": {each.table: each.n_rows_deleted for each in done},
        "files_vacuumed": {each.table: each.vacuumed.n_files for each in done},
    }


def _chosen(tables: dict[str, str], patterns: tuple[str, ...]) -> dict[str, str]:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in tables):
            raise InputError(f"--tables {pattern}: no such table in the lake; there are: {', '.join(tables) or 'none'}")
    return {
        name: path
        for name, path in tables.items()
        if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
    }


def _with_progress(names: list[str]) -> Iterator[str]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=len(names))
        for name in names:
            bar.update(task, description=name)
            yield name
            bar.advance(task)


def _print(done: list[Upkeep], is_dry_run: bool) -> None:
    title = "what would be done" if is_dry_run else "what was done"
    grid = Table(Column("table", no_wrap=True), "files", "bytes", "compacted", "deleted", "vacuumed", title=title)
    for each in done:
        grid.add_row(
            each.table,
            _change(f"{each.before.n_files:,}", f"{each.after.n_files:,}" if each.after else None),
            _change(decimal(each.before.n_bytes), decimal(each.after.n_bytes) if each.after else None),
            _files(each.compacted),
            _deleted(each),
            _files(each.vacuumed),
        )
    Console().print(grid)


def _change(before: str, after: str | None) -> str:
    return before if after in (None, before) else f"{before} → {after}"


def _files(size: Size) -> str:
    return f"{size.n_files:,} files, {decimal(size.n_bytes)}" if size.n_files else ""


def _deleted(each: Upkeep) -> str:
    if not each.n_rows_deleted:
        return ""
    days = each.deleted_days
    which = f"{len(days)} days, {days[0]} to {days[-1]}: " if days else ""
    return f"{which}{each.n_rows_deleted:,} rows"


if __name__ == "__main__":
    sys.exit(main())
