"""A training run as MLflow keeps it: what it was made with, from which data, how it learned, how good it is."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from matplotlib.figure import Figure
from mlflow.entities import RunStatus
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from pipelines.evaluation.intervals import Interval
from pipelines.model_sections import ModelConfig
from pipelines.tracking.connection import answered
from pipelines.tracking.registry import EXAMPLE_ITEMS, Registry
from pipelines.tracking.run_values import log_metrics, log_parameters
from pipelines.tracking.versions import HIGH, LOW, Origin, Version


@dataclass(frozen=True)
class DataVersion:
    """Which data a run learned from, so that it can be read again."""

    tables: Mapping[str, int]  # Delta table → version
    first_ms: int  # event time, epoch ms, UTC
    last_ms: int
    n_events: int

    def parameters(self) -> dict[str, Any]:
        """As MLflow keeps them."""
        versions = {f"data.version.{table}": version for table, version in self.tables.items()}
        return {
            **versions,
            "data.first": _utc(self.first_ms),
            "data.last": _utc(self.last_ms),
            "data.events": self.n_events,
        }


class TrainingRun:
    """An open run. Every method raises ServerError when MLflow does not answer."""

    def __init__(self, registry: Registry, run_id: str) -> None:
        self._registry, self.run_id = registry, run_id
        self._tracking = registry.tracking

    def step(self, n_examples: int, metrics: Mapping[str, float]) -> None:
        """Tell how it stands after so many examples: a point of each learning curve."""
        with answered(self._tracking.uri):
            log_metrics(self._tracking.client, self.run_id, metrics, n_examples)

    def measured(self, intervals: Mapping[str, Interval]) -> None:
        """Tell how good it is at the end: `name`, `name_low` and `name_high`."""
        values = {
            name + suffix: value
            for name, interval in intervals.items()
            for suffix, value in (("", interval.mean), (LOW, interval.low), (HIGH, interval.high))
        }
        with answered(self._tracking.uri):
            log_metrics(self._tracking.client, self.run_id, values)

    def figure(self, name: str, figure: Figure) -> None:
        """Keep a figure as `figures/{name}.png`."""
        with answered(self._tracking.uri):
            self._tracking.client.log_figure(self.run_id, figure, f"figures/{name}.png")

    def register(
        self, config: ModelConfig, data: bytes, origin: Origin, example_items: Sequence[str] = EXAMPLE_ITEMS
    ) -> Version:
        """Make a version of the model of these bytes. It has no alias yet."""
        return self._registry.add_to_run(self.run_id, config, data, origin, example_items)


@contextmanager
def training_run(
    registry: Registry,
    name: str,
    parameters: Mapping[str, Any],
    data: DataVersion,
    parent_run_id: str | None = None,
) -> Iterator[TrainingRun]:
    """Open a run; what raises inside makes it a failed one.

    parameters: may be nested, `{"factorization": {"dimensions": 32}}` is kept as `factorization.dimensions`.
    parent_run_id: of the search that this run is a trial of.
    """
    tracking = registry.tracking
    tags = {MLFLOW_PARENT_RUN_ID: parent_run_id} if parent_run_id else {}
    with answered(tracking.uri):
        run_id = tracking.client.create_run(tracking.experiment_id, tags=tags, run_name=name).info.run_id
        log_parameters(tracking.client, run_id, {**parameters, **data.parameters()})
    run, status = TrainingRun(registry, run_id), RunStatus.FAILED
    try:
        yield run
        status = RunStatus.FINISHED
    finally:
        with answered(tracking.uri):
            tracking.client.set_terminated(run_id, RunStatus.to_string(status))


def _utc(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, timezone.utc).isoformat()
