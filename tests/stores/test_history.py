"""A stream's figures of the last day: a point a minute, bounded, gone after a while."""

import time
from types import SimpleNamespace

from pipelines.stores import heartbeat
from pipelines.stores.heartbeat import HeartbeatStore, SharedHeartbeat
from pipelines.stores.history import N_POINTS, HistoryStore
from pipelines.stores.keys import history_key


def test_the_figures_that_are_plotted_are_kept_and_no_others(redis_client):
    store = HistoryStore(redis_client)
    store.note("personalize", {"n_new": 4, "kafka_lag": None, "progressive_ndcg": 0.25, "ruleset": "abc"})
    store.note("personalize", {"ruleset": "abc"})
    store.note("personalize", {"n_new": 9})

    assert [point.figures for point in store.read("personalize")] == [
        {"n_new": 4, "progressive_ndcg": 0.25},
        {"n_new": 9},
    ]
    assert store.read("personalize")[0].at_ms > 1_700_000_000_000
    assert store.read("nobody") == []
    assert 0 < redis_client.ttl(history_key("personalize")) <= 2 * 24 * 3600


def test_a_day_is_kept(redis_client):
    store = HistoryStore(redis_client)
    for number in range(3 * N_POINTS):
        store.note("personalize", {"n_new": number})

    kept = store.read("personalize")
    assert N_POINTS <= len(kept) < 1.2 * N_POINTS and kept[-1].figures["n_new"] == 3 * N_POINTS - 1


def test_a_heartbeat_is_noted_once_a_minute(redis_client, monkeypatch):
    clock = SimpleNamespace(now_s=1_000.0, time_ns=time.time_ns)
    clock.monotonic = lambda: clock.now_s
    monkeypatch.setattr(heartbeat, "time", clock)
    beat = SharedHeartbeat(HeartbeatStore(redis_client), "personalize")
    for n_new, clock.now_s in ((1, 1_000.0), (2, 1_059.0), (3, 1_061.0)):
        beat.tell_batch({"n_new": n_new})

    assert [point.figures["n_new"] for point in HistoryStore(redis_client).read("personalize")] == [1, 3]
