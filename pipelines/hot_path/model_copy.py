"""A copy of the model that follows what the driver publishes: each worker has one, and a driver starts from one."""

from pipelines.hot_path.learning_state import LearningState
from pipelines.model_sections import ModelConfig
from pipelines.models.kinds import empty, from_bytes
from pipelines.models.ranker import Ranker
from pipelines.stores.model import RELOAD, ModelStore


class ModelCopy:
    """The model of `lineage` with every step up to `batch_id` in it; empty before the first catch-up."""

    def __init__(self, store: ModelStore, config: ModelConfig) -> None:
        self._store = store
        self._config = config
        self.lineage: str | None = None
        self.batch_id = -1
        self.model: Ranker = empty(config)
        self.state = LearningState(examples_per_task=config.max_examples_per_second)

    def catch_up(self) -> None:
        """Take in what was published since. Does nothing while nothing is."""
        lineage = self._store.lineage()
        if lineage is None or (lineage != self.lineage and not self._load(lineage)):
            return
        for step in self._store.read_patches(lineage, self.batch_id):
            if step.patch == RELOAD or step.batch_id != self.batch_id + 1:  # columns moved, or this copy slept too long
                self._load(lineage)
            if step.batch_id > self.batch_id:
                self.model.patch(step.patch)
                self.batch_id, self.state = step.batch_id, LearningState.from_dict(step.about)

    def _load(self, lineage: str) -> bool:
        snapshot = self._store.read_snapshot(lineage)
        if snapshot is not None:
            self.model = from_bytes(self._config, snapshot.model)
            self.lineage, self.batch_id = lineage, snapshot.batch_id
            self.state = LearningState.from_dict(snapshot.about)
        return snapshot is not None
