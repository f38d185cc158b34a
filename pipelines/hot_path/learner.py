"""The driver's part of the hot path: sum the gradients of a micro-batch, take one step, publish it."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame

from pipelines.errors import StateError
from pipelines.hot_path.learning_state import LearningState
from pipelines.hot_path.model_copy import ModelCopy
from pipelines.hot_path.versions import Archive, Champions, NoRegistry
from pipelines.logs.batches import tell_batch
from pipelines.logs.log import log
from pipelines.model_sections import ModelConfig
from pipelines.models.kinds import from_bytes
from pipelines.stores.model import RELOAD, ModelStore, Patch, Snapshot

COUNTS = (
    "n_interactions", "n_new", "n_repeated", "n_replayed", "n_forgotten", "n_impressions", "n_users", "n_lists", "n_refused",
    "n_joined",
)  # fmt: skip
TIMINGS = ("read_us", "fold_us", "learn_us", "score_us", "write_us")
LEARNING_COUNTS = ("n_examples", "n_evaluated")
LEARNING_SUMS = ("loss", "loss_of_popularity", "ndcg", "recall", "ndcg_of_popularity")
LONGEST_BATCH_SECONDS = 2.0  # more than that, and the stream was idle: it does not earn more examples


class OnlineLearner:
    """Sink of the hot path: applies each micro-batch's gradients to the model once, and publishes the change as a patch.

    Safe to replay: a patch is numbered by batch id, and what is published is skipped. The model's home is Redis; a driver
    that starts takes it from there, so a step that was computed but not published is simply computed again. When Redis
    lost it in mid-run, the driver's copy goes there with the next step.
    """

    def __init__(
        self,
        store: ModelStore,
        config: ModelConfig,
        on_batch: Callable[[Mapping[str, Any]], None],
        champions: Champions | None = None,
        archive: Archive | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._config = config
        self._on_batch = on_batch
        self._champions = champions or NoRegistry()
        self._archive = archive or NoRegistry()
        self._now_s = now_s
        self._copy = ModelCopy(store, config)
        self._candidate: tuple[Snapshot, int] | None = (
            None  # may become the good copy; examples learned when it was taken
        )
        self._refused: dict[str, str] = {}  # the version that could not be gone on from, and why
        self._n_published = {"patch": 0, "whole": 0}  # of this micro-batch
        self._is_started = False
        self._last_step_s = now_s()

    def __call__(self, batch: DataFrame, batch_id: int) -> None:
        reports = batch.toArrow()  # the one action: the stage runs here
        if not self._is_started:
            lineage = batch.sparkSession.sparkContext.getLocalProperty("sql.streaming.queryId") or "batch"
            self._take_up(lineage, batch_id)
        figures, self._n_published = _figures(reports), {"patch": 0, "whole": 0}
        if batch_id > self._copy.batch_id:
            self._step(batch_id, _gradients(reports), figures)
        _tell(figures)
        told = {name: value for name, value in figures.items() if name not in LEARNING_SUMS}
        self._on_batch({"batch_id": batch_id, **told, **self._about_model()})

    @property
    def model_version(self) -> str | None:
        """The registered version that the model descends from; None: none, or there was no micro-batch yet."""
        return self._copy.state.version

    def _take_up(self, lineage: str, batch_id: int) -> None:
        """Load the model of this checkpoint; a new checkpoint starts from the model in use, under a name of its own."""
        self._copy.catch_up()
        if self._copy.lineage != lineage:
            self._copy.lineage, self._copy.batch_id = lineage, batch_id - 1
            self._publish_snapshot()
            self._store.publish_good(lineage, self._snapshot())
        self._is_started = True

    def _step(self, batch_id: int, gradients: list[bytes], sums: Mapping[str, Any]) -> None:
        is_moved = self._switch_to_champion()
        self._thaw_when_due()
        is_number = math.isfinite(sums["loss"])
        patch = self._copy.model.apply(gradients, learns=is_number and not self._copy.state.is_frozen)
        is_moved |= self._guard(sums, is_number)
        is_moved |= self._copy.model.trim()
        self._copy.batch_id = batch_id
        self._copy.state = replace(self._copy.state, examples_per_task=self._budget(len(gradients)))
        self._publish(patch, is_moved)

    def _publish(self, patch: bytes, is_moved: bool) -> None:
        lineage, batch_id = str(self._copy.lineage), self._copy.batch_id
        if is_moved or batch_id % self._config.snapshot_every_batches == 0:
            self._publish_snapshot()  # before the patch: one that says RELOAD needs it
        about = self._copy.state.to_dict()
        self._store.publish_patch(lineage, Patch(batch_id, RELOAD if is_moved else patch, about))
        self._n_published["whole" if is_moved else "patch"] += 1
        if not self._store.is_followable(lineage):
            self._publish_snapshot()
        if self._archive.is_due() and not self._copy.state.is_frozen:
            self._archive.offer(self._copy.model.to_bytes(), self._lineage_of_snapshot())

    def _switch_to_champion(self) -> bool:
        """Go on from a version that was promoted meanwhile; lists are made by the one before until then."""
        promoted = self._champions.take(self._copy.state.version)
        if promoted is None or promoted.version == self._refused.get("version"):
            return False
        try:
            self._copy.model = from_bytes(self._config, promoted.model)
        except StateError as error:
            self._refused = {"version": promoted.version, "because": str(error)}
            log.error("champion_refused", model_version=promoted.version, error=error)
            return False
        log.info("model_switched", model_version=promoted.version, before=self._copy.state.version)
        self._copy.state = LearningState(promoted.version, self._copy.state.examples_per_task)
        self._candidate = None
        self._store.publish_good(str(self._copy.lineage), self._snapshot())
        return True

    def _guard(self, sums: Mapping[str, Any], is_number: bool) -> bool:
        """Freeze learning where the figures say so, and go back to the last good copy. True: it did."""
        state, guards = self._copy.state, self._config.guards
        if state.is_frozen:
            return False
        if is_number:
            state = replace(state, health=state.health.after(sums, guards.smoothing_examples))
        trouble = state.health.trouble(guards) if is_number else "a gradient that is not a number"
        self._copy.state = state
        if trouble is None:
            return False
        good = self._store.read_good(str(self._copy.lineage))
        if good is not None:
            self._copy.model = from_bytes(self._config, good.model)
        until_ms = round((self._now_s() + guards.freeze_minutes * 60) * 1000)
        self._copy.state = replace(
            state, frozen_because=trouble, frozen_until_ms=until_ms, n_freezes=state.n_freezes + 1
        )
        log.warning("learner_frozen", because=trouble, minutes=guards.freeze_minutes, went_back=good is not None)
        self._candidate = None
        return good is not None

    def _thaw_when_due(self) -> None:
        """Learn again, judged afresh, when the freeze has lasted long enough."""
        state = self._copy.state
        if state.is_frozen and self._now_s() * 1000 >= state.frozen_until_ms:
            self._copy.state = LearningState(state.version, state.examples_per_task, n_freezes=state.n_freezes)
            log.info("learner_thawed")

    def _budget(self, n_tasks: int) -> int:
        """Examples for each task of the next micro-batch: what this one's seconds allow, cut into as many tasks."""
        now_s = self._now_s()
        seconds = min(max(now_s - self._last_step_s, 0.0), LONGEST_BATCH_SECONDS)
        self._last_step_s = now_s
        return math.ceil(self._config.max_examples_per_second * seconds / max(n_tasks, 1))

    def _publish_snapshot(self) -> None:
        snapshot = self._snapshot()
        self._store.publish_snapshot(str(self._copy.lineage), snapshot)
        self._keep_good(snapshot)

    def _keep_good(self, snapshot: Snapshot) -> None:
        """Hold a copy back until so much was learned after it, without trouble, that it may be called good."""
        state = self._copy.state
        n_learned = state.health.loss.n
        if self._candidate and n_learned - self._candidate[1] >= self._config.guards.patience_examples:
            self._store.publish_good(str(self._copy.lineage), self._candidate[0])
            self._candidate = None
        if self._candidate is None and not state.is_frozen and self._copy.model.is_finite():
            self._candidate = snapshot, n_learned

    def _snapshot(self) -> Snapshot:
        return Snapshot(self._copy.batch_id, self._copy.model.to_bytes(), self._copy.state.to_dict())

    def _lineage_of_snapshot(self) -> dict[str, Any]:
        copy = self._copy
        return {
            "parent": copy.state.version,
            "lineage": copy.lineage,
            "batch_id": copy.batch_id,
            "n_items": copy.model.n_items,
            "as_of_s": copy.model.as_of_s,
            "progressive": copy.state.health.figures(),
        }

    def _about_model(self) -> dict[str, Any]:
        state = self._copy.state
        return {
            "model_items": self._copy.model.n_items,
            "model_version": state.version,
            **{f"progressive_{name}": value for name, value in state.health.figures().items()},
            "refused_version": self._refused.get("because"),
            "frozen_because": state.frozen_because,
            "times_frozen": state.n_freezes,
            "examples_per_task": state.examples_per_task,
            "model_updates": self._n_published,
        }


def _tell(figures: Mapping[str, Any]) -> None:
    lags_ms = figures["lag_ms"]
    tell_batch(
        rows=figures["n_interactions"],
        users=figures["n_users"],
        lists=figures["n_lists"],
        examples=figures["n_examples"],
        lag_p50_ms=round(float(np.median(lags_ms))) if lags_ms else None,
    )


def _gradients(reports: pa.Table) -> list[bytes]:
    ordered = reports.sort_by("partition")
    return [gradient for gradient in ordered["gradient"].to_pylist() if gradient]


def _figures(reports: pa.Table) -> dict[str, Any]:
    """Counts, microseconds and sums over the tasks, and the lags of all of them."""
    counts = {name: int(np.sum(reports[name].to_numpy())) for name in COUNTS + TIMINGS + LEARNING_COUNTS}
    sums = {name: float(np.sum(reports[name].to_numpy())) for name in LEARNING_SUMS}
    lags = [lag for task in reports["lag_ms"].to_pylist() for lag in task]
    return {**counts, **sums, "lag_ms": lags}
