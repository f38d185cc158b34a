"""What `train_model` tells MLflow, and prints at the end."""

import math
import resource
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from jobs._ages import utc
from jobs._training import Trained, TrainingData
from pipelines.evaluation.intervals import Interval
from pipelines.evaluation.plots import calibration
from pipelines.models.model import Model
from pipelines.stores.outcomes import Told
from pipelines.tracking.plots import coverage, learning_curve
from pipelines.tracking.runs import DataVersion, TrainingRun
from pipelines.tracking.versions import Version
from pipelines.training.epochs import Point
from pipelines.training.validation import Choices, K, calibration_of

CONSOLE = Console()
PROGRESSIVE = ("loss", "loss_of_popularity", "ndcg", "recall", "ndcg_of_popularity")
SHOWN = (f"ndcg{K}_all", f"ndcg{K}_new", f"recall{K}_all", "log_loss")


@dataclass(frozen=True)
class Cost:
    """What training took, without reading the events and without the search."""

    seconds: float
    n_examples: int
    driver_mb: int  # peak of the driver's Python
    worker_mb: int  # peak of the largest Python worker

    @classmethod
    def of(cls, seconds: float, trained: Trained) -> "Cost":
        driver_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        worker_kb = max(point.memory_kb for point in trained.curve)
        return cls(seconds, trained.n_examples, driver_kb // 1024, worker_kb // 1024)

    @property
    def examples_per_s(self) -> float:
        return self.n_examples / max(self.seconds, 1e-9)

    def figures(self) -> dict[str, float]:
        """By name, for MLflow."""
        return {**vars(self), "examples_per_s": self.examples_per_s}


def told(data: TrainingData, cost: Cost, metrics: Mapping[str, Interval]) -> Told:
    """What the outcome of the run has: how well the model foretold later choices, of how much, and at what speed."""
    of = {"model": "", "popularity": "popularity_", "own_history": "own_history_"}
    names = {"ndcg": f"ndcg{K}_all", "recall": f"recall{K}_all", "log_loss": "log_loss"}
    quality = {
        metric: {who: metrics[start + name].mean for who, start in of.items() if start + name in metrics}
        for metric, name in names.items()
    }
    events = {"learned": data.n_events(data.training), "judged": data.n_events(data.validation)}
    return {**quality, "events": events, "examples_per_second": {"learned": cost.examples_per_s}}


def data_version(data: TrainingData, slices: range) -> DataVersion:
    """Which events there are up to the end of some slices."""
    span, at_s = data.cuts.span, data.cuts.at_s
    last_s = int(at_s[slices.stop - 1]) - 1 if slices.stop <= len(at_s) else span.last_s
    return DataVersion({"events": data.version}, span.first_s * 1000, last_s * 1000, data.n_events(range(slices.stop)))


def log_curve(run: TrainingRun, curve: Sequence[Point]) -> None:
    """A point of each learning curve for each slice, and all of them as a figure."""
    n_examples = np.cumsum([point.n_examples for point in curve])
    for n, point in zip(n_examples.tolist(), curve, strict=True):
        values = {f"progressive_{name}": getattr(point, name) for name in PROGRESSIVE}
        run.step(n, {name: value for name, value in values.items() if math.isfinite(value)})
    panels = {"log-loss": "loss", "NDCG": "ndcg", "recall": "recall"}
    drawn = {title: np.array([getattr(point, name) for point in curve]) for title, name in panels.items()}
    run.figure("learning_curve", learning_curve(n_examples.astype(np.float64), drawn))


def log_quality(run: TrainingRun, metrics: Mapping[str, Interval], choices: Choices, model: Model) -> None:
    """Metrics with intervals, and how well lists are calibrated and spread."""
    run.measured(metrics)
    predicted, happened = calibration_of(choices)
    if len(predicted):
        run.figure("calibration", calibration(predicted, happened))
    run.figure("coverage", coverage(np.bincount(choices.best.ravel(), minlength=model.n_items)))


def print_summary(
    data: TrainingData, trained: Trained, cost: Cost, metrics: Mapping[str, Interval], version: Version, name: str
) -> None:
    """One table: from what, how fast, how good, registered as what; then what to do next."""
    span = data.cuts.span
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    facts = Table.grid(padding=(0, 2))
    for title, text in {
        "data": f"{span.n_rows:,} interactions of events, version {data.version}",
        "time": f"{utc(span.first_s)} to {utc(span.last_s)} UTC, {data.cuts.n_slices} slices; "
        f"the last {data.n_validation} to judge by, {data.n_events(data.validation):,} interactions",
        "learned": f"{cost.n_examples:,} examples in {cost.seconds:.1f} s, {cost.examples_per_s:,.0f}/s, "
        f"{_counted(data.n_partitions, 'partition')}, {_counted(trained.n_epochs, 'pass', 'passes')}",
        "peak memory": f"driver {cost.driver_mb:,} MB, largest worker {cost.worker_mb:,} MB (Python)",
        "version": f"{version.number} of {name}{aliases}",
    }.items():
        facts.add_row(title, text)
    CONSOLE.print(facts, highlight=False)
    CONSOLE.print(_quality(metrics, len(trained.choices.user)), highlight=False)
    CONSOLE.print(_next(version), highlight=False)


def _counted(n: int, one: str, many: str | None = None) -> str:
    return f"{n} {one if n == 1 else many or one + 's'}"


def _quality(metrics: Mapping[str, Interval], n_choices: int) -> Table:
    table = Table(
        box=None, header_style="bold", pad_edge=False, title_justify="left",
        title=f"\n{n_choices:,} later choices, whole catalogue, 95 % intervals over users",
    )  # fmt: skip
    for title in ("", "model", "popularity", "own history"):
        table.add_column(title, no_wrap=True)
    for name in SHOWN:
        columns = (metrics.get(prefix + name) for prefix in ("", "popularity_", "own_history_"))
        table.add_row(name, *(str(interval) if interval else "–" for interval in columns))
    return table


def _next(version: Version) -> str:
    if "champion" in version.aliases:
        return "\nThe hot path goes on from it. Look at it: liveshelf models show champion"
    return (
        f"\nCompare it:              liveshelf models diff champion {version.number}\n"
        f"Let the hot path use it: liveshelf models promote {version.number}"
    )
