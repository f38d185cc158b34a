"""Items like an item, from the model that is in Redis: read when first asked for, and again when there is a newer one."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from redis.exceptions import RedisError

from pipelines.errors import StateError
from pipelines.logs.log import log
from pipelines.logs.trouble import Trouble
from pipelines.model_sections import ModelConfig
from pipelines.models.kinds import from_bytes
from pipelines.models.similar import ByPairs, ByVector, similarity_of
from pipelines.serving.recent import Recent
from pipelines.stores.model import ModelStore

_REMEMBERED = 20_000  # items
_PATIENCE_SECONDS = 2.0  # whoever asks first waits so long for the model
_ASKED = 8  # items that are found out at a time
N_NEAREST = 200

Nearest = dict[str, float]  # item → how alike it is, the most alike first


@dataclass(frozen=True)
class _Loaded:
    lineage: str
    batch_id: int
    item_ids: list[str]
    column_of: dict[str, int]
    similarity: ByVector | ByPairs

    def nearest(self, item_id: str) -> Nearest:
        column = self.column_of.get(item_id)
        if column is None:
            return {}
        columns, scores = self.similarity.nearest(column, N_NEAREST)
        return {self.item_ids[at]: score for at, score in zip(columns.tolist(), scores.tolist(), strict=True)}


class SimilarItems:
    """Asks the model's snapshot. Bounded: a larger one than `max_bytes` is not read."""

    def __init__(
        self,
        store: ModelStore,
        config: ModelConfig,
        seconds: float,
        max_bytes: int,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._config, self._seconds, self._max_bytes = store, config, seconds, max_bytes
        self._clock_s = clock_s
        self._loaded: _Loaded | None = None
        self._looked_s: float | None = None
        self._loading: asyncio.Task[None] | None = None
        self._known: Recent[str, Nearest] = Recent(_REMEMBERED)
        self._asked: set[asyncio.Task[None]] = set()
        self._trouble = Trouble("similar_model_missing", "similar_model_back")

    @property
    def is_loaded(self) -> bool:
        return self._loaded is not None

    @property
    def version(self) -> str:
        """Of the model that is asked."""
        return f"{self._loaded.lineage}-{self._loaded.batch_id}" if self._loaded else ""

    async def of(self, item_id: str) -> Nearest:
        """Items like it; none where the model does not know it, or there is no model."""
        self._look()
        if self._loaded is None and self._loading is not None:
            await asyncio.wait([self._loading], timeout=_PATIENCE_SECONDS)
        known = self._known.get(item_id)
        if known is not None or self._loaded is None:
            return known or {}
        found = await asyncio.to_thread(self._loaded.nearest, item_id)
        self._known.put(item_id, found)
        return found

    def known_or_ask(self, item_id: str) -> Nearest | None:
        """The same, if somebody asked lately. Else it is found out for whoever asks next."""
        known = self._known.get(item_id)
        if known is None and len(self._asked) < _ASKED:
            task = asyncio.create_task(self._find_out(item_id))
            self._asked.add(task)
            task.add_done_callback(self._asked.discard)
        return known

    async def _find_out(self, item_id: str) -> None:
        await self.of(item_id)

    def _look(self) -> None:
        now_s = self._clock_s()
        if self._loading is None and (self._looked_s is None or now_s - self._looked_s >= self._seconds):
            self._looked_s = now_s
            self._loading = asyncio.create_task(self._load())

    async def _load(self) -> None:
        try:
            loaded = await asyncio.to_thread(self._newer)
            self._trouble.over()
            if loaded is not None:
                log.info("similar_model_loaded", model_batch_id=loaded.batch_id, items=len(loaded.item_ids))
                self._loaded, self._known = loaded, Recent(_REMEMBERED)
        except (RedisError, OSError, StateError) as error:
            self._trouble.failed(error)
        finally:
            self._loading = None

    def _newer(self) -> _Loaded | None:
        """Read the snapshot, unless it is the one that is here. In a thread."""
        lineage = self._store.lineage()
        head = self._store.snapshot_head(lineage) if lineage else None
        if lineage is None or head is None:
            return None
        batch_id, n_bytes = head
        here = self._loaded
        if here is not None and (here.lineage, here.batch_id) == (lineage, batch_id):
            return None
        if n_bytes > self._max_bytes:
            raise StateError(f"the model has {n_bytes:,} bytes, serving.similar_max_bytes allows {self._max_bytes:,}")
        snapshot = self._store.read_snapshot(lineage)
        if snapshot is None:
            return None
        model = from_bytes(self._config, snapshot.model)
        similarity = similarity_of(model)
        if similarity is None:
            raise StateError(f"a model of kind {self._config.kind} compares no items")
        item_ids = model.item_ids.tolist()
        columns = {item_id: column for column, item_id in enumerate(item_ids)}
        return _Loaded(lineage, snapshot.batch_id, item_ids, columns, similarity)
