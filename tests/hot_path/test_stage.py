"""The stage and the learner against a real server, without Spark: what Spark adds is in test_stream.py."""

import pickle
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from redis import Redis

from pipelines.errors import ConflictError, FeaturesVersionError
from pipelines.features.profile import Profiles
from pipelines.features.profile_bytes import decode, encode
from pipelines.hot_path.worker import StageSettings, Worker, worker_for
from pipelines.list_sections import ListsConfig
from pipelines.model_sections import ModelConfig
from pipelines.sections import ProfileConfig
from pipelines.stores.connection import connect
from pipelines.stores.keys import profile_key
from pipelines.stores.model import KEPT_PATCHES, ModelStore
from tests.hot_path.micro_batches import (
    FakeBatch,
    a_learner,
    hash_of,
    list_of,
    model_bytes,
    run,
    run_stream,
    some_rows,
    stage_of,
    the_sums,
)

TAG = 77


@pytest.fixture(params=[None, "tests"], ids=["own-model", "shared-model"])
def settings(redis_url, request, tmp_path) -> StageSettings:
    worker_for.cache_clear()  # each test is a new process
    config = ModelConfig(shared_folder=str(tmp_path))
    return StageSettings(redis_url, TAG, ProfileConfig(), ListsConfig(n=3), config, the_sums(), request.param)


FIVE = [("u1", f"i{number}", number) for number in range(5)]


def test_the_fifth_interaction_makes_a_list(settings, redis_client):
    run(settings, 0, some_rows(FIVE[:4]))
    assert list_of(redis_client, "u1") is None

    (report,) = run(settings, 1, some_rows(FIVE[4:], first_offset=4))

    made = list_of(redis_client, "u1")
    assert report["n_lists"] == 1 and made and made.source == "personal" and len(made.items) > 0


def test_the_very_first_batch_makes_full_lists_without_any_model(settings, redis_client):
    run(settings, 0, some_rows(FIVE))

    assert len(list_of(redis_client, "u1").items) == 3


def test_a_batch_in_several_pieces_is_one_batch(settings, redis_client):
    (report,) = run(settings, 0, some_rows(FIVE[:2]), some_rows(FIVE[2:], first_offset=2))

    assert report["n_new"] == 5 and report["n_lists"] == 1


def test_two_partitions_in_one_task_keep_their_own_marks(settings, redis_client):
    other = [("u2", "i9", 1)]
    reports = run(settings, 0, some_rows(FIVE, partition=0), some_rows(other, first_offset=40, partition=1))

    marks = {user: decode([redis_client.get(profile_key(user))]).marks[0, 0].tolist() for user in ("u1", "u2")}
    assert [report["partition"] for report in reports] == [0, 1]
    assert marks == {"u1": [TAG, 5], "u2": [1 << 32 | TAG, 41]}


def test_partitions_that_alternate_in_one_piece_are_kept_apart(settings, redis_client):
    pieces = [some_rows(FIVE[:2], 0, 0), some_rows([("u2", "i9", 1)], 40, 1), some_rows(FIVE[2:], 2, 0)]
    mixed = pa.Table.from_batches(pieces).combine_chunks().to_batches()

    reports = run(settings, 0, *mixed)

    assert len(mixed) == 1
    assert [(report["partition"], report["n_interactions"]) for report in reports] == [(0, 5), (1, 1)]


def test_a_replay_after_the_write_changes_no_byte_and_gives_the_same_gradient(settings, redis_client):
    (first,) = run(settings, 0, some_rows(FIVE))
    before = {key: redis_client.get(key) for key in redis_client.keys("*:{u1}")}
    worker_for.cache_clear()

    (again,) = run(settings, 0, some_rows(FIVE))

    assert {key: redis_client.get(key) for key in redis_client.keys("*:{u1}")} == before
    assert (again["n_new"], again["n_replayed"], again["n_lists"]) == (0, 5, 0)
    assert again["gradient"] == first["gradient"]


