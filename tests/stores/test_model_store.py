"""The model in a real server: numbered patches between full copies."""

from pipelines.stores.connection import connect
from pipelines.stores.heartbeat import HeartbeatStore
from pipelines.stores.keys import heartbeat_key
from pipelines.stores.model import KEPT_PATCHES, ModelStore, Patch, Snapshot


def a_store(url: str) -> ModelStore:
    return ModelStore(connect(url))


def test_patches_follow_a_snapshot_in_order(each_redis_url):
    store = a_store(each_redis_url)
    store.publish_snapshot("m1", Snapshot(-1, b"empty"))
    for batch_id in range(3):
        assert store.publish_patch("m1", Patch(batch_id, b"p%d" % batch_id))

    assert store.lineage() == "m1" and store.read_snapshot("m1") == Snapshot(-1, b"empty")
    assert store.read_patches("m1", after_batch=-1) == [Patch(0, b"p0"), Patch(1, b"p1"), Patch(2, b"p2")]
    assert store.read_patches("m1", after_batch=1) == [Patch(2, b"p2")]


def test_a_replayed_patch_is_refused(redis_url):
    store = a_store(redis_url)
    store.publish_patch("m1", Patch(7, b"first"))

    assert not store.publish_patch("m1", Patch(7, b"again"))
    assert store.read_patches("m1", after_batch=-1) == [Patch(7, b"first")]


def test_a_snapshot_drops_the_patches_it_holds_but_for_the_last_few(redis_url):
    store = a_store(redis_url)
    for batch_id in range(50):
        store.publish_patch("m1", Patch(batch_id, b"p"))
    store.publish_snapshot("m1", Snapshot(40, b"full"))

    kept = [patch.batch_id for patch in store.read_patches("m1", after_batch=-1)]
    assert kept == list(range(41 - KEPT_PATCHES, 50))
    assert not store.publish_patch("m1", Patch(40, b"late"))


def test_a_new_lineage_counts_from_zero_again(redis_url):
    store = a_store(redis_url)
    store.publish_patch("m1", Patch(500, b"old"))

    assert store.publish_patch("m2", Patch(0, b"new"))


def test_every_model_key_expires(redis_url, redis_client):
    store = a_store(redis_url)
    store.publish_snapshot("m1", Snapshot(-1, b""))
    store.publish_patch("m1", Patch(0, b"p"))

    assert all(redis_client.ttl(key) > 0 for key in redis_client.keys("*"))


def test_a_heartbeat_tells_its_age_and_expires(redis_url, redis_client):
    store = HeartbeatStore(connect(redis_url))
    store.beat("job", {"n_rows": 3})

    beat = store.read("job")
    assert beat and beat["n_rows"] == 3 and beat["as_of_ms"] > 1_700_000_000_000
    assert redis_client.ttl(heartbeat_key("job")) > 0
    assert store.read("nobody") is None
