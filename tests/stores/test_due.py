"""Who is due, on a real server: asked once, claimed once, given back when the claim runs out."""

import pytest

from pipelines.stores.connection import connect
from pipelines.stores.due import LEASE_MS, N_SHARDS, DueStore, shard_of

NOW = 1_000_000
SHARD = shard_of("u1")


@pytest.fixture
def store(each_redis_url) -> DueStore:
    return DueStore(connect(each_redis_url))


def claimed(store: DueStore, now_ms: int, shard: int = SHARD) -> list[str]:
    return store.claim("due", shard, now_ms, now_ms, 10)


def test_a_user_is_due_at_the_first_time_that_was_put_and_not_before(store):
    store.put(["u1"], NOW)
    store.put(["u1"], NOW - 1)

    assert claimed(store, NOW - 1) == []
    assert claimed(store, NOW) == ["u1"]


def test_two_executors_get_a_user_once(store):
    store.put(["u1"], NOW)

    assert [claimed(store, NOW), claimed(store, NOW)] == [["u1"], []]


def test_a_claim_that_nobody_finished_comes_back_when_its_lease_ends(store):
    store.put(["u1"], NOW)
    claimed(store, NOW)

    assert claimed(store, NOW + LEASE_MS - 1) == []
    assert claimed(store, NOW + LEASE_MS) == ["u1"]
    assert claimed(store, NOW + LEASE_MS) == []


def test_what_is_done_does_not_come_back(store):
    store.put(["u1"], NOW)
    claimed(store, NOW)
    store.done("due", SHARD, ["u1"])

    assert claimed(store, NOW + LEASE_MS) == []


def test_a_user_who_acts_during_a_claim_is_due_again_after_it(store):
    store.put(["u1"], NOW)
    claimed(store, NOW)
    store.put(["u1"], NOW + 5)

    assert claimed(store, NOW + 10) == []
    store.done("due", SHARD, ["u1"])
    assert claimed(store, NOW + 10) == ["u1"]


def test_a_list_that_was_made_meanwhile_is_not_due(store):
    store.put(["u1", "u2"], NOW)
    store.settle(["u1"])

    assert [user for shard in range(N_SHARDS) for user in claimed(store, NOW, shard)] == ["u2"]


def test_to_ask_brings_it_forward_but_never_back(store):
    store.put(["u1"], NOW)
    store.ask(["u1"], NOW + 5)
    assert claimed(store, NOW - 5) == []

    store.ask(["u1"], NOW - 5)
    assert claimed(store, NOW - 5) == ["u1"]


def test_renewals_come_by_their_score_whatever_the_time(store):
    users = [f"u{i}" for i in range(200) if shard_of(f"u{i}") == SHARD]
    store.renew(users, [-float(place) for place in range(len(users))])

    taken = store.claim("renewal", SHARD, float("inf"), NOW, 3)

    assert taken == users[-1:-4:-1] and claimed(store, NOW) == []


def test_what_waits_is_counted_with_the_claims_that_ran_out(store):
    users = [f"u{i}" for i in range(100)]
    store.put(users, NOW)
    assert sum(store.waiting("due", NOW - 1, NOW - 1)) == 0 and sum(store.waiting("due", NOW, NOW)) == 100

    taken = claimed(store, NOW)
    assert sum(store.waiting("due", NOW, NOW)) == 100 - len(taken)
    assert sum(store.waiting("due", NOW, NOW + LEASE_MS)) == 100


def test_every_queue_disappears_when_nobody_looks(store):
    store.put(["u1"], NOW)
    store.renew(["u1"], [0.0])
    claimed(store, NOW)
    store.put(["u2"], NOW)

    keys = store.client.keys("*")
    assert len(keys) == 3 and all(store.client.ttl(key) > 0 for key in keys)
