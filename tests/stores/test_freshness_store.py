"""What check_freshness remembers, and the mode that it sets: both in one step, on real servers."""

import pytest

from pipelines.stores.connection import connect
from pipelines.stores.freshness import FreshnessStore
from pipelines.stores.keys import FRESHNESS
from pipelines.stores.serving_mode import ServingMode, ServingModeStore

FALLBACK = ServingMode("fallback", "too old", 1, "check_freshness")


@pytest.fixture
def client(each_redis_url):
    return connect(each_redis_url)


@pytest.fixture
def store(client):
    return FreshnessStore(client)


def test_nothing_is_remembered_at_first(store):
    read = store.read()

    assert (read.values, read.mode, read.is_mode_set) == ({}, ServingMode(), False)


def test_memory_and_mode_are_what_was_set(store, client):
    assert store.exchange(store.read(), {"as_of_ms": 1}, FALLBACK)

    read = store.read()
    assert (read.values, read.mode, read.is_mode_set) == ({"as_of_ms": 1}, FALLBACK, True)
    assert client.ttl(FRESHNESS) > 0 and client.ttl("serving:mode") == -1


def test_without_a_mode_the_mode_stays(store):
    store.exchange(store.read(), {"as_of_ms": 1}, FALLBACK)
    store.exchange(store.read(), {"as_of_ms": 2}, None)

    assert (store.read().values, store.read().mode) == ({"as_of_ms": 2}, FALLBACK)


def test_of_two_that_read_the_same_one_writes(store):
    first, second = store.read(), store.read()

    assert store.exchange(first, {"as_of_ms": 1}, FALLBACK)
    assert not store.exchange(second, {"as_of_ms": 2}, ServingMode())
    assert (store.read().values, store.read().mode) == ({"as_of_ms": 1}, FALLBACK)


def test_a_person_who_was_faster_wins(store, client):
    read = store.read()
    by_hand = ServingMode("personal", "I know better", 5, "alice")
    ServingModeStore(client).set(by_hand)

    assert not store.exchange(read, {"as_of_ms": 1}, FALLBACK)
    assert (store.read().values, store.read().mode) == ({}, by_hand)


@pytest.mark.parametrize("stored", [b"no json", b"[1]"])
def test_what_cannot_be_read_is_forgotten(store, client, stored):
    client.set(FRESHNESS, stored)

    assert store.read().values == {}
    assert store.exchange(store.read(), {"as_of_ms": 1}, None)


def test_a_mode_that_is_forgotten_was_never_set(store, client):
    store.exchange(store.read(), {}, FALLBACK)
    ServingModeStore(client).forget()

    assert not store.read().is_mode_set and store.read().mode.mode == "personal"
