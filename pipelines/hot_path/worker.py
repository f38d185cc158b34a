"""What a Python worker keeps between micro-batches: connection, copies of model and catalogue. Nothing of any partition."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from pipelines.features.online import OnlineSums
from pipelines.hot_path.model_copy import ModelCopy
from pipelines.hot_path.shared_model import SharedModel
from pipelines.hot_path.shop import Shop
from pipelines.list_sections import ListsConfig
from pipelines.lists.exploration import Trials
from pipelines.lists.refresh import Pace
from pipelines.model_sections import ModelConfig
from pipelines.models.ranker import Ranker
from pipelines.sections import ProfileConfig
from pipelines.stores.catalogue_copy import CatalogueCopy
from pipelines.stores.connection import connect
from pipelines.stores.due import DueStore
from pipelines.stores.heads import read_heads
from pipelines.stores.list_log import MAX_LOGGED
from pipelines.stores.model import ModelStore
from pipelines.stores.rebuild_progress import RebuildProgress
from pipelines.stores.trials import TrialStore
from pipelines.stores.users import UserStore

DAY_SECONDS = 24 * 3600
TRIALS_SECONDS = 60.0


@dataclass(frozen=True)
class StageSettings:
    """What the stage is told once, at start."""

    redis_url: str
    topic_tag: int  # from the topic's Kafka id: a topic made anew is another source
    profile: ProfileConfig
    lists: ListsConfig
    model: ModelConfig
    online: OnlineSums
    application: str | None = None  # whose workers share a model; None: each has its own (docs/adr/0012)
    category_separator: str = " > "  # see `catalogue` in the configuration

    @property
    def pace(self) -> Pace:
        """When lists are due."""
        return Pace.of(self.lists.refresh_after_interactions, self.lists.refresh_weights)

    @property
    def shown_ttl_seconds(self) -> int:
        """How long it is of use to know what was shown."""
        return math.ceil(self.lists.rules.fatigue_days + 1) * DAY_SECONDS

    def __hash__(self) -> int:
        return hash((self.redis_url, self.topic_tag))


class Worker:
    """The stores of one process, a model that follows what the driver publishes, and a shop that follows its catalogue."""

    def __init__(self, settings: StageSettings) -> None:
        self._client = client = connect(settings.redis_url)
        self.users = UserStore(
            client,
            profile_ttl_seconds=settings.profile.ttl_days * DAY_SECONDS,
            list_ttl_seconds=settings.lists.ttl_days * DAY_SECONDS,
            max_logged=MAX_LOGGED if settings.lists.log_seconds else 0,
        )
        self.due = DueStore(client)
        self.rebuild_progress = RebuildProgress(client)
        self.shop = Shop(settings.lists, settings.category_separator)
        self._copy = ModelCopy(ModelStore(client), settings.model, shared_model(settings))
        self._catalogue = CatalogueCopy(client)
        self._trials, self._trials_at_s, self._trials_as_of_ms = TrialStore(client), -math.inf, 0

    @property
    def model_version(self) -> str:
        """Registered version, lineage and batch: what a list was made by."""
        copy = self._copy
        return f"{copy.state.version or 'new'}-{(copy.lineage or 'none')[:8]}-{copy.batch_id}"

    @property
    def max_examples(self) -> int:
        """How much to learn from in this micro-batch, at most."""
        return self._copy.state.examples_per_task

    def is_any_gone(self, items: Sequence[str]) -> bool:
        """Whether one of the items may not be shown any more, as of the last `current_model`."""
        return any(self._catalogue.is_unavailable(item) for item in items)

    def current_model(self) -> Ranker:
        """The model with every patch published so far; the shop follows its catalogue at once."""
        heads = read_heads(self._client)
        self._copy.catch_up(heads.lineage)
        if self._catalogue.catch_up(heads.catalogue_version):
            self.shop.follow(catalogue=self._catalogue.arrays())
        self._follow_trials()
        return self._copy.model

    def _follow_trials(self) -> None:
        """Once in a while: how new items did is made anew as seldom."""
        if time.monotonic() - self._trials_at_s < TRIALS_SECONDS:
            return
        self._trials_at_s = time.monotonic()
        counts = self._trials.read()
        if counts and counts.as_of_ms != self._trials_as_of_ms:
            self._trials_as_of_ms = counts.as_of_ms
            self.shop.follow(trials=Trials.of(counts.items, counts.clicks, counts.impressions))


def shared_model(settings: StageSettings) -> SharedModel | None:
    """Where the workers of the application share the model's arrays on this machine; None: nowhere."""
    if settings.application is None or settings.model.shared_folder is None:
        return None
    return SharedModel(settings.model.shared_folder, settings.application)


@lru_cache(maxsize=2)
def worker_for(settings: StageSettings) -> Worker:
    """The worker of this process; made at its first task."""
    return Worker(settings)
