"""Small micro-batches, and models that have learned from them. An item's hash is its number, its name `i` and the number."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from pipelines.features.fold import Timeline
from pipelines.features.profile import entry_keys
from pipelines.model_sections import ModelConfig
from pipelines.models import kinds
from pipelines.models.model import Model
from pipelines.models.ranker import Histories, ItemFacts, TrainingBatch
from pipelines.schemas import INTERACTION_CODES

NOW_S = 1_570_000_000
HOUR_S, DAY_S = 3_600, 86_400
RING_SIZE = 48
SMALL_MACHINE = {"dimensions": 3, "category_rows": 6, "brand_rows": 5, "context_rows": 4, "negatives": 64}

Row = tuple[int, float, str, int]  # user, seconds ago, event type, item
Facts = Mapping[int, tuple[int, int]]  # item: hashes of its category and brand


def a_config(kind: str = "factorization", factorization: Mapping[str, object] | None = None, **changes) -> ModelConfig:
    """A configuration of small tables; `factorization` and other sections are overlaid."""
    return ModelConfig(kind=kind, factorization=SMALL_MACHINE | dict(factorization or {}), **changes)


def a_timeline(*rows: Row, known: Sequence[Row] = ()) -> Timeline:
    """Rows to learn from, and `known` ones that came before; equal seconds keep the order given."""
    told = [(row, False) for row in known] + [(row, True) for row in rows]
    told.sort(key=lambda one: (one[0][0], -one[0][1]))
    user, ago, kind, item = zip(*(row for row, _ in told), strict=True) if told else ((),) * 4
    codes = np.array([INTERACTION_CODES[name] for name in kind], np.int64)
    return Timeline(
        user=np.array(user, np.int64),
        key=entry_keys(NOW_S - np.array(ago, np.int64), np.arange(len(user), dtype=np.uint64), codes),
        item=np.array(item, np.uint64),
        learn=np.array([learn for _, learn in told], np.bool_),
    )


def facts_of(timeline: Timeline, facts: Facts | None = None) -> ItemFacts:
    """Of the items in a timeline; those that `facts` does not name have no category and no brand."""
    return some_facts({int(item): (facts or {}).get(int(item), (0, 0)) for item in timeline.item})


def some_facts(facts: Facts) -> ItemFacts:
    item = np.array(sorted(facts), np.uint64)
    category, brand = (np.array([facts[int(one)][part] for one in item], np.uint64) for part in (0, 1))
    return ItemFacts(item, np.array([f"i{one}" for one in item], object), category, brand)


def a_batch(*rows: Row, known: Sequence[Row] = (), facts: Facts | None = None, context=None, most=10_000):
    """A micro-batch of one task. context: hashes (rows, fields), by row of the timeline; all unknown without it."""
    timeline = a_timeline(*rows, known=known)
    if context is None:
        context = np.zeros((len(timeline.user), 2), np.uint64)
    return TrainingBatch(timeline, np.asarray(context, np.uint64), facts_of(timeline, facts), most)


def learn(model: Model, *batches: TrainingBatch, seed: int = 0) -> Model:
    """One step for each batch. Returns the model itself."""
    for batch in batches:
        model.apply([model.gradient(batch, seed).data])
        seed += 1
    return model


def learned(*batches: TrainingBatch, config: ModelConfig) -> Model:
    return learn(kinds.empty(config), *batches)


def micro_batches(log: Sequence[Row], size: int, facts: Facts | None = None) -> list[TrainingBatch]:
    """Cut a log, oldest row first, into micro-batches; each has what the ring holds of its users before."""
    rings: dict[int, list[Row]] = defaultdict(list)
    batches = []
    for start, end in pairwise([*range(0, len(log), size), len(log)]):
        rows = log[start:end]
        known = [old for user in sorted({row[0] for row in rows}) for old in rings[user]]
        batches.append(a_batch(*rows, known=known, facts=facts))
        for row in rows:
            rings[row[0]] = [*rings[row[0]], row][-RING_SIZE:]
    return batches


def histories(*rows: Row, n_users: int = 1, context=None, as_of_s: int = NOW_S) -> Histories:
    """What is known of users 0, 1, … when their lists are made."""
    timeline = a_timeline(*rows)
    context = np.zeros((n_users, 2), np.uint64) if context is None else np.asarray(context, np.uint64)
    return Histories(n_users, timeline.user, timeline.key, timeline.item, np.full(n_users, as_of_s), context)


def scores(model: Model, *rows: Row) -> dict[str, float]:
    """The scores of one user with this history, by item."""
    return dict(zip(model.item_ids.tolist(), model.score(histories(*rows))[0].tolist(), strict=True))


def best(model: Model, *rows: Row) -> list[str]:
    """The items for one user with this history, best first."""
    by_item = scores(model, *rows)
    return sorted(by_item, key=by_item.__getitem__, reverse=True)
