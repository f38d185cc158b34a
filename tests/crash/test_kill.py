"""kill -9 in mid-stream, then a restart: the same tables and profiles as without."""

import random

import pytest

from pipelines.local.shop import Shop, ShopConfig, Truth
from pipelines.sections import ProfileConfig
from pipelines.sinks.kafka import KafkaRecordSink
from pipelines.sources.topics import describe_topic
from tests.both_streams import BothStreams

N_EVENTS = 5_000
RING = ProfileConfig().ring_size
pytestmark = [pytest.mark.crash, pytest.mark.servers, pytest.mark.spark]


@pytest.fixture
def truth(servers, topic) -> Truth:
    shop = Shop(ShopConfig(n_events=N_EVENTS, n_users=300, n_items=300, broken_share=0.05, retry_share=0.1))
    truth = Truth(shop)
    with KafkaRecordSink(servers.bootstrap_servers, topic, 8_388_608) as sink:
        for sent in shop.records():
            sink.send(sent.record)
            truth.add(sent)
    return truth


@pytest.mark.parametrize("seed", [1])
def test_killed_and_restarted_jobs_end_as_uninterrupted_ones(servers, topic, truth, tmp_path, seed):
    whole = BothStreams("whole", tmp_path, servers, topic, redis_db=1)
    whole.finish()
    n_records = describe_topic(whole.config.kafka).n_records
    assert n_records == truth.n_sent and whole.committed("personalize") == n_records

    killed, chance = BothStreams("killed", tmp_path, servers, topic, redis_db=2), random.Random(seed)
    for _ in range(2):
        reached = killed.kill_in_mid_stream(chance)
        assert all(0 < offset < n_records for offset in reached.values()), "the kill was not in mid-stream"
    killed.finish()

    assert killed.table("events") == whole.table("events")
    assert killed.table("quarantine") == whole.table("quarantine")
    assert killed.profiles() == whole.profiles()
    assert killed.listed_users() == whole.listed_users()
    # and both are right, not only equal
    assert len(whole.table("events")) == truth.n_good
    assert len(whole.table("quarantine")) == truth.n_broken
    folded = {key.decode(): profile[0][0] for key, profile in whole.profiles().items()}
    assert max(truth.interactions.values()) > RING  # late events of such a user are told from repeats by the tail
    assert folded == {f"profile:{{{user}}}": n for user, n in truth.interactions.items()}
    assert len(whole.listed_users()) == sum(n >= 5 for n in truth.interactions.values())
