"""Whether another version was promoted: asked beside the stream, so that no micro-batch waits for MLflow."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.logs.trouble import Trouble
from pipelines.model_sections import ModelConfig

if TYPE_CHECKING:
    from pipelines.tracking.registry import Registry


@dataclass(frozen=True)
class Promoted:
    """A version that is champion now, ready to go on from."""

    version: int
    config: ModelConfig  # that it was made with
    data: bytes


class ChampionWatch:
    """Asks every few seconds, in a thread of its own, which version is champion; `take` hands a new one over, once.

    Whatever MLflow says is counted and told by `figures`, never raised. A version whose bytes could not be had is tried
    again with the next question.
    """

    def __init__(self, open_registry: Callable[[], "Registry"], *, every_seconds: float, in_use: int | None) -> None:
        """`in_use` is the version that the model goes on from already. `open_registry` is called in the background."""
        self._open, self._every_seconds, self._in_use = open_registry, every_seconds, in_use
        self._registry: Registry | None = None
        self._ready: Promoted | None = None
        self._lock, self._is_stopped = threading.Lock(), threading.Event()
        self._figures: dict[str, Any] = {"n_champion_failures": 0}
        self._trouble = Trouble("champion_unknown", "champion_known")
        self._thread = threading.Thread(target=self._run, name="champion", daemon=True)
        self._thread.start()

    def take(self) -> Promoted | None:
        """The champion where it is another than the last one taken, else None. Returns at once."""
        with self._lock:
            taken, self._ready = self._ready, None
            if taken is not None:
                self._in_use = taken.version
            return taken

    def figures(self) -> dict[str, Any]:
        """For the heartbeat: n_champion_failures; champion and champion_error once there is one."""
        with self._lock:
            return dict(self._figures)

    def stop(self, patience_seconds: float = 5.0) -> None:
        """Ask no more; wait no longer than this for an answer."""
        self._is_stopped.set()
        self._thread.join(patience_seconds)

    def _run(self) -> None:
        while not self._is_stopped.is_set():
            try:
                self._look()
                self._trouble.over()
            except Exception as error:  # whatever MLflow says: the stream goes on with the version it has
                self._trouble.failed(error)
                self._registry = None
                with self._lock:
                    self._figures["n_champion_failures"] += 1
                    self._figures["champion_error"] = f"{type(error).__name__}: {error}"
            self._is_stopped.wait(self._every_seconds)

    def _look(self) -> None:
        self._registry = self._registry or self._open()
        champion = self._registry.champion()
        with self._lock:
            self._figures.update(champion=champion, champion_error=None)
            if self._ready is not None and self._ready.version != champion:
                self._ready = None  # it was promoted and is champion no more
            is_new = champion is not None and champion != self._in_use and self._ready is None
        if is_new:
            self._fetch(champion)

    def _fetch(self, champion: int | None) -> None:
        assert self._registry is not None and champion is not None
        version = self._registry.version(champion)
        promoted = Promoted(champion, self._registry.model_config(version), self._registry.model_bytes(version))
        with self._lock:
            self._ready = promoted
