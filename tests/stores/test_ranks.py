"""Ranks and fallback lists in a real server: whole, dated, and gone when they are old."""

from dataclasses import replace

import pytest

from pipelines.lists.document import PublishedList
from pipelines.stores.connection import connect
from pipelines.stores.keys import rank_next_key
from pipelines.stores.ranks import PublishedRank, RankStore

DAY_S = 86_400.0
AS_OF_S = 1_717_243_200
TRENDING = PublishedRank(
    "trending", ["b", "a", "c"], [AS_OF_S + 10.5, AS_OF_S - DAY_S, AS_OF_S - 9 * DAY_S],
    AS_OF_S * 1000, "popularity_day", 1, DAY_S,
)  # fmt: skip


def a_store(url, ttl_seconds=3600):
    return RankStore(connect(url), ttl_seconds=ttl_seconds)


def test_a_rank_is_read_as_it_was_published_whole_or_its_head(each_redis_url):
    store = a_store(each_redis_url)
    assert store.read_rank("trending") is None

    store.publish_rank(TRENDING)

    assert store.read_rank("trending") == TRENDING
    assert store.read_rank("trending", 1) == replace(TRENDING, members=["b"], scores=TRENDING.scores[:1])


def test_a_rank_takes_the_place_of_the_last_one_as_a_whole(redis_url, redis_client):
    store = a_store(redis_url)
    store.publish_rank(TRENDING)
    redis_client.zadd(rank_next_key("trending"), {"left by a publisher that was killed": 1e12})

    newer = replace(TRENDING, members=["d"], scores=[AS_OF_S + 60.0], as_of_ms=TRENDING.as_of_ms + 60_000)
    store.publish_rank(newer)
    stored = {key: redis_client.dump(key) for key in redis_client.keys("*")}
    store.publish_rank(newer)  # a replay

    assert store.read_rank("trending") == newer
    assert {key: redis_client.dump(key) for key in redis_client.keys("*")} == stored
    assert set(stored) == {b"rank:{trending}", b"rank:{trending}:about"}

    store.publish_rank(replace(newer, members=[], scores=[]))
    assert store.read_rank("trending") is None and not redis_client.keys("*")


def test_a_rank_of_more_members_than_one_command_takes_is_whole(redis_url):
    many = replace(TRENDING, members=[f"i{n:05}" for n in range(12_000)], scores=[-float(n) for n in range(12_000)])
    store = a_store(redis_url)
    store.publish_rank(many)

    assert store.read_rank("trending") == many


def test_the_order_of_a_rank_never_changes_as_time_passes():
    now, much_later = (TRENDING.values_at(AS_OF_S + age) for age in (0, 300 * DAY_S))

    assert now[1] == 0.5
    assert now == sorted(now, reverse=True) and much_later == sorted(much_later, reverse=True) and min(much_later) > 0
    assert [later / value for value, later in zip(now, much_later, strict=True)] == pytest.approx([2.0**-300] * 3)
    assert replace(TRENDING, half_life_s=None).values_at(AS_OF_S) == TRENDING.scores


def test_a_fallback_list_is_read_as_a_list_and_another_segment_has_none(redis_url):
    published = PublishedList(["a", "b"], [2.0, 1.0], AS_OF_S * 1000, "features-v1", "segment", "id")
    store = a_store(redis_url)
    store.publish_fallbacks({f"category:{n}": published.to_json() for n in range(450)} | {"all": b"{}"})

    assert PublishedList.from_json(store.read_fallback("category:449")) == published
    assert store.read_fallback("all") == b"{}" and store.read_fallback("category:450") is None


def test_what_is_older_than_its_time_to_live_is_not_served(redis_url, redis_client):
    store = a_store(redis_url, ttl_seconds=100)
    store.publish_rank(TRENDING)
    store.publish_fallbacks({"all": b"{}"})
    keys = redis_client.keys("*")
    assert len(keys) == 3 and all(0 < redis_client.ttl(key) <= 100 for key in keys)

    for key in keys:
        redis_client.expireat(key, 1)  # as if the time had passed

    assert store.read_rank("trending") is None and store.read_fallback("all") is None


def test_half_of_an_expired_rank_is_none(redis_url, redis_client):
    store = a_store(redis_url)
    for half in ("rank:{trending}", "rank:{trending}:about"):
        store.publish_rank(TRENDING)
        redis_client.delete(half)

        assert store.read_rank("trending") is None
