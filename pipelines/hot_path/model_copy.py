"""A copy of the model that follows what the driver publishes: each worker has one, and a driver starts from one."""

from pipelines.models.baseline import Baseline
from pipelines.models.ranker import Ranker
from pipelines.sections import ModelConfig
from pipelines.stores.model import RELOAD, ModelStore


class ModelCopy:
    """The model of `lineage` with every step up to `batch_id` in it; empty before the first catch-up."""

    def __init__(self, store: ModelStore, config: ModelConfig) -> None:
        self._store = store
        self._config = config
        self.lineage: str | None = None
        self.batch_id = -1
        self.model: Ranker = Baseline.empty(config)

    def catch_up(self) -> None:
        """Take in what was published since. Does nothing while nothing is."""
        lineage = self._store.lineage()
        if lineage is None or (lineage != self.lineage and not self._load(lineage)):
            return
        for batch_id, patch in self._store.read_patches(lineage, self.batch_id):
            if patch == RELOAD or batch_id != self.batch_id + 1:  # columns moved, or this copy slept for too long
                self._load(lineage)
            if batch_id > self.batch_id:
                self.model.patch(patch)
                self.batch_id = batch_id

    def _load(self, lineage: str) -> bool:
        snapshot = self._store.read_snapshot(lineage)
        if snapshot is not None:
            self.model = Baseline.from_bytes(self._config, snapshot.model)
            self.lineage, self.batch_id = lineage, snapshot.batch_id
        return snapshot is not None
