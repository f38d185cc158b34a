"""A copy of the model that follows what the driver publishes: each worker has one, and a driver starts from one."""

from pipelines.hot_path.learning_state import LearningState
from pipelines.hot_path.shared_model import SharedModel
from pipelines.logs.log import log
from pipelines.model_sections import ModelConfig
from pipelines.models.kinds import empty, from_bytes
from pipelines.models.ranker import Ranker
from pipelines.stores.model import RELOAD, ModelStore, Patch


class ModelCopy:
    """The model of `lineage` with every step up to `batch_id` in it; empty before the first catch-up.

    shared: where its large arrays are, together with those of other workers; None: this copy has its own.
    """

    def __init__(self, store: ModelStore, config: ModelConfig, shared: SharedModel | None = None) -> None:
        self._store = store
        self._config = config
        self._shared = shared
        self.lineage: str | None = None
        self.batch_id = -1
        self.model: Ranker = empty(config)
        self.state = LearningState(examples_per_task=config.max_examples_per_second)

    def catch_up(self, lineage: str | None = None) -> None:
        """Take in what was published since. Does nothing while nothing is.

        lineage: the one in use, where somebody has read it just now.
        """
        lineage = lineage or self._store.lineage()
        if lineage is None or (lineage != self.lineage and not self._load(lineage)):
            return
        for step in self._store.read_patches(lineage, self.batch_id):
            is_next = step.patch != RELOAD and step.batch_id == self.batch_id + 1
            if step.batch_id <= self.batch_id or (is_next and self._patch(step)):
                continue
            self._load(lineage)  # columns moved, or this copy slept too long
            if step.batch_id > self.batch_id:
                self._patch(step)

    def _patch(self, step: Patch) -> bool:
        """False: the shared arrays went on without this copy."""
        try:
            if self._shared is None or not self.model.arrays():
                self.model.patch(step.patch)
            elif not self._shared.patch(self.model, step.patch, str(self.lineage), step.batch_id):
                return False
        except OSError as error:
            self._go_alone(error)
            self.model.patch(step.patch)
        self.batch_id, self.state = step.batch_id, LearningState.from_dict(step.about)
        return True

    def _load(self, lineage: str) -> bool:
        snapshot = self._store.read_snapshot(lineage)
        if snapshot is None:
            return False
        self.model = from_bytes(self._config, snapshot.model)
        self.lineage, self.batch_id = lineage, snapshot.batch_id
        self.state = LearningState.from_dict(snapshot.about)
        log.info("model_loaded", lineage=lineage, model_batch_id=self.batch_id, items=self.model.n_items)
        try:
            if self._shared and self.model.arrays():
                self._shared.settle(self.model, lineage, self.batch_id)
        except OSError as error:
            self._go_alone(error)
        return True

    def _go_alone(self, error: OSError) -> None:
        """Keep an own copy from now on."""
        assert self._shared is not None
        log.warning("model_not_shared", folder=str(self._shared.folder), error=error)
        self._shared = None
        self.model.use({name: array.copy() for name, array in self.model.arrays().items()})
