"""The catalogue on a real server: who wins, what is news, and that a reader with the version has all of it."""

import random
from dataclasses import replace

import pytest
from redis import Redis

from pipelines.catalogue.item import CatalogueItem
from pipelines.stores import catalogue_copy
from pipelines.stores.catalogue import CHUNK, CHUNKS_AT_ONCE, TTL_SECONDS, CatalogueStore, Hold, Written
from pipelines.stores.catalogue_copy import CatalogueCopy
from pipelines.stores.connection import connect
from pipelines.stores.keys import CATALOGUE_CHANGES, CATALOGUE_UNAVAILABLE

BOOT = CatalogueItem("boot", "Boots", "shoes > boots", updated_ms=100)
RECALL = Hold("recalled", 5)


@pytest.fixture
def store(each_redis_url) -> CatalogueStore:
    return CatalogueStore(connect(each_redis_url))


@pytest.fixture
def copy(store) -> CatalogueCopy:
    return CatalogueCopy(connect_again(store))


def connect_again(store: CatalogueStore) -> Redis:
    port = store.client.connection_pool.connection_kwargs["port"]
    return connect(f"redis://127.0.0.1:{port}")


def caught_up(store: CatalogueStore, copy: CatalogueCopy) -> CatalogueCopy:
    copy.catch_up(store.version())
    return copy


def unavailable(store: CatalogueStore) -> set[str]:
    return {item_id.decode() for item_id in store.client.smembers(CATALOGUE_UNAVAILABLE)}


class Commands:
    """Counts what the copy sends."""

    def __init__(self, copy: CatalogueCopy, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[str] = []
        send = copy._client.execute_command
        monkeypatch.setattr(
            copy._client, "execute_command", lambda *args, **kw: self.sent.append(args[0]) or send(*args, **kw)
        )


@pytest.mark.parametrize(
    ("second", "outcome", "stored"),
    [
        pytest.param(replace(BOOT), Written(n_unchanged=1), BOOT, id="the-same-again"),
        pytest.param(replace(BOOT, price=1.0), Written(n_changed=1), replace(BOOT, price=1.0), id="corrected-at-once"),
        pytest.param(replace(BOOT, price=1.0, updated_ms=99), Written(n_older=1), BOOT, id="older"),
        pytest.param(replace(BOOT, updated_ms=99), Written(n_older=1), BOOT, id="older-and-the-same"),
        pytest.param(
            replace(BOOT, price=1.0, updated_ms=1_000), Written(n_changed=1), replace(BOOT, price=1.0, updated_ms=1_000),
            id="newer-by-number-not-by-text",
        ),
    ],
)  # fmt: skip
def test_the_last_writer_wins(store, copy, second, outcome, stored):
    assert store.write([BOOT]) == Written(n_new=1)
    version = store.version()

    assert store.write([second]) == outcome

    assert caught_up(store, copy).get("boot") == stored
    assert (store.version() != version) == bool(outcome.n_changed)


def test_a_newer_record_that_says_the_same_keeps_older_ones_away_and_is_no_news(store, copy):
    store.write([BOOT])
    version = store.version()

    assert store.write([replace(BOOT, updated_ms=300)]) == Written(n_unchanged=1)
    assert store.version() == version
    assert store.write([replace(BOOT, price=1.0, updated_ms=200)]) == Written(n_older=1)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda store: store.write([replace(BOOT, hidden=True)]), id="hidden"),
        pytest.param(lambda store: store.write([replace(BOOT, in_stock=False)]), id="sold-out"),
        pytest.param(lambda store: store.remove({"boot": 100}), id="gone"),
        pytest.param(lambda store: store.hold("boot", RECALL), id="held"),
    ],
)
def test_a_read_that_begins_after_the_write_does_not_see_the_item(store, copy, change):
    store.write([BOOT])
    assert not caught_up(store, copy).is_unavailable("boot") and copy.arrays().is_available.all()

    change(store)

    assert caught_up(store, copy).is_unavailable("boot") and not copy.arrays().is_available.any()
    assert unavailable(store) == {"boot"}


