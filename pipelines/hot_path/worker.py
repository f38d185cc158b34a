"""What a Python worker keeps between micro-batches: its connection and its copy of the model. Nothing of any partition."""

from dataclasses import dataclass
from functools import lru_cache

from pipelines.config import ListsConfig, ModelConfig, ProfileConfig
from pipelines.models.baseline import Baseline
from pipelines.models.ranker import Ranker
from pipelines.stores.connection import connect
from pipelines.stores.model import RELOAD, ModelStore
from pipelines.stores.users import UserStore

DAY_SECONDS = 24 * 3600


@dataclass(frozen=True)
class StageSettings:
    """What the stage is told once, at start."""

    redis_url: str
    topic_tag: int  # from the topic's Kafka id: a topic made anew is another source
    profile: ProfileConfig
    lists: ListsConfig
    model: ModelConfig

    def __hash__(self) -> int:
        return hash((self.redis_url, self.topic_tag))


class Worker:
    """The stores of one process, and a model that follows what the driver publishes."""

    def __init__(self, settings: StageSettings) -> None:
        client = connect(settings.redis_url)
        self.users = UserStore(
            client,
            profile_ttl_seconds=settings.profile.ttl_days * DAY_SECONDS,
            list_ttl_seconds=settings.lists.ttl_days * DAY_SECONDS,
        )
        self._config = settings.model
        self._models = ModelStore(client)
        self._lineage: str | None = None
        self._batch_id = -1
        self._model: Ranker = Baseline.empty(settings.model)

    @property
    def model_version(self) -> str:
        return f"baseline-{(self._lineage or 'none')[:8]}-{self._batch_id}"

    def current_model(self) -> Ranker:
        """The model with every patch published so far."""
        lineage = self._models.lineage()
        if lineage is None:
            return self._model
        if lineage != self._lineage:
            self._reload(lineage)
        for batch_id, patch in self._models.read_patches(lineage, self._batch_id):
            if patch == RELOAD or batch_id != self._batch_id + 1:  # columns moved, or this copy slept for too long
                self._reload(lineage)
            if batch_id > self._batch_id:
                self._model.patch(patch)
                self._batch_id = batch_id
        return self._model

    def _reload(self, lineage: str) -> None:
        snapshot = self._models.read_snapshot(lineage)
        if snapshot is None:
            return
        self._model = Baseline.from_bytes(self._config, snapshot.model)
        self._lineage, self._batch_id = lineage, snapshot.batch_id


@lru_cache(maxsize=2)
def worker_for(settings: StageSettings) -> Worker:
    """The worker of this process; made at its first task."""
    return Worker(settings)
