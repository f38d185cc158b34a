"""Similar items from real models, published as the hot path does it."""

import asyncio

import numpy as np
import pytest

from pipelines.models import kinds
from pipelines.models.similar import similarity_of
from pipelines.serving.similar import SimilarItems
from pipelines.stores.connection import connect
from pipelines.stores.keys import snapshot_key
from pipelines.stores.model import ModelStore, Snapshot
from tests.models.builders import a_config, some_facts
from tests.models.machines import a_machine, machine_of


class Published:
    """The store, in memory."""

    def __init__(self, model, batch_id: int = 7) -> None:
        self.snapshot, self.n_read, self.n_bytes = Snapshot(batch_id, model.to_bytes()), 0, None

    def lineage(self):
        return "line"

    def snapshot_head(self, lineage):
        return self.snapshot.batch_id, self.n_bytes or len(self.snapshot.to_bytes())

    def read_snapshot(self, lineage):
        self.n_read += 1
        return self.snapshot


@pytest.fixture
def model():
    return a_machine(a_config())


def similar_of(store, config, **more) -> SimilarItems:
    return SimilarItems(store, config, seconds=more.pop("seconds", 1e9), max_bytes=more.pop("max_bytes", 10**9), **more)


def test_items_are_those_with_the_nearest_vectors(model):
    similar = similar_of(Published(model), model.config)
    ids = model.item_ids.tolist()

    nearest = asyncio.run(similar.of(ids[0]))

    machine = machine_of(model)
    vectors = machine._side(model.items).vectors(slice(None))
    lengths = np.linalg.norm(vectors, axis=1)
    cosine = vectors @ vectors[0] / np.maximum(lengths * lengths[0], 1e-30)
    expected = [ids[at] for at in np.argsort(-cosine, kind="stable") if at != 0 and cosine[at] > 0]
    assert list(nearest) == expected and len(expected) > 1
    np.testing.assert_allclose(list(nearest.values()), [cosine[ids.index(item)] for item in expected], rtol=1e-5)
    assert similar.version == "line-7"


def test_the_model_is_read_once_and_again_when_there_is_a_newer_one(model):
    store, now = Published(model), [0.0]
    similar = similar_of(store, model.config, seconds=10, clock_s=lambda: now[0])

    async def ask() -> None:
        for second, batch_id in ((0, 7), (1, 7), (11, 7), (12, 8), (22, 8)):
            now[0], store.snapshot = float(second), Snapshot(batch_id, store.snapshot.model)
            await similar.of("i1")
            if similar._loading:
                await similar._loading

    asyncio.run(ask())

    assert store.n_read == 2 and similar.version == "line-8"


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"max_bytes": 10}, id="too large"),
        pytest.param({"kind": "popularity"}, id="a kind that compares nothing"),
        pytest.param({"bytes": b"no model"}, id="no model"),
    ],
)
def test_without_a_model_that_compares_items_there_are_none(model, broken):
    if kind := broken.pop("kind", None):
        model = kinds.empty(a_config(kind)).with_items
        model = kinds.empty(a_config(kind))
    store = Published(model)
    if "bytes" in broken:
        store.snapshot = Snapshot(7, broken.pop("bytes"))
    similar = similar_of(store, model.config, **broken)

    assert asyncio.run(similar.of("i1")) == {} and not similar.is_loaded


def test_of_a_mixture_items_that_go_together_are_alike():
    config = a_config("mixture")
    model = kinds.empty(config)
    model.items = model.items.with_facts(some_facts(dict.fromkeys((1, 2, 3), (0, 0))), 0)
    model.scorer = model.scorer.grow(3)
    model.scorer.pairs.add(np.array([0, 0]), np.array([1, 2]), np.array([1.0, 3.0]), 0.0)

    columns, shares = similarity_of(model).nearest(0, 5)

    assert columns.tolist() == [2, 1]
    np.testing.assert_allclose(shares, [0.75, 0.25])
    assert similarity_of(model).nearest(0, 1)[0].tolist() == [2]


def test_the_head_of_a_snapshot_is_read_without_the_snapshot(redis_url, redis_client):
    store, snapshot = ModelStore(connect(redis_url)), Snapshot(-1, b"x" * 100)
    assert store.snapshot_head("m1") is None
    store.publish_snapshot("m1", snapshot)

    assert store.snapshot_head("m1") == (-1, len(snapshot.to_bytes()))
    assert redis_client.strlen(snapshot_key("m1")) == len(snapshot.to_bytes())
