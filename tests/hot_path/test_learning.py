"""The learner between micro-batches: it changes to a promoted version, stops before harm is done, and keeps to its pace."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from pipelines.hot_path.versions import Promoted
from pipelines.hot_path.worker import StageSettings, Worker, worker_for
from pipelines.list_sections import ListsConfig
from pipelines.model_sections import GuardsConfig, ModelConfig
from pipelines.models.arrays import to_bytes
from pipelines.models.health import Health
from pipelines.models.kinds import empty, from_bytes
from pipelines.sections import ProfileConfig
from tests.hot_path.micro_batches import (
    FakeBatch,
    a_learner,
    list_of,
    model_bytes,
    run,
    run_stream,
    some_rows,
    stage_of,
    the_sums,
)

CONFIG = ModelConfig(guards=GuardsConfig(patience_examples=30, smoothing_examples=20))


@pytest.fixture(params=[None, "tests"], ids=["own-model", "shared-model"])
def settings(redis_url, request, tmp_path) -> StageSettings:
    worker_for.cache_clear()
    config = CONFIG.model_copy(update={"shared_folder": str(tmp_path)})
    return StageSettings(redis_url, 77, ProfileConfig(), ListsConfig(n=3), config, the_sums(), request.param)


@dataclass
class Registry:
    """A champion that a test promotes, and what the learner offered."""

    champion: Promoted | None = None
    due: bool = False
    offered: list = field(default_factory=list)

    def take(self, version, /):
        return self.champion if self.champion and self.champion.version != version else None

    def is_due(self):
        return self.due

    def offer(self, model, about, /):
        self.offered.append((model, about))


def a_trained_model(config: ModelConfig = CONFIG) -> bytes:
    model = empty(config)
    return model.to_bytes()


def with_sums(reports: list[dict], **sums) -> FakeBatch:
    return FakeBatch([{**report, **sums} for report in reports])


def rows_of(batch_id: int):
    return some_rows(stage_of(batch_id), first_offset=100 * batch_id)


def test_a_promoted_version_makes_the_next_lists(settings, redis_client):
    registry = Registry()
    learner = a_learner(settings.redis_url, CONFIG, champions=registry)
    run_stream(settings, learner, range(2))
    assert list_of(redis_client, "u1").model.startswith("new-")

    registry.champion = Promoted("7", a_trained_model())
    run_stream(settings, learner, range(2, 5))

    assert list_of(redis_client, "u1").model.startswith("7-")
    assert worker_for(settings).current_model().to_bytes() == model_bytes(settings) == learner._copy.model.to_bytes()


def test_a_promoted_version_is_taken_once_and_learned_from(settings):
    registry = Registry(Promoted("7", a_trained_model()))
    run_stream(settings, a_learner(settings.redis_url, CONFIG, champions=registry), range(3))
    learned = model_bytes(settings)
    restarted = a_learner(settings.redis_url, CONFIG, champions=registry)
    restarted(FakeBatch(run(settings, 2, rows_of(2))), 2)  # the last micro-batch again

    assert model_bytes(settings) == learned
    assert from_bytes(CONFIG, learned).n_items > 0


def test_of_each_micro_batch_one_update_of_the_model_is_told(settings):
    registry, told = Registry(), []
    learner = a_learner(settings.redis_url, CONFIG, champions=registry, on_batch=told.append)
    run_stream(settings, learner, range(2))
    registry.champion = Promoted("7", a_trained_model())
    run_stream(settings, learner, range(2, 3))
    run_stream(settings, learner, range(2, 3))  # again: nothing is published twice

    updates = [(figures["model_updates"]["patch"], figures["model_updates"]["whole"]) for figures in told]
    assert updates == [(1, 0), (1, 0), (0, 1), (0, 0)]


def test_a_rollback_is_a_promotion_of_the_version_before(settings):
    registry = Registry(Promoted("1", a_trained_model()))
    learner = a_learner(settings.redis_url, CONFIG, champions=registry)
    run_stream(settings, learner, range(2))
    kept = learner._copy.model.to_bytes()
    registry.champion = Promoted("2", a_trained_model())
    run_stream(settings, learner, range(2, 3))
    registry.champion = Promoted("1", kept)
    run_stream(settings, learner, range(3, 4))

    assert learner._copy.state.version == "1"
    assert set(from_bytes(CONFIG, kept).item_ids) <= set(learner._copy.model.item_ids)


def test_a_version_for_other_context_fields_is_refused_and_the_stream_goes_on(settings):
    reports = []
    other = Promoted("9", a_trained_model(CONFIG.model_copy(update={"context_fields": ("device",)})))
    learner = a_learner(settings.redis_url, CONFIG, champions=Registry(other), on_batch=reports.append)
    run_stream(settings, learner, range(2))

    assert learner._copy.state.version is None and learner._copy.model.n_items > 0
    assert "context_fields" in reports[-1]["refused_version"]


def test_a_number_that_is_none_freezes_learning_on_the_last_good_copy(settings):
    reports = []
    learner = a_learner(settings.redis_url, CONFIG, on_batch=reports.append)
    run_stream(settings, learner, range(2))
    learner._store.publish_good(str(learner._copy.lineage), learner._snapshot())
    good = learner._copy.model.to_bytes()
    learner(with_sums(run(settings, 2, rows_of(2)), loss=float("nan")), 2)

    assert learner._copy.model.to_bytes() == good == model_bytes(settings)
    assert "not a number" in reports[-1]["frozen_because"] and reports[-1]["times_frozen"] == 1


def test_a_frozen_model_keeps_its_parameters_while_its_catalogue_goes_on(settings):
    learner = a_learner(settings.redis_url, CONFIG)
    run_stream(settings, learner, range(2))
    learner(with_sums(run(settings, 2, rows_of(2)), loss=float("nan")), 2)
    before = {name: table.values.copy() for name, table in learner._copy.model.scorer.tables.items()}
    popularity = learner._copy.model.popularity().sum()
    run_stream(settings, learner, range(3, 5))

    after = learner._copy.model.scorer.tables
    for name in ("item", "bias", "term", "category"):
        n = len(before[name])
        np.testing.assert_array_equal(after[name].values[:n], before[name])
    assert learner._copy.model.popularity().sum() > popularity


def test_learning_is_tried_again_after_the_freeze_and_a_restart_keeps_it(settings):
    seconds = iter(range(0, 100_000, 300))  # five minutes whenever the clock is looked at
    learner = a_learner(settings.redis_url, CONFIG, now_s=lambda: next(seconds))
    run_stream(settings, learner, range(1))
    learner(with_sums(run(settings, 1, rows_of(1)), loss=float("nan")), 1)
    restarted = a_learner(settings.redis_url, CONFIG, now_s=lambda: next(seconds))
    restarted(FakeBatch(run(settings, 2, rows_of(2))), 2)
    assert restarted._copy.state.is_frozen

    run_stream(settings, restarted, range(3, 9))

    assert not restarted._copy.state.is_frozen and restarted._copy.state.n_freezes == 1


@pytest.mark.parametrize(
    ("sums", "told"),
    [
        pytest.param({"loss": 500.0, "loss_of_popularity": 50.0}, "log-loss", id="loss"),
        pytest.param({"n_evaluated": 10, "ndcg": 0.5, "ndcg_of_popularity": 5.0}, "NDCG", id="relevance"),
    ],
)
def test_a_model_much_worse_than_popularity_is_frozen(settings, sums, told):
    reports = []
    learner = a_learner(settings.redis_url, CONFIG, on_batch=reports.append)
    for batch_id in range(5):
        learner(with_sums(run(settings, batch_id, rows_of(batch_id)), **sums), batch_id)

    assert told in reports[-1]["frozen_because"]


def test_what_is_as_hard_for_popularity_freezes_nothing():
    health = Health()
    for _ in range(100):
        sums = {"n_examples": 10, "loss": 90.0, "loss_of_popularity": 88.0}
        health = health.after({**sums, "n_evaluated": 10, "ndcg": 0.2, "recall": 0.0, "ndcg_of_popularity": 0.2}, 100)

    assert health.trouble(CONFIG.guards) is None


def test_a_copy_is_good_only_after_enough_was_learned_beyond_it(settings):
    config = CONFIG.model_copy(update={"snapshot_every_batches": 1})
    learner = a_learner(settings.redis_url, config)
    run_stream(settings, learner, range(1))
    first = learner._store.read_good("query-1")
    run_stream(settings, learner, range(1, 8))
    later = learner._store.read_good("query-1")

    assert first.batch_id == -1
    n_between = learner._copy.state.health.loss.n - later.about["health"]["loss"]["n"]
    assert later.batch_id > -1 and n_between >= CONFIG.guards.patience_examples


def test_examples_keep_to_the_configured_rate(settings):
    config = CONFIG.model_copy(update={"max_examples_per_second": 8})
    learner = a_learner(settings.redis_url, config)  # a second passes at each look
    run_stream(settings, learner, range(2))

    (report,) = run(settings, 2, rows_of(2))

    assert len(stage_of(2)) == 18 and 0 < report["n_examples"] <= 8


def test_what_was_learned_is_offered_to_the_registry_when_due(settings):
    registry = Registry(due=True)
    learner = a_learner(settings.redis_url, CONFIG, archive=registry)
    run_stream(settings, learner, range(2))

    model, about = registry.offered[-1]
    assert model == learner._copy.model.to_bytes()
    assert (about["batch_id"], about["parent"], about["lineage"]) == (1, None, "query-1")


def test_a_worker_that_sees_the_promotion_late_never_mixes_two_models(settings):
    registry = Registry()
    learner = a_learner(settings.redis_url, CONFIG, champions=registry)
    run_stream(settings, learner, range(2))
    sleeper = Worker(settings)
    sleeper.current_model()
    registry.champion = Promoted("7", a_trained_model())
    run_stream(settings, learner, range(2, 4))

    assert sleeper.current_model().to_bytes() == learner._copy.model.to_bytes()
    assert sleeper.model_version.startswith("7-")


def test_the_state_that_is_published_is_read_as_it_was(settings):
    learner = a_learner(settings.redis_url, CONFIG)
    run_stream(settings, learner, range(3))
    follower = Worker(settings)
    follower.current_model()

    assert follower._copy.state == learner._copy.state
    assert replace(follower._copy.state, version="x") != learner._copy.state


@pytest.mark.parametrize("garbage", [b"", b"no model", to_bytes({"a": np.zeros(3)})], ids=["nothing", "text", "arrow"])
def test_a_version_that_is_no_model_is_refused_and_the_stream_goes_on(settings, garbage):
    reports = []
    learner = a_learner(settings.redis_url, CONFIG, champions=Registry(Promoted("9", garbage)), on_batch=reports.append)
    run_stream(settings, learner, range(2))

    assert learner._copy.state.version is None and learner._copy.model.n_items > 0
    assert "not a model" in reports[-1]["refused_version"]
