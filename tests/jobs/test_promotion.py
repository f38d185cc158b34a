"""The gate and the hot path: a worse challenger is refused, a better one's lists come without a restart, and a rollback's too."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from itertools import islice

import numpy as np
import pytest
from click.testing import CliRunner

from jobs import evaluate_model, models, train_model
from pipelines.lists.document import PublishedList
from pipelines.local.shop import Shop, ShopConfig
from pipelines.model_sections import ModelConfig
from pipelines.models.kinds import from_bytes
from pipelines.sinks.delta_tables import ensure_table
from pipelines.sinks.kafka import KafkaRecordSink
from pipelines.tracking.promotion import promote
from pipelines.tracking.registry import Registry
from pipelines.tracking.versions import CHALLENGER, Origin, Version
from tests.both_streams import MODEL, BothStreams
from tests.jobs.test_train_model import FEW, SCHEMA, SMALL, rows_of
from tests.servers import MAX_RECORD_BYTES
from tests.training.shop import a_log

pytestmark = [pytest.mark.servers, pytest.mark.spark]
PATIENCE_SECONDS = 300.0
LOG = a_log()
N_POPULARITIES = len(ModelConfig().popularity_half_lives_hours)
SEEN = 900  # events that the models have learned from


@pytest.fixture
def streams(servers, topic, tmp_path) -> Iterator[BothStreams]:
    model = {**MODEL, "factorization": SMALL}
    streams = BothStreams("promoted", tmp_path, servers, topic, redis_db=3, model=model)
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


class Learned:
    """A model that learned planted taste, in the registry, and worse ones made of it."""

    def __init__(self, spark, streams: BothStreams) -> None:
        path = streams.config.table("events")
        ensure_table(spark, path, "events", SCHEMA)
        spark.createDataFrame(rows_of(LOG), SCHEMA).coalesce(1).write.format("delta").mode("append").save(path)
        self._config = str(streams.path)
        self.run(train_model.main, *FEW, "--until", instant(SEEN).strftime("%Y-%m-%dT%H:%M:%S"))
        self.registry = Registry.open(streams.config.tracking)
        trained = self.registry.version(1)
        self._made_with, self._data = self.registry.model_config(trained), self.registry.model_bytes(trained)

    def run(self, command, *arguments: str) -> str:
        ended = CliRunner().invoke(command, [*arguments, "--config", self._config], catch_exceptions=False)
        assert ended.exit_code in (0, 3), ended.output
        return " ".join(ended.stdout.split())

    def version(self, harm: Callable[[dict[str, np.ndarray]], None] = lambda _tables: None) -> Version:
        """A version with the trained parameters, and some harm done to them."""
        model = from_bytes(self._made_with, self._data)
        harm({name: table.values for name, table in model.scorer.tables.items()})
        as_of_s = int(instant(SEEN).timestamp())
        return self.registry.add(self._made_with, model.to_bytes(), Origin("trained", 1, model.n_items, as_of_s))

    def gate(self, challenger: Version, *options: str) -> str:
        self.registry.name(challenger, CHALLENGER)
        return self.run(evaluate_model.main, "--gate", "--as-of", instant(-1).isoformat(), *options)


def shuffle(tables: dict[str, np.ndarray]) -> None:
    """Items get each other's vectors, and what the user met before counts no more."""
    tables["item"][:] = np.roll(tables["item"], 5, axis=0)
    tables["term"][N_POPULARITIES:] = 0


def shuffle_and_turn_round(tables: dict[str, np.ndarray]) -> None:
    """And what is popular comes last."""
    shuffle(tables)
    tables["term"][:] *= -1


def instant(number: int) -> datetime:
    return datetime.fromtimestamp(LOG[number][2], timezone.utc)


def test_a_worse_challenger_is_refused_and_lists_follow_a_better_one_and_a_rollback(spark, streams):
    learned = Learned(spark, streams)
    registry = learned.registry
    champion, worse, better = learned.version(shuffle), learned.version(shuffle_and_turn_round), learned.version()
    promote(registry, champion, is_forced=True)
    wait_until(lambda: str(champion.number) in versions_of_lists(streams))

    assert f"The gate says of version {worse.number}: keep; not better beyond the interval" in learned.gate(worse)
    assert registry.champion() == champion.number
    assert registry.version(worse.number).tags["gate_decision"] == "keep"

    assert "The gate would say of version" in learned.gate(better, "--dry-run")
    assert registry.champion() == champion.number and "gate_decision" not in registry.version(better.number).tags

    assert f"The gate says of version {better.number}: promote; better beyond" in learned.gate(better)
    assert registry.version(better.number).aliases == ("champion",)
    wait_until(lambda: str(better.number) in versions_of_lists(streams))

    rolled_back_ms = time.time_ns() // 1_000_000
    assert f"version {champion.number} is champion again" in learned.run(models.main.commands["rollback"])
    wait_until(lambda: versions_of_lists(streams).get(str(champion.number), 0) > rolled_back_ms)
    newest = versions_of_lists(streams)
    assert max(newest, key=newest.__getitem__) == str(champion.number)
