"""The driver's part of the hot path: sum the gradients of a micro-batch, take one step, publish it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from pipelines.hot_path.model_copy import ModelCopy
from pipelines.sections import ModelConfig
from pipelines.stores.model import RELOAD, ModelStore, Snapshot

COUNTS = ("n_interactions", "n_new", "n_repeated", "n_replayed", "n_forgotten", "n_users", "n_lists", "n_refused")
TIMINGS = ("read_us", "fold_us", "learn_us", "score_us", "write_us")


class OnlineLearner:
    """Sink of the hot path: applies each micro-batch's gradients to the model once, and publishes the change as a patch.

    Safe to replay: a patch is numbered by batch id, and what is published is skipped. The model's home is Redis; a driver
    that starts takes it from there, so a step that was computed but not published is simply computed again. When Redis
    lost it in mid-run, the driver's copy goes there with the next step.
    """

    def __init__(self, store: ModelStore, config: ModelConfig, on_batch: Callable[[Mapping[str, Any]], None]) -> None:
        self._store = store
        self._config = config
        self._on_batch = on_batch
        self._copy = ModelCopy(store, config)
        self._is_started = False

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        reports = batch.toArrow()  # the one action: the stage runs here
        if not self._is_started:
            lineage = batch.sparkSession.sparkContext.getLocalProperty("sql.streaming.queryId") or "batch"
            self._take_up(lineage, batch_id)
        if batch_id > self._copy.batch_id:
            self._step(batch_id, _gradients(reports))
        self._on_batch({"batch_id": batch_id, "model_items": self._copy.model.n_items, **_figures(reports)})

    def _take_up(self, lineage: str, batch_id: int) -> None:
        """Load the model of this checkpoint; a new checkpoint starts from the model in use, under a name of its own."""
        self._copy.catch_up()
        if self._copy.lineage != lineage:
            self._copy.lineage, self._copy.batch_id = lineage, batch_id - 1
            self._publish_snapshot()
        self._is_started = True

    def _step(self, batch_id: int, gradients: list[bytes]) -> None:
        patch = self._copy.model.apply(gradients)
        self._copy.batch_id = batch_id
        is_moved = self._copy.model.trim()
        if is_moved or batch_id % self._config.snapshot_every_batches == 0:
            self._publish_snapshot()  # before the patch: one that says RELOAD needs it
        self._store.publish_patch(str(self._copy.lineage), batch_id, RELOAD if is_moved else patch)
        if not self._store.is_followable(str(self._copy.lineage)):
            self._publish_snapshot()

    def _publish_snapshot(self) -> None:
        snapshot = Snapshot(self._copy.batch_id, self._copy.model.to_bytes())
        self._store.publish_snapshot(str(self._copy.lineage), snapshot)


def _gradients(reports: pa.Table) -> list[bytes]:
    ordered = reports.sort_by("partition")
    return [gradient for gradient in ordered["gradient"].to_pylist() if gradient]


def _figures(reports: pa.Table) -> dict[str, Any]:
    """Counts and microseconds summed over the tasks, and the lags of all of them."""
    summed = {name: int(np.sum(reports[name].to_numpy())) for name in COUNTS + TIMINGS}
    lags = [lag for task in reports["lag_ms"].to_pylist() for lag in task]
    return {**summed, "lag_ms": lags}
