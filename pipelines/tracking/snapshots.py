"""Versions of what was learned from the stream, made beside it. MLflow may be slow or away: no micro-batch waits for it."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipelines.logs.log import log
from pipelines.model_sections import ModelConfig
from pipelines.tracking.retention import delete_old_online
from pipelines.tracking.versions import Origin, Version

if TYPE_CHECKING:
    from pipelines.tracking.registry import Registry


@dataclass(frozen=True)
class Snapshot:
    """The model as it was after a micro-batch."""

    config: ModelConfig
    data: bytes
    origin: Origin  # without the offsets where `offsets` finds them
    offsets: Callable[[], Mapping[str, int]] | None = None  # called in the background
    metrics: Mapping[str, float] = field(default_factory=dict)  # how good it was then


class OnlineSnapshots:
    """Registers snapshots in a thread of its own, one at a time. Of those that wait, the newest wins.

    The thread is a daemon: one that hangs in MLflow does not keep the process alive.
    """

    def __init__(
        self,
        open_registry: Callable[[], "Registry"],
        *,
        every_seconds: float,
        n_kept: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`every_seconds` 0: never. `open_registry` is called in the background, and again after it failed."""
        self._open, self._every_seconds, self._n_kept, self._clock = open_registry, every_seconds, n_kept, clock
        self._registry: Registry | None = None
        self._due_at = clock() + every_seconds
        self._waiting: Snapshot | None = None
        self._changed = threading.Condition()
        self._is_stopped = self._is_busy = False
        self._figures: dict[str, Any] = {"n_versions": 0, "n_version_failures": 0}
        self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)
        self._thread.start()

    @property
    def is_due(self) -> bool:
        """Whether it is time for one: so that the model is made bytes only then."""
        return self._every_seconds > 0 and self._clock() >= self._due_at

    def offer(self, snapshot: Snapshot) -> None:
        """Make a version of it soon. Returns at once and raises nothing; replaces one that still waits."""
        with self._changed:
            self._due_at = self._clock() + self._every_seconds
            self._waiting = snapshot
            self._changed.notify_all()

    def figures(self) -> dict[str, Any]:
        """For the heartbeat: n_versions, n_version_failures; newest_version and version_error once there is one."""
        with self._changed:
            return dict(self._figures)

    def stop(self, patience_seconds: float = 10.0) -> None:
        """Take no more; finish what is there, but wait no longer than this."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        self._thread.join(patience_seconds)

    def _run(self) -> None:
        while (snapshot := self._next()) is not None:
            try:
                version = self._register(snapshot)
            except Exception as error:  # whatever MLflow says: the stream goes on, and the next snapshot is tried
                log.warning("model_unregistered", batch_id=snapshot.origin.batch_id, error=error)
                self._tell(
                    n_version_failures=self._figures["n_version_failures"] + 1,
                    version_error=f"{type(error).__name__}: {error}",
                )
                self._registry = None
            else:
                log.info("model_registered", batch_id=snapshot.origin.batch_id, model_version=version.number)
                self._tell(
                    n_versions=self._figures["n_versions"] + 1, newest_version=version.number, version_error=None
                )

    def _next(self) -> Snapshot | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting is not None or self._is_stopped)
            snapshot, self._waiting = self._waiting, None
            return snapshot

    def _register(self, snapshot: Snapshot) -> Version:
        self._registry = self._registry or self._open()
        origin = replace(snapshot.origin, offsets=snapshot.offsets()) if snapshot.offsets else snapshot.origin
        version = self._registry.add(snapshot.config, snapshot.data, origin, snapshot.metrics)
        delete_old_online(self._registry, self._n_kept)
        return version

    def _tell(self, **figures: Any) -> None:
        with self._changed:
            self._figures.update(figures)
