"""Counts of what was shown, in Redis."""

from pipelines.stores.keys import explore_key
from pipelines.stores.trials import TrialCounts, TrialStore

COUNTS = TrialCounts(1_000, ["a", "b"], [0.5, 2.0], [10.0, 4.25])


def test_counts_read_back_until_others_take_their_place(redis_client):
    store = TrialStore(redis_client)
    assert store.read() is None

    store.publish(COUNTS, ttl_seconds=60)
    assert store.read() == COUNTS and store.read("device:car") is None

    store.publish(TrialCounts(2_000, [], [], []), ttl_seconds=60)
    assert store.read().items == [] and 0 < redis_client.ttl(explore_key("all")) <= 60
