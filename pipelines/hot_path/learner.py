"""The driver's part of the hot path: sum the gradients of a micro-batch, take one step, publish it."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from pipelines.config import ModelConfig
from pipelines.models.baseline import Baseline
from pipelines.stores.model import RELOAD, ModelStore, Snapshot

COUNTS = ("n_interactions", "n_new", "n_repeated", "n_replayed", "n_forgotten", "n_users", "n_lists", "n_refused")
TIMINGS = ("read_us", "fold_us", "learn_us", "score_us", "write_us")


class OnlineLearner:
    """Sink of the hot path: applies each micro-batch's gradients to the model once, and publishes the change as a patch.

    Safe to replay: a patch is numbered by batch id, and what is published is skipped. The model's home is Redis; a driver
    that starts takes it from there, so a step that was computed but not published is simply computed again.
    """

    def __init__(self, store: ModelStore, config: ModelConfig, on_batch: Callable[[Mapping[str, Any]], None]) -> None:
        self._store = store
        self._config = config
        self._on_batch = on_batch
        self._lineage: str | None = None
        self._applied = -1
        self._model = Baseline.empty(config)

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        reports = batch.toArrow()  # the one action: the stage runs here
        lineage = batch.sparkSession.sparkContext.getLocalProperty("sql.streaming.queryId") or "batch"
        if lineage != self._lineage:
            self._take_up(lineage, batch_id)
        if batch_id > self._applied:
            self._step(lineage, batch_id, _gradients(reports))
        self._on_batch({"batch_id": batch_id, "model_items": self._model.n_items, **_figures(reports)})

    def _take_up(self, lineage: str, batch_id: int) -> None:
        """Load the model of this checkpoint; a new checkpoint starts from the model in use, under a name of its own."""
        used = self._store.lineage()
        snapshot = self._store.read_snapshot(used) if used else None
        if used and snapshot:
            self._model, self._applied = Baseline.from_bytes(self._config, snapshot.model), snapshot.batch_id
            for patched, patch in self._store.read_patches(used, snapshot.batch_id):
                self._model.patch(patch)
                self._applied = patched
        if used != lineage or not snapshot:
            self._applied = batch_id - 1
            self._store.publish_snapshot(lineage, Snapshot(self._applied, self._model.to_bytes()))
        self._lineage = lineage

    def _step(self, lineage: str, batch_id: int, gradients: list[bytes]) -> None:
        patch = self._model.apply(gradients)
        moved = self._model.trim()
        if moved:
            self._store.publish_snapshot(lineage, Snapshot(batch_id, self._model.to_bytes()))
        self._store.publish_patch(lineage, batch_id, RELOAD if moved else patch)
        self._applied = batch_id
        if batch_id % self._config.snapshot_every_batches == 0:
            self._store.publish_snapshot(lineage, Snapshot(batch_id, self._model.to_bytes()))


def _gradients(reports: pa.Table) -> list[bytes]:
    ordered = reports.sort_by("partition")
    return [gradient for gradient in ordered["gradient"].to_pylist() if gradient]


def _figures(reports: pa.Table) -> dict[str, Any]:
    """Counts and microseconds summed over the tasks, and the lags of all of them."""
    summed = {name: int(np.sum(reports[name].to_numpy())) for name in COUNTS + TIMINGS}
    lags = [lag for task in reports["lag_ms"].to_pylist() for lag in task]
    return {**summed, "lag_ms": lags}
