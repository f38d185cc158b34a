"""The hot path beside the registry: a promotion and a rollback reach the lists while clicks go on, without a restart."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice

import pytest

from pipelines.lists.document import PublishedList
from pipelines.local.shop import Shop, ShopConfig
from pipelines.model_sections import ModelConfig
from pipelines.models.kinds import empty
from pipelines.sinks.kafka import KafkaRecordSink
from pipelines.tracking.promotion import promote, rollback
from pipelines.tracking.registry import Registry
from pipelines.tracking.versions import Origin
from tests.both_streams import BothStreams
from tests.servers import MAX_RECORD_BYTES

pytestmark = [pytest.mark.servers, pytest.mark.spark]
PATIENCE_SECONDS = 300.0


@pytest.fixture
def streams(servers, topic, tmp_path) -> Iterator[BothStreams]:
    streams = BothStreams("promoted", tmp_path, servers, topic, redis_db=3)
    clicking = threading.Event()
    clicks = threading.Thread(target=click_on, args=(servers, topic, clicking), daemon=True)
    process = streams.start("personalize")
    clicks.start()
    yield streams
    clicking.set()
    clicks.join()
    process.terminate()
    assert process.wait(60) in (0, 143)


def click_on(servers, topic: str, stop: threading.Event) -> None:
    """A hundred records, then a moment, for as long as the test runs."""
    records = Shop(ShopConfig(n_events=500_000, n_users=200, n_items=200)).records()
    with KafkaRecordSink(servers.bootstrap_servers, topic, MAX_RECORD_BYTES) as sink:
        while not stop.wait(0.2):
            for sent in islice(records, 100):
                sink.send(sent.record)


def versions_of_lists(streams: BothStreams) -> dict[str, int]:
    """Registered version that a list was made by → when the newest such list was made, epoch ms."""
    newest: dict[str, int] = {}
    for document in streams.values("list:*").values():
        made = PublishedList.from_json(document)
        version = made.model.split("-")[0]
        newest[version] = max(newest.get(version, 0), made.as_of_ms)
    return newest


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def test_lists_follow_a_promotion_and_a_rollback(streams):
    registry = Registry.open(streams.config.tracking)
    config = ModelConfig()
    first, second = (
        registry.add(config, empty(config).to_bytes(), Origin("trained", 1, n_items=0, as_of_s=0)) for _ in range(2)
    )
    wait_until(lambda: bool(versions_of_lists(streams)))  # the stream is warm

    promote(registry, first)
    wait_until(lambda: str(first.number) in versions_of_lists(streams))
    promote(registry, second, is_forced=True)
    wait_until(lambda: str(second.number) in versions_of_lists(streams))
    rolled_back_ms = time.time_ns() // 1_000_000
    rollback(registry)
    wait_until(lambda: versions_of_lists(streams).get(str(first.number), 0) > rolled_back_ms)

    newest = versions_of_lists(streams)
    assert max(newest, key=newest.__getitem__) == str(first.number)