def test_what_is_sold_again_is_back(store, copy):
    store.write([replace(BOOT, in_stock=False)])
    assert caught_up(store, copy).is_unavailable("boot")

    store.write([BOOT])

    assert not caught_up(store, copy).is_unavailable("boot") and not unavailable(store)


def test_what_is_gone_stays_unavailable_whatever_old_records_say(store, copy):
    store.write([BOOT])
    assert store.remove({"boot": 200, "never-seen": 200}) == Written(n_new=1, n_changed=1)
    assert store.remove({"boot": 200}) == Written(n_unchanged=1)

    assert store.write([BOOT]) == Written(n_older=1)

    assert caught_up(store, copy).get("boot") is None and copy.is_unavailable("boot")
    assert unavailable(store) == {"boot", "never-seen"}
    store.write([replace(BOOT, updated_ms=201)])
    assert not caught_up(store, copy).is_unavailable("boot")


def test_an_older_end_does_not_take_a_newer_item_away(store, copy):
    store.write([BOOT])
    assert store.remove({"boot": 99}) == Written(n_older=1)
    assert caught_up(store, copy).get("boot") == BOOT


def test_no_record_of_the_shop_ends_a_hold(store, copy):
    assert store.hold("boot", RECALL) and not store.hold("boot", RECALL)
    store.write([replace(BOOT, updated_ms=500)])

    assert caught_up(store, copy).is_unavailable("boot") and copy.get("boot").hidden
    assert unavailable(store) == {"boot"} and store.held("boot") == RECALL

    assert store.release("boot") and not store.release("boot")
    assert not caught_up(store, copy).is_unavailable("boot") and not copy.get("boot").hidden
    assert not unavailable(store) and store.held("boot") is None


def test_a_released_item_that_is_sold_out_stays_away(store, copy):
    store.write([replace(BOOT, in_stock=False)])
    store.hold("boot", RECALL)
    store.release("boot")

    assert caught_up(store, copy).is_unavailable("boot") and unavailable(store) == {"boot"}


def test_a_held_item_that_no_record_tells_of_is_unavailable_until_it_is_released(store, copy):
    store.hold("ghost", RECALL)
    assert caught_up(store, copy).is_unavailable("ghost") and copy.get("ghost") is None
    assert list(copy.arrays().is_available) == [False]

    store.release("ghost")
    assert not caught_up(store, copy).is_unavailable("ghost") and list(copy.arrays().is_available) == [True]


def test_the_same_version_costs_no_command(store, copy, monkeypatch):
    store.write([BOOT])
    assert copy.catch_up(store.version()) is True
    commands = Commands(copy, monkeypatch)
    arrays = copy.arrays()

    assert copy.catch_up(store.version()) is False
    assert copy.arrays() is arrays and not commands.sent


def test_a_version_that_the_copy_is_beyond_is_no_change(store, copy):
    store.write([BOOT])
    earlier = store.version()
    store.write([replace(BOOT, hidden=True)])
    caught_up(store, copy)

    assert copy.catch_up(earlier) is False and copy.version == store.version() and copy.is_unavailable("boot")


def test_a_few_changes_are_read_from_the_stream(store, copy, monkeypatch):
    store.write([CatalogueItem(f"i{i}") for i in range(1_000)])
    caught_up(store, copy)
    commands = Commands(copy, monkeypatch)
    store.write([BOOT])
    store.write([CatalogueItem("i5", hidden=True)])

    caught_up(store, copy)

    assert copy.get("boot") == BOOT and copy.is_unavailable("i5") and copy.version == store.version()
    assert commands.sent == ["XRANGE"]


