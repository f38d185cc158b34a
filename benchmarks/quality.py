"""How good the rankings are on a year of a real shop, beside plain references and the field's libraries.

    python -m benchmarks.quality
    python -m benchmarks.quality --cut 2011-10-01 fm_online als     # to tune: an earlier cut, some of the models

Reads the UCI "Online Retail" log by day. Protocol: benchmarks/quality_models/protocol.py. Only a run of every model at the
default cut is written to benchmarks/results.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.event_log import EventLog, read_log
from benchmarks.quality_models import libraries, ours, references
from benchmarks.quality_models.protocol import Split, Task
from benchmarks.results import publish
from pipelines.errors import InputError, LiveshelfError
from pipelines.evaluation.intervals import Interval, mean_interval
from pipelines.evaluation.metrics import Scores

DATA = Path(__file__).parents[2] / "shared/data/online-retail"
CUT = "2011-11-01"
Model = Callable[[Task], Scores]
MODELS: dict[str, Model] = {
    "popularity_rows": references.popularity_rows,
    "popularity_45d": references.popularity_45d,
    "popularity_1d": references.popularity_1d,
    "own_history_45d": references.own_history_45d,
    "own_history_count": references.own_history_count,
    "als": libraries.als,
    "als_popularity_2d": libraries.als_popularity_2d,
    "bpr": libraries.bpr,
    "item_cosine": references.item_cosine,
    "bm25": libraries.bm25,
    "ease": references.ease,
    "ease_popularity_2d": references.ease_popularity_2d,
    "lightfm_warp": libraries.lightfm_warp,
    "river_fm": libraries.river_fm,
    "fm_online": ours.fm_online,
    "fm_batch": ours.fm_batch,
}
AIMS = {
    **{f"{name}_ndcg10_all": ">= .350, above own_history_count" for name in ("fm_online", "fm_batch")},
    **{f"{name}_ndcg10_new": ">= .130, above als_popularity_2d" for name in ("fm_online", "fm_batch")},
}
CONSOLE = Console()


@dataclass(frozen=True)
class Outcome:
    """What came of a model: two intervals, or why there are none."""

    of_all: Interval | None = None
    of_new: Interval | None = None
    seconds: float = 0.0  # to train and to rank, on one thread where the library lets us say so
    problem: str = ""

    def figures(self, name: str) -> dict[str, float]:
        """The keys under which they are published."""
        of = {f"{name}_ndcg10_all": self.of_all, f"{name}_ndcg10_new": self.of_new}
        parts = ("", "mean"), ("_low", "low"), ("_high", "high")
        return {key + end: getattr(i, part) for key, i in of.items() if i for end, part in parts}


@click.command(help=__doc__.split("\n")[0])
@click.argument("models", nargs=-1, type=click.Choice(list(MODELS)))
@click.option("--data", type=click.Path(path_type=Path), default=DATA, envvar="LIVESHELF_ONLINE_RETAIL", show_envvar=True,
              show_default=True, help="folder of the log's day files")  # fmt: skip
@click.option("--cut", type=click.DateTime(["%Y-%m-%d"]), default=CUT, show_default=True, help="first day of the test")
def main(models: tuple[str, ...], data: Path, cut: datetime) -> None:
    try:
        split = Split.at(read_retail(data), int(cut.replace(tzinfo=timezone.utc).timestamp()))
    except LiveshelfError as error:
        raise click.ClickException(str(error)) from error
    outcomes = compared(split, {name: MODELS[name] for name in models or MODELS})
    CONSOLE.print(table_of(outcomes, f"{len(split.task.users)} users, as of {cut:%Y-%m-%d}"))
    if not models and f"{cut:%Y-%m-%d}" == CUT:
        publish("quality", {k: v for name, outcome in outcomes.items() for k, v in outcome.figures(name).items()}, AIMS)


def read_retail(data: Path) -> EventLog:
    """The purchases of the log that have a customer, a positive quantity and a positive price."""
    if not data.exists():
        raise InputError(
            f"{data}: no such folder; expected the day files of UCI's Online Retail (doi 10.1057/dbm.2012.17), such as "
            "2010-12-01.csv.gz: give its place with --data or LIVESHELF_ONLINE_RETAIL"
        )
    return read_log(data, "online-retail", lambda event: event.get("quantity", 0) > 0 and event.get("price", 0) > 0)


def compared(split: Split, models: dict[str, Model]) -> dict[str, Outcome]:
    """Run the models, one after the other."""
    outcomes = {}
    with Progress(console=CONSOLE, transient=True) as progress:
        task = progress.add_task("", total=len(models))
        for name, model in models.items():
            progress.update(task, description=name)
            outcomes[name] = outcome_of(split, model)
            progress.advance(task)
    return outcomes


def outcome_of(split: Split, model: Model) -> Outcome:
    """Train, rank and judge; what goes wrong in a model is its outcome, and stops no other."""
    started = time.perf_counter()
    try:
        scores = model(split.task)
    except ImportError as error:
        return Outcome(problem=f"not installed: {error}")
    except Exception as error:
        return Outcome(problem=f"failed: {type(error).__name__}: {error}")
    seconds = time.perf_counter() - started
    of_all, of_new = split.judged(scores)
    return Outcome(mean_interval(of_all), mean_interval(of_new), seconds)


def table_of(outcomes: dict[str, Outcome], title: str) -> Table:
    """One row a model, in the order given."""
    table = Table("model", "NDCG@10, all items", "new to the user", "seconds", title=title, header_style="bold")
    for name, outcome in outcomes.items():
        told = (str(outcome.of_all), str(outcome.of_new), f"{outcome.seconds:.1f}")
        table.add_row(name, *(told if not outcome.problem else (outcome.problem, "", "")))
    return table


if __name__ == "__main__":
    main()
