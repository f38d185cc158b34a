"""A ranker: a catalogue that every kind learns, and a scorer that tells the kinds apart."""

from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from pipelines.features.fold import Timeline
from pipelines.features.profile import Ints, Words
from pipelines.model_sections import ModelConfig
from pipelines.models.arrays import Arrays, from_bytes, to_bytes
from pipelines.models.best import best_of_all
from pipelines.models.items import Items
from pipelines.models.learnable import capped_rows, sampled
from pipelines.models.ranker import Gradient, Histories, ItemFacts, LeftOut, Scores, TrainingBatch
from pipelines.models.scorer import Learned, Scorer, Selective, Shareable

COUNTED, FACTS = "counted.", "facts."
CONFIG = "config"


class Model:
    """`Items` and a `Scorer`: a Ranker (ranker.py)."""

    def __init__(self, config: ModelConfig, items: Items, scorer: Scorer) -> None:
        self.config = config
        self.items = items
        self.scorer = scorer
        self._copies: WeakSet[Model] = WeakSet()  # lists in the making, in the arrays of this model
        self._is_copy = False

    @property
    def n_items(self) -> int:
        return len(self.items)

    @property
    def as_of_s(self) -> int:
        return int(self.items.last_s.max(initial=0))

    @property
    def item_ids(self) -> NDArray[np.object_]:
        return self.items.item_id

    def find(self, item: Words) -> Ints:
        return self.items.index.find(item)

    def facts(self) -> ItemFacts:
        return ItemFacts(self.items.index.item, self.items.item_id, self.items.category, self.items.brand)

    def with_items(self, facts: ItemFacts, timeline: Timeline) -> "Model":
        rows = timeline.learn
        new = facts.at((self.find(facts.item) < 0) & np.isin(facts.item, timeline.item[rows]))
        if not len(new.item):
            return self
        self._part()
        counted = self.items.counted(timeline.key[rows], timeline.item[rows])
        items = self.items.with_facts(new, int(counted["as_of_s"][0]))
        items.add(_of_items(counted, new.item))  # what is known already is counted when the patch comes
        copy = Model(self.config, items, self.scorer.grow(len(new.item)))
        copy._is_copy = True
        self._copies.add(copy)
        return copy

    def score(self, histories: Histories) -> Scores:
        return self.scorer.score(self.items, histories)

    def best(self, histories: Histories, n: int, left_out: LeftOut | None = None) -> tuple[Ints, Scores]:
        if isinstance(self.scorer, Selective):
            return self.scorer.best(self.items, histories, n, left_out)
        return best_of_all(self.score, self.n_items, histories, n, left_out)

    def popularity(self) -> NDArray[np.float64]:
        return self.items.popularity.total[:, 0]

    def gradient(self, batch: TrainingBatch, seed: int) -> Gradient:
        timeline = batch.timeline
        rows = capped_rows(timeline, self.config)
        counted = self.items.counted(timeline.key[rows], timeline.item[rows])
        facts = self.items.differing(batch.facts.at(np.isin(batch.facts.item, counted["item"])))
        learned = self.scorer.gradient(self.items, batch, sampled(rows, batch.max_examples, seed), seed)
        if not learned.is_finite:
            learned = Learned(n_examples=learned.n_examples, loss=np.nan)
        data = to_bytes(_prefixed(COUNTED, counted) | _prefixed(FACTS, vars(facts)) | learned.arrays)
        return Gradient(data, learned.n_examples, learned.loss, learned.loss_of_popularity)

    def apply(self, gradients: list[bytes], *, learns: bool = True) -> bytes:
        self._part()
        parts = [from_bytes(gradient) for gradient in gradients]
        before = self.n_items
        counted = [_unprefixed(COUNTED, part) for part in parts]
        facts = ItemFacts.joined([ItemFacts.none(), *(ItemFacts(**_unprefixed(FACTS, part)) for part in parts)])
        self.items = self.items.with_facts(facts, max((int(part["as_of_s"][0]) for part in counted), default=0))
        self.scorer = self.scorer.grow(self.n_items - before)
        touched = [self.find(facts.item), *(self.items.add(part) for part in counted)]
        changed = self.scorer.apply(self.items, parts if learns else [])
        return to_bytes(self.items.state(np.unique(np.concatenate(touched))) | changed)

    def patch(self, patch: bytes, *, but_arrays: bool = False) -> None:
        self._part()
        state = from_bytes(patch)
        before = self.n_items
        self.items = self.items.with_state(state)
        self.scorer = self.scorer.grow(self.n_items - before)
        if but_arrays and isinstance(self.scorer, Shareable):
            self.scorer.patched()
        else:
            self.scorer.patch(state)

    def arrays(self) -> Arrays:
        return self.scorer.arrays() if isinstance(self.scorer, Shareable) else {}

    def use(self, arrays: Arrays) -> None:
        if isinstance(self.scorer, Shareable):
            self.scorer.use(arrays)

    def trim(self) -> bool:
        stays = self.items.staying()
        if stays is None:
            return False
        self.items, self.scorer = self.items.only(stays), self.scorer.only(stays)
        return True

    def is_finite(self) -> bool:
        return bool(np.isfinite(self.items.popularity.total).all()) and self.scorer.is_finite()

    def to_bytes(self) -> bytes:
        config = {CONFIG: np.array([self.config.meaning()], dtype=object)}
        return to_bytes(config | self.items.state(np.arange(self.n_items)) | self.scorer.state())

    def _part(self) -> None:
        """Before it changes: a copy that is still alive keeps what it knew, in arrays of its own. Mostly there is none."""
        for copy in self._copies:
            copy._part()
        self._copies.clear()
        if self._is_copy:
            every = np.arange(self.n_items)
            self.items, self.scorer, self._is_copy = self.items.only(every), self.scorer.only(every), False


def _of_items(counted: Arrays, item: Words) -> Arrays:
    kept = np.isin(counted["item"], item)
    by_half_life = counted["weight"].reshape(len(kept), -1)[kept].ravel()
    by_item = {name: counted[name][kept] for name in ("item", "n_events", "last_s")}
    return {"as_of_s": counted["as_of_s"], "weight": by_half_life, **by_item}


def _prefixed(prefix: str, arrays: Arrays) -> Arrays:
    return {prefix + name: array for name, array in arrays.items()}


def _unprefixed(prefix: str, arrays: Arrays) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
