"""What a driver publishes, without Redis: in memory, or in files that other processes read."""

import pickle
from pathlib import Path

from pipelines.models.model import Model
from pipelines.stores.model import KEPT_PATCHES, RELOAD, Patch, Snapshot


class Published:
    """In place of the ModelStore, for one reader or many; `folder`: in files."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._here: tuple[str | None, Snapshot | None, list[Patch]] = (None, None, [])
        if folder is not None and not folder.exists():
            folder.mkdir()
            self._set(*self._here)

    def lineage(self):
        return self._state[0]

    def read_snapshot(self, lineage):
        head, snapshot, _ = self._state
        return snapshot if head == lineage else None

    def read_patches(self, lineage, after_batch):
        head, _, patches = self._state
        return [patch for patch in patches if head == lineage and patch.batch_id > after_batch]

    def snapshot(self, lineage: str, batch_id: int, model: Model) -> None:
        head, _, patches = self._state
        kept = [patch for patch in patches if head == lineage and patch.batch_id > batch_id - KEPT_PATCHES]
        self._set(lineage, Snapshot(batch_id, model.to_bytes()), kept)

    def patch(self, batch_id: int, patch: bytes = RELOAD) -> None:
        head, snapshot, patches = self._state
        self._set(head, snapshot, [*patches, Patch(batch_id, patch)])

    def lose(self) -> None:
        """As a Redis that was flushed, while the driver goes on."""
        self._set(self.lineage(), None, [])

    @property
    def _state(self):
        return self._here if self._folder is None else pickle.loads((self._folder / "published").read_bytes())

    def _set(self, *state) -> None:
        self._here = state
        if self._folder is not None:
            (self._folder / "published").write_bytes(pickle.dumps(state))
