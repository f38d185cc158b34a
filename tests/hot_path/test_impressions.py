"""What was shown, on its way through the stage: counted once, no interaction, and never in the way."""

from dataclasses import replace

import pytest

from pipelines.features.shown import decode_shown
from pipelines.hot_path.worker import StageSettings, worker_for
from pipelines.list_sections import ListsConfig, RulesConfig
from pipelines.model_sections import ModelConfig
from pipelines.sections import ProfileConfig
from pipelines.stores.keys import profile_key, shown_key
from tests.hot_path.micro_batches import hash_of, run, some_impressions, some_rows, the_sums

SECOND = 1_570_000_000


@pytest.fixture
def settings(redis_url) -> StageSettings:
    worker_for.cache_clear()
    return StageSettings(redis_url, 77, ProfileConfig(), ListsConfig(n=3), ModelConfig(), the_sums())


def counts(client, user="u1") -> dict[int, int]:
    shown = decode_shown([client.get(shown_key(user))])
    return dict(zip(shown.item.tolist(), shown.count.tolist(), strict=True))


def low(item: str) -> int:
    return hash_of(item) & (1 << 28) - 1


def test_impressions_are_counted_until_the_item_is_touched(settings, redis_client):
    run(settings, 0, some_impressions([("u1", "i1", 0), ("u1", "i2", 0), ("u1", "i1", 5)]))
    assert counts(redis_client) == {low("i1"): 2, low("i2"): 1}

    run(settings, 1, some_rows([("u1", "i1", 6)], first_offset=3))
    assert counts(redis_client) == {low("i1"): 0, low("i2"): 1}


def test_a_replay_and_a_retry_change_no_byte(settings, redis_client):
    batch = [some_impressions([("u1", "i1", 0), ("u1", "i1", 5)]), some_rows([("u1", "i2", 6)], first_offset=2)]
    (first,) = run(settings, 0, *batch)
    before = {key: redis_client.dump(key) for key in redis_client.keys("*:{u1}")}
    worker_for.cache_clear()

    run(settings, 0, *batch)
    run(settings, 1, some_impressions([("u1", "i1", 0), ("u1", "i1", 5)], first_offset=3))

    assert {key: redis_client.dump(key) for key in redis_client.keys("*:{u1}")} == before
    assert first["n_impressions"] == 2 and first["n_interactions"] == 1 and first["n_examples"] <= 1


def test_who_was_only_shown_something_has_no_profile(settings, redis_client):
    (report,) = run(settings, 0, some_impressions([("u9", "i1", 0)]), some_rows([("u1", "i2", 6)], first_offset=1))

    assert counts(redis_client, "u9") == {low("i1"): 1} and redis_client.get(profile_key("u9")) is None
    assert report["n_users"] == 1 and redis_client.get(shown_key("u1")) is None


def test_impressions_alone_are_a_micro_batch_too(settings, redis_client):
    (report,) = run(settings, 0, some_impressions([("u1", "i1", 0)]))

    assert (report["n_impressions"], report["n_interactions"], report["n_lists"]) == (1, 0, 0)
    assert redis_client.keys("profile*") == [] and redis_client.keys("due*") == []


def test_what_was_shown_is_forgotten_a_day_after_it_stops_to_matter(settings, redis_client):
    run(settings, 0, some_impressions([("u1", "i1", 0)]))

    assert 7 * 86_400 < redis_client.ttl(shown_key("u1")) <= 8 * 86_400


def test_nothing_is_kept_where_nobody_asks(settings, redis_client):
    never = settings.lists.model_copy(update={"rules": RulesConfig(fatigue_impressions=0)})

    run(replace(settings, lists=never), 0, some_rows([("u1", "i1", 0)]))

    assert redis_client.keys("shown*") == []