def test_retries_alone_write_nothing_and_teach_nothing(settings, redis_client):
    run(settings, 0, some_rows(FIVE))
    before = redis_client.get(profile_key("u1"))

    (report,) = run(settings, 1, some_rows(FIVE, first_offset=5))

    assert redis_client.get(profile_key("u1")) == before
    assert report["n_repeated"] == 5
    assert report["gradient"] == run(settings, 2, some_rows([("u1", "i0", 0)], first_offset=10))[0]["gradient"]


def test_an_empty_task_reports_nothing(settings):
    assert run(settings, 0) == []


def test_the_lag_is_from_kafkas_timestamp_to_the_write(settings):
    (report,) = run(settings, 0, some_rows(FIVE))

    assert len(report["lag_ms"]) == 5 and min(report["lag_ms"]) > 1_700_000_000_000  # ingest_ms is 0 here


def profile_of(client: Redis, user: str) -> Profiles:
    return decode([client.get(profile_key(user))])


def test_a_profile_carries_the_decayed_sums(settings, redis_client):
    run(settings, 0, some_rows([("u1", "i0", 0), ("u1", "i1", 3600)]))
    run(settings, 1, some_rows([("u1", "i2", 7200)], first_offset=2))

    profile = profile_of(redis_client, "u1")
    assert (profile.as_of_s[0], profile.features_version[0], profile.generation[0]) == (1_570_007_200, 1, 0)
    np.testing.assert_allclose(profile.sums[0], [1 + 1 / 2 + 1 / 4], rtol=1e-12)


def test_a_stream_of_other_features_stops_at_the_first_profile(settings):
    run(settings, 0, some_rows(FIVE))

    with pytest.raises(FeaturesVersionError, match="liveshelf rebuild_profiles"):
        run(replace(settings, online=the_sums(version=2)), 1, some_rows([("u1", "i9", 9)], first_offset=5))


def test_settings_that_were_sent_to_a_worker_find_what_the_last_ones_made(settings):
    assert worker_for(pickle.loads(pickle.dumps(settings))) is worker_for(settings)


def rebuild_after_each_read(monkeypatch, settings, client: Redis, profiles: dict[str, bytes], rounds=1) -> None:
    """Let a rebuild put `profiles` into the store after each of the first reads, every time as a later generation."""
    store, generations = worker_for(settings).users, iter(range(1, rounds + 1))
    read = store.read_with_shown

    def read_and_be_overtaken(users, viewers):
        values = read(users, viewers)
        if generation := next(generations, None):
            for user, profile in profiles.items():
                rebuilt = replace(decode([profile]), generation=np.array([generation]))
                client.set(profile_key(user), encode(rebuilt, np.array([0]))[0])
        return values

    monkeypatch.setattr(store, "read_with_shown", read_and_be_overtaken)


def test_a_profile_that_was_rebuilt_meanwhile_is_folded_into_not_overwritten(settings, redis_client, monkeypatch):
    others = [("u2", "i0", 0), ("u3", "i0", 0)]
    run(settings, 0, some_rows(FIVE[:4] + others))
    rebuilt = {user: redis_client.get(profile_key(user)) for user in ("u1", "u3")}
    rebuild_after_each_read(monkeypatch, settings, redis_client, rebuilt)
    coming = [("u2", "i9", 9), ("u1", "i9", 9), ("u3", "i8", 8), ("u1", "i7", 10)]

    (report,) = run(settings, 1, some_rows(coming, first_offset=6))

    profiles = {user: profile_of(redis_client, user) for user in ("u1", "u2", "u3")}
    assert {user: (p.n_interactions[0], p.generation[0]) for user, p in profiles.items()} == {
        "u1": (6, 1), "u2": (2, 0), "u3": (2, 1),
    }  # fmt: skip
    assert profiles["u1"].item[-2:].tolist() == [hash_of("i9"), hash_of("i7")]
    assert set(list_of(redis_client, "u1").items) == {"i7", "i8", "i9"}  # what the model does not know has its own name
    assert report["n_new"] == 4