@pytest.mark.parametrize("lost", ["trimmed", "too-far-behind", "another-server"])
def test_who_cannot_follow_reads_everything(store, copy, monkeypatch, lost):
    store.write([BOOT, CatalogueItem("i0", hidden=True)])
    caught_up(store, copy)
    if lost == "another-server":
        store.client.flushall()
    elif lost == "too-far-behind":
        monkeypatch.setattr(catalogue_copy, "MOST_BEHIND", 2)
    for i in range(1, 5):
        store.write([CatalogueItem(f"i{i}", hidden=True)])
    if lost == "trimmed":
        store.client.xtrim(CATALOGUE_CHANGES, maxlen=2, approximate=False)

    caught_up(store, copy)

    expected = {f"i{i}" for i in range(lost == "another-server", 5)}
    assert {name for name in ["boot", *(f"i{i}" for i in range(5))] if copy.is_unavailable(name)} == expected
    assert copy.version == store.version()
    assert (copy.get("boot") == BOOT) == (lost != "another-server")


def test_without_a_catalogue_everything_is_available(copy):
    assert copy.catch_up(None) is False
    assert not copy.is_unavailable("boot") and copy.get("boot") is None and len(copy.arrays()) == len(copy) == 0


def test_what_is_hidden_stays_so_when_redis_loses_the_catalogue(store, copy):
    store.write([replace(BOOT, hidden=True)])
    caught_up(store, copy)
    store.client.flushall()

    assert caught_up(store, copy).is_unavailable("boot")


def test_many_items_are_written_in_steps(store, copy):
    n = CHUNK * CHUNKS_AT_ONCE + 7
    items = [CatalogueItem(f"i{i}", hidden=i % 2 == 0) for i in range(n)]

    assert store.write(items) == Written(n_new=n) and store.write(items) == Written(n_unchanged=n)

    assert store.client.xlen(CATALOGUE_CHANGES) == CHUNKS_AT_ONCE + 1
    assert len(caught_up(store, copy)) == n and len(unavailable(store)) == (n + 1) // 2
    assert copy.arrays().is_available.sum() == n // 2


def test_the_stream_is_bounded(store, monkeypatch):
    monkeypatch.setattr("pipelines.stores.catalogue.KEPT_CHANGES", 100)
    for i in range(400):
        store.write([CatalogueItem("i", updated_ms=i, price=float(i))])

    assert 100 <= store.client.xlen(CATALOGUE_CHANGES) < 300


def test_every_key_lives_long_and_every_write_renews_that(store):
    store.hold("boot", RECALL)
    store.write([replace(BOOT, hidden=True)])
    keys = store.client.keys("*")
    for key in keys:
        store.client.expire(key, 10)

    store.write([replace(BOOT, hidden=True)])

    assert len(keys) == 5 and all(store.client.ttl(key) > TTL_SECONDS - 100 for key in keys)


@pytest.mark.parametrize("seed", range(5))
def test_a_copy_that_follows_has_what_one_that_reads_everything_has(store, copy, seed):
    rng = random.Random(seed)
    for _ in range(60):
        something_happens(store, f"i{rng.randrange(12)}", rng.randrange(50), rng)
        if rng.random() < 0.4:
            caught_up(store, copy).arrays()

    fresh = caught_up(store, CatalogueCopy(connect_again(store)))
    caught_up(store, copy)
    names = [f"i{i}" for i in range(12)]
    assert [said(copy, name) for name in names] == [said(fresh, name) for name in names]
    assert unavailable(store) == {name for name in names if fresh.is_unavailable(name)}
    arrays = copy.arrays()
    assert set(arrays.item_id[~arrays.is_available]) == unavailable(store)


def something_happens(store: CatalogueStore, item_id: str, at_ms: int, rng: random.Random) -> None:
    what = rng.choice(["price", "price", "hidden", "gone", "hold", "release"])
    if what == "gone":
        store.remove({item_id: at_ms})
    elif what == "hold":
        store.hold(item_id, RECALL)
    elif what == "release":
        store.release(item_id)
    else:
        store.write([CatalogueItem(item_id, price=rng.choice([1.0, 2.0]), hidden=what == "hidden", updated_ms=at_ms)])


def said(copy: CatalogueCopy, item_id: str) -> tuple:
    """All but `updated_ms`: a record that says the same is no news."""
    item = copy.get(item_id)
    return item and replace(item, updated_ms=0), copy.is_unavailable(item_id)
