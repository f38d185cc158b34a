"""kill -9 in mid-stream, then a restart: the same tables and profiles as without."""

import random
from pathlib import Path

import pytest
import yaml

from pipelines.local.servers import ensure_topic
from pipelines.local.shop import Shop, ShopConfig, Truth
from pipelines.sections import ProfileConfig
from pipelines.sinks.kafka import KafkaRecordSink
from pipelines.sources.topics import describe_topic
from pipelines.stores.heartbeat import HeartbeatStore
from tests.both_streams import MODEL, BothStreams
from tests.features.oracle import Oracle, seconds
from tests.monitoring.beats import figures_without_meaning
from tests.servers import MAX_RECORD_BYTES

PROJECT = Path(__file__).parents[2]
N_EVENTS = 5_000
RING = ProfileConfig().ring_size
pytestmark = [pytest.mark.crash, pytest.mark.servers, pytest.mark.spark]


@pytest.fixture(scope="module")
def topic(servers) -> str:
    ensure_topic(servers.bootstrap_servers, "killed", 2, MAX_RECORD_BYTES)
    return "killed"


@pytest.fixture(scope="module")
def truth(servers, topic) -> Truth:
    shop = Shop(ShopConfig(n_events=N_EVENTS, n_users=300, n_items=300, broken_share=0.05, retry_share=0.1))
    truth = Truth(shop)
    with KafkaRecordSink(servers.bootstrap_servers, topic, MAX_RECORD_BYTES) as sink:
        for sent in shop.records():
            sink.send(sent.record)
            truth.add(sent)
    return truth


@pytest.fixture(scope="module")
def whole(servers, topic, truth, tmp_path_factory) -> BothStreams:
    """Both streams, never interrupted."""
    whole = BothStreams("whole", tmp_path_factory.mktemp("kill"), servers, topic, redis_db=1)
    whole.finish()
    n_records = describe_topic(whole.config.kafka).n_records
    assert n_records == truth.n_sent and whole.committed("personalize") == n_records
    return whole


@pytest.mark.parametrize("stream", ["validate_events", "personalize"])
def test_the_exporter_knows_every_figure_that_a_stream_tells(whole, stream):
    beat = HeartbeatStore(whole.client).read(stream)

    assert beat["state"] == "stopped" and beat["kafka_lag"] == 0
    assert figures_without_meaning(stream, beat) == set()


@pytest.mark.parametrize("seed", [1])
def test_killed_and_restarted_jobs_end_as_uninterrupted_ones(servers, topic, truth, whole, tmp_path, seed):
    n_records = truth.n_sent
    killed, chance = BothStreams("killed", tmp_path, servers, topic, redis_db=2), random.Random(seed)
    for _ in range(2):
        reached = killed.kill_in_mid_stream(chance)
        assert all(0 < offset < n_records for offset in reached.values()), "the kill was not in mid-stream"
    assert killed.kill_in_mid_stream(chance, "personalize")["personalize"] < n_records, "the kill was not in mid-stream"
    killed.finish()

    assert killed.table("events") == whole.table("events")
    assert killed.table("quarantine") == whole.table("quarantine")
    assert killed.profiles() == whole.profiles()
    assert killed.listed_users() == whole.listed_users()
    assert killed.model() == whole.model()
    # and both are right, not only equal
    assert len(whole.table("events")) == truth.n_good
    assert len(whole.table("quarantine")) == truth.n_broken
    # a visitor who logged in without having done anything has a link alone
    folded = {key.decode(): profile[0][0] for key, profile in whole.profiles().items() if profile[0][0]}
    assert max(truth.interactions.values()) > RING  # late events of such a user are told from repeats by the tail
    assert folded == {f"profile:{{{user}}}": n for user, n in truth.interactions.items()}
    assert len(whole.listed_users()) == sum(n >= 5 for n in truth.interactions.values())


@pytest.mark.parametrize("seed", [3])
def test_the_model_goes_on_from_just_the_committed_batches_wherever_its_driver_died(
    servers, topic, truth, whole, tmp_path, seed
):
    killed, chance = BothStreams("killed", tmp_path, servers, topic, redis_db=4), random.Random(seed)
    last, _ = whole.model()
    every = MODEL["snapshot_every_batches"]
    without_snapshot = [batch_id for batch_id in range(1, last) if batch_id % every]
    fatal = {
        "before-the-patch": chance.choice(without_snapshot),
        "between-snapshot-and-patch": chance.choice(range(every, last, every)),
        "after-the-patch": chance.choice(without_snapshot),
    }
    for point, batch_id in sorted(fatal.items(), key=lambda one: one[1]):
        assert killed.die_at(point, batch_id) < truth.n_sent
        assert killed.model()[0] == (batch_id - 1 if point == "before-the-patch" else batch_id)
    killed.finish("personalize")

    assert killed.model() == whole.model()
    assert killed.profiles() == whole.profiles()


def two_entities(folder: Path) -> tuple[Path, dict]:
    """The shipped features of items, and those of profiles: two tables are enough to die between them."""
    document = yaml.safe_load((PROJECT / "conf/features.yaml").read_text(encoding="utf-8"))
    kept = ("user", "item")
    document["entities"] = {name: document["entities"][name] for name in kept}
    features = document["features"].items()
    document["features"] = {n: e for n, e in features if e["entity"] == "item" or e.get("online")}
    document["ranks"] = {"trending": {"feature": "item_popularity_hour"}}
    del document["fallbacks"]
    path = folder / "features.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path, document


@pytest.mark.parametrize("seed", [5])
def test_features_and_profiles_survive_eight_more_kills(servers, topic, truth, whole, tmp_path, seed):
    path, document = two_entities(tmp_path)
    features = {"definitions": str(path), "trigger_seconds": 0, "max_bytes_per_trigger": "1k"}
    killed = BothStreams(
        "killed", tmp_path, servers, topic, redis_db=3, lake_root=whole.config.lake_root, features=features
    )
    chance, jobs = random.Random(seed), ("personalize", "build_features")
    for _ in range(4):
        reached = killed.kill_in_mid_stream(chance, *jobs)
        assert reached["personalize"] < truth.n_sent, "the kill was not in mid-stream"
    killed.finish(*jobs)

    assert killed.profiles() == whole.profiles()
    events = whole.rows("events")
    for event in events:
        event["extra"] = dict(event["extra"] or [])
    for entity, keys in document["entities"].items():
        expected = Oracle(document).features(entity, events)
        rows = {tuple(row[key] for key in keys): row for row in killed.rows(f"features/v1/{entity}_features")}
        assert rows.keys() == expected.keys() and len(rows) > 50
        for key, want in expected.items():
            assert seconds(rows[key]["as_of"]) == want.pop("as_of_s")
            for name, value in want.items():
                assert_value(rows[key][name], value)


def assert_value(mine, value) -> None:
    if isinstance(value, set):
        assert mine in value
    elif isinstance(value, float):
        assert mine == pytest.approx(value, rel=1e-9, abs=1e-6 * 1e-3)  # signed weights: some cancel
    elif hasattr(mine, "tzinfo"):
        assert mine.replace(tzinfo=None) == value.replace(tzinfo=None)
    else:
        assert mine == value