def test_a_list_that_was_due_is_made_though_the_rebuild_had_the_interaction(settings, redis_client, monkeypatch):
    run(settings, 0, some_rows(FIVE))
    whole = redis_client.get(profile_key("u1"))
    redis_client.flushdb()
    worker_for.cache_clear()
    run(settings, 0, some_rows(FIVE[:4]))
    rebuild_after_each_read(monkeypatch, settings, redis_client, {"u1": whole})

    run(settings, 1, some_rows(FIVE[4:], first_offset=4))

    assert profile_of(redis_client, "u1").n_interactions[0] == 5 and list_of(redis_client, "u1")


def test_rebuilds_without_end_are_an_error(settings, redis_client, monkeypatch):
    run(settings, 0, some_rows(FIVE[:4]))
    rebuilt = {"u1": redis_client.get(profile_key("u1"))}
    rebuild_after_each_read(monkeypatch, settings, redis_client, rebuilt, rounds=99)

    with pytest.raises(ConflictError, match=r"1 users .'u1'.*one rebuild_profiles"):
        run(settings, 1, some_rows(FIVE[4:], first_offset=4))


def test_workers_follow_the_driver(settings):
    learner = a_learner(settings.redis_url)
    run_stream(settings, learner, range(4))

    assert worker_for(settings).current_model().to_bytes() == model_bytes(settings) == learner._copy.model.to_bytes()


@pytest.mark.parametrize("crash_before", ["patch", "commit"])
def test_a_driver_that_dies_loses_no_gradient_and_applies_none_twice(settings, redis_client, crash_before):
    run_stream(settings, a_learner(settings.redis_url), range(4))
    uninterrupted = model_bytes(settings)
    redis_client.flushall()
    worker_for.cache_clear()

    run_stream(settings, a_learner(settings.redis_url), range(2))
    if crash_before == "patch":  # profiles are written, the step is not
        run(settings, 2, some_rows(stage_of(2), first_offset=200))
    else:  # the step is published, the micro-batch not committed
        run_stream(settings, a_learner(settings.redis_url), [2])
    worker_for.cache_clear()
    run_stream(settings, a_learner(settings.redis_url), [2, 3])

    assert model_bytes(settings) == uninterrupted


def test_a_new_checkpoint_goes_on_with_the_model_under_a_new_lineage(settings):
    first = a_learner(settings.redis_url)
    run_stream(settings, first, range(3))
    n_known = first._copy.model.n_items
    second = a_learner(settings.redis_url)

    second(FakeBatch(run(settings, 0, some_rows([("u1", "new", 500)], first_offset=900)), lineage="query-2"), 0)

    assert ModelStore(connect(settings.redis_url)).lineage() == "query-2"
    assert second._copy.model.n_items == n_known + 1
    assert model_bytes(settings) == second._copy.model.to_bytes()


def test_a_worker_that_slept_through_a_snapshot_takes_it(settings):
    learner = a_learner(settings.redis_url, ModelConfig(snapshot_every_batches=2))
    run_stream(settings, learner, range(2))
    sleeper = Worker(settings)
    sleeper.current_model()
    run_stream(settings, learner, range(2, 2 * KEPT_PATCHES))

    assert sleeper.current_model().to_bytes() == learner._copy.model.to_bytes()


def test_a_full_model_is_trimmed_and_the_workers_follow(settings):
    learner = a_learner(settings.redis_url, ModelConfig(max_items=10))
    run_stream(settings, learner, range(5))

    assert learner._copy.model.n_items <= 10
    assert worker_for(settings).current_model().to_bytes() == learner._copy.model.to_bytes()


def test_after_a_flush_the_next_step_brings_the_model_back(settings, redis_client):
    learner = a_learner(settings.redis_url)
    run_stream(settings, learner, range(3))
    redis_client.flushall()
    run_stream(settings, learner, range(3, 5))

    assert worker_for(settings).current_model().to_bytes() == model_bytes(settings) == learner._copy.model.to_bytes()
    assert learner._copy.model.n_items > 10  # of all batches, not of those after the flush alone
