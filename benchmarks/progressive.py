"""How well the next item is foretold while a model learns from a real clickstream: tested, then trained.

    python -m benchmarks.progressive
    python -m benchmarks.progressive --batch 50 factorization mixture

Reads the first 2 h 50 min of the REES46 log (eCommerce behavior data from multi category store; REES46 Marketing Platform,
Open CDP). Micro-batches in time order go through the fold and the step of the hot path. Before each step every item that is
seen, put into a cart or bought in the micro-batch is ranked among all items, by the model as it was and what its user did in
earlier seconds; an item that the model has never met is a miss. Hyperparameters are the defaults: there is no earlier part to
tune on.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.event_log import EventLog, read_log
from benchmarks.hot_loop import HotLoop, micro_batches
from benchmarks.results import publish
from pipelines.errors import InputError, LiveshelfError
from pipelines.evaluation.intervals import Interval, mean_interval
from pipelines.evaluation.metrics import Flags, Ints, hit_rate, hits_of_ranks, ranks_of
from pipelines.features.profile import key_code
from pipelines.model_sections import ModelConfig
from pipelines.models.items import weights_of_codes
from pipelines.models.kinds import KINDS, empty
from pipelines.models.progressive import histories_before
from pipelines.models.ranker import Ranker, TrainingBatch
from pipelines.sections import ProfileConfig

DATA = Path(__file__).parents[2] / "shared/data/rees46/2019-10-01.csv.gz"
BATCH_EVENTS = 200
K = 20
NOT_MET = -1
CONSOLE = Console(width=120)


@dataclass(frozen=True)
class Foretold:
    """n choices, and where the model had them."""

    user: Ints  # (n,)
    rank: Ints  # (n,) from 0; NOT_MET of an item that the model did not have: a miss
    had_history: Flags  # (n,) whether the user had done anything in an earlier second
    is_new: Flags  # (n,) whether none of that was with the chosen item

    @classmethod
    def joined(cls, parts: list["Foretold"]) -> "Foretold":
        """All of them, in their order."""
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})

    def hit_rates(self) -> dict[str, Interval]:
        """By which choices: hit rate, with an interval over users."""
        of = {"all": np.ones_like(self.is_new), "with_history": self.had_history, "new": self.is_new}
        hit = hit_rate(hits_of_ranks(self.rank, K))
        return {name: mean_interval(hit[rows], self.user[rows]) for name, rows in of.items() if rows.any()}


@click.command(help=__doc__.split("\n")[0])
@click.argument("kinds", nargs=-1, type=click.Choice(list(KINDS)))
@click.option("--data", type=click.Path(path_type=Path), default=DATA, envvar="LIVESHELF_REES46", show_envvar=True,
              show_default=True, help="the log, plain or gzip")  # fmt: skip
@click.option(
    "--batch", type=click.IntRange(1), default=BATCH_EVENTS, show_default=True, help="events of a micro-batch"
)
def main(kinds: tuple[str, ...], data: Path, batch: int) -> None:
    try:
        log = read_clicks(data)
    except LiveshelfError as error:
        raise click.ClickException(str(error)) from error
    told, seconds = {}, {}
    for kind in kinds or KINDS:
        started = time.perf_counter()
        config = ModelConfig.model_validate({"kind": kind})
        told[kind] = foretold(log, empty(config), config, batch)
        seconds[kind] = time.perf_counter() - started
    CONSOLE.print(table_of(told, seconds, f"{len(log):,} events, micro-batches of {batch}"))
    if not kinds and batch == BATCH_EVENTS:
        publish("progressive", {k: v for kind in told for k, v in figures_of(kind, told[kind]).items()}, {})


def read_clicks(data: Path) -> EventLog:
    """Views, carts and purchases of the log."""
    if not data.exists():
        raise InputError(
            f"{data}: no such file; expected a log of REES46's 'eCommerce behavior data from multi category store': give its "
            "place with --data or LIVESHELF_REES46"
        )
    return read_log(data, "rees46")


def foretold(log: EventLog, ranker: Ranker, config: ModelConfig, batch_events: int) -> Foretold:
    """Run the log through the hot path in micro-batches; rank each choice before the step that learns it."""
    return Foretold.joined(list(_steps(log, ranker, config, batch_events)))


def _steps(log: EventLog, ranker: Ranker, config: ModelConfig, batch_events: int) -> Iterator[Foretold]:
    loop = HotLoop(log, ranker, ProfileConfig())
    for rows in track(list(micro_batches(len(log), batch_events)), config.kind, transient=True):
        batch = loop.fold(rows)
        yield _tested(log, ranker, config, batch, rows)
        loop.learn(batch)


def _tested(log: EventLog, ranker: Ranker, config: ModelConfig, batch: TrainingBatch, rows: slice) -> Foretold:
    timeline = batch.timeline
    is_choice = timeline.learn & (weights_of_codes(config)[key_code(timeline.key)] > 0)
    chosen = np.flatnonzero(is_choice)
    histories = histories_before(batch, chosen, config)
    column = ranker.find(timeline.item[chosen])
    rank = np.full(len(chosen), NOT_MET)
    met = column >= 0
    if met.any():
        rank[met] = ranks_of(ranker.score(histories)[met], column[met])
    users = np.unique(log.user[rows])[timeline.user[chosen]]
    had_history = np.bincount(histories.user, minlength=len(chosen)) > 0
    is_met = histories.item == timeline.item[chosen][histories.user]
    return Foretold(users, rank, had_history, np.bincount(histories.user, is_met, len(chosen)) == 0)


def table_of(told: dict[str, Foretold], seconds: dict[str, float], title: str) -> Table:
    """One row a ranker."""
    table = Table("ranker", f"hit rate@{K}", "with a history", "new to the user", "seconds", title=title)
    for kind, one in told.items():
        rates = one.hit_rates()
        table.add_row(kind, *(str(rates.get(of, "")) for of in ("all", "with_history", "new")), f"{seconds[kind]:.1f}")
    return table


def figures_of(kind: str, told: Foretold) -> dict[str, float]:
    """The keys under which they are published."""
    parts = ("", "mean"), ("_low", "low"), ("_high", "high")
    return {
        f"{kind}_hit{K}_{of}{end}": getattr(interval, part)
        for of, interval in told.hit_rates().items()
        for end, part in parts
    }


if __name__ == "__main__":
    main()
