"""The registry beside the hot path: the champion comes in and what was learned goes out, and no micro-batch waits."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.config import Config
from pipelines.hot_path.versions import Promoted
from pipelines.sources.checkpoints import offsets_after
from pipelines.tracking.champion_watch import ChampionWatch
from pipelines.tracking.later import registry_later
from pipelines.tracking.snapshots import OnlineSnapshots, Snapshot
from pipelines.tracking.versions import Origin


class Versions:
    """What the learner asks for (hot_path/versions.py), by MLflow."""

    def __init__(self, config: Config, features_version: int, checkpoint: str) -> None:
        self._config = config
        self._features_version = features_version
        self._checkpoint = Path(checkpoint)
        self._open = registry_later(config.tracking)
        self._watch: ChampionWatch | None = None
        self._snapshots = OnlineSnapshots(
            self._open,
            every_seconds=config.tracking.snapshot_minutes * 60,
            n_kept=config.tracking.kept_online_versions,
        )

    def take(self, version: str | None, /) -> Promoted | None:
        """The champion where it is another one than the learner's `version`; the watch begins with the first question."""
        if self._watch is None:
            every, in_use = self._config.tracking.champion_poll_seconds, int(version) if version else None
            self._watch = ChampionWatch(self._open, every_seconds=every, in_use=in_use)
        promoted = self._watch.take()
        return Promoted(str(promoted.version), promoted.data) if promoted else None

    def is_due(self) -> bool:
        """Whether it is time for a version of what was learned."""
        return self._snapshots.is_due

    def offer(self, model: bytes, about: Mapping[str, Any], /) -> None:
        """Make a version of the model soon, with its parent, its micro-batch, and the Kafka offsets in it."""
        origin = Origin(
            kind="online",
            features_version=self._features_version,
            n_items=about["n_items"],
            as_of_s=about["as_of_s"],
            parent=int(about["parent"]) if about["parent"] else None,
            batch_id=about["batch_id"],
        )
        offsets = partial(self._offsets, about["batch_id"])
        metrics = {f"progressive_{name}": value for name, value in about["progressive"].items()}
        self._snapshots.offer(Snapshot(self._config.model, model, origin, offsets, metrics))

    def figures(self) -> dict[str, Any]:
        """For the heartbeat."""
        return {**self._snapshots.figures(), **(self._watch.figures() if self._watch else {})}

    def stop(self) -> None:
        """Finish what is under way, within seconds."""
        self._snapshots.stop()
        if self._watch:
            self._watch.stop()

    def _offsets(self, batch_id: int) -> dict[str, int]:
        found = offsets_after(self._checkpoint, self._config.kafka.topic, batch_id)
        return {str(partition): offset for partition, offset in found.items()}
