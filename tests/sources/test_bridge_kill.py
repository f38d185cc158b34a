"""RabbitMQ, Kafka and the bridge killed −9 in mid-stream: every event is in Kafka, counted by its id."""

import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import tenacity
from kafka import KafkaConsumer, TopicPartition

from pipelines.local import broker
from pipelines.local.jars import broker_jars
from pipelines.local.processes import OwnedProcess, free_port
from pipelines.local.records import read_record, record_path
from pipelines.local.topics import ensure_topic
from pipelines.stores.heartbeat import KILLED, HeartbeatStore
from tests.events.builders import a_value
from tests.servers import MAX_RECORD_BYTES
from tests.sources.rabbit import RabbitMQ

pytestmark = [pytest.mark.servers, pytest.mark.crash]
N_EVENTS, PREFETCH = 2_500, 50
N_BEFORE_KILL = 200
SECONDS = 120.0


class Kafka:
    """A broker that can be killed −9 and started again, with the same data and ports."""

    def __init__(self, home: Path) -> None:
        self._home, self._ports = home, [free_port(), free_port()]
        self.address = broker.broker_address(self._ports[0])
        self._process: OwnedProcess | None = None

    def start(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(broker, "free_port", iter(self._ports).__next__)
            self._process = broker.start_broker(self._home, broker_jars(), MAX_RECORD_BYTES)

    def kill(self) -> None:
        record = read_record(record_path(self._home, broker.NAME))
        process = record and record.server.process()
        assert process and self._process
        assert process.name() == "java"
        process.kill()
        self._process.stop()

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    server = Kafka(tmp_path_factory.mktemp("kafka"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


class Bridge:
    """The job as a process of its own, and what it has brought to Kafka."""

    def __init__(self, rabbit: RabbitMQ, kafka: Kafka, redis_url: str, queue: str, log: Path) -> None:
        self._topic, self._log, self._kafka = f"bridged-{uuid.uuid4().hex[:8]}", log, kafka
        ensure_topic(kafka.address, self._topic, 2, MAX_RECORD_BYTES)
        self._environment = {
            **os.environ,
            "RABBITMQ_URL": rabbit.url,
            "KAFKA_BOOTSTRAP_SERVERS": kafka.address,
            "REDIS_URL": redis_url,
            "LIVESHELF_KAFKA__TOPIC": self._topic,
            "LIVESHELF_BRIDGE__QUEUE": queue,
            "LIVESHELF_BRIDGE__PREFETCH": str(PREFETCH),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            command = [sys.executable, "-m", "jobs", "bridge_rabbitmq"]
            self._process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log)

    def fail(self, queue: str) -> str:
        """Start with another queue, which is not there. Gives what it said."""
        command = [sys.executable, "-m", "jobs", "bridge_rabbitmq", "--queue", queue]
        ran = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        assert ran.returncode == 1
        return ran.stderr

    def kill(self) -> None:
        assert self._process
        assert self._process.poll() is None, self._log.read_text()
        self._process.kill()
        self._process.wait()

    def stop(self) -> str:
        """SIGTERM, as an orchestrator does. Gives what it said."""
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(SECONDS) == 0, self._log.read_text()
        return self._log.read_text()

    def n_records(self) -> int:
        with self._consumer() as consumer:
            return sum(consumer.end_offsets(self._partitions()).values())

    def ids(self) -> Counter[str]:
        """How often each event id is in the topic."""
        with self._consumer() as consumer:
            consumer.assign(self._partitions())
            consumer.seek_to_beginning()
            left, found = sum(consumer.end_offsets(self._partitions()).values()), Counter[str]()
            while left > 0:  # more may come meanwhile
                records = [record for some in consumer.poll(1_000).values() for record in some]
                found.update(orjson.loads(record.value)["event_id"] for record in records)
                left -= len(records)
        return found

    def _consumer(self) -> KafkaConsumer:
        return KafkaConsumer(bootstrap_servers=self._kafka.address, enable_auto_commit=False)

    def _partitions(self) -> list[TopicPartition]:
        return [TopicPartition(self._topic, number) for number in range(2)]


@pytest.fixture
def bridge(rabbit: RabbitMQ, kafka: Kafka, redis_url: str, queue: str, tmp_path: Path) -> Iterator[Bridge]:
    running = Bridge(rabbit, kafka, redis_url, queue, tmp_path / "bridge.log")
    yield running
    if running._process and running._process.poll() is None:
        running._process.kill()
        running._process.wait()


def until(condition) -> None:
    tenacity.Retrying(
        stop=tenacity.stop_after_delay(SECONDS),
        wait=tenacity.wait_fixed(0.02),
        retry=tenacity.retry_if_result(lambda ok: not ok),
    )(condition)


@pytest.mark.parametrize("victim", ["rabbit", "kafka", "bridge"])
def test_nothing_is_lost_when_one_is_killed_and_the_heartbeat_says_what_happened(
    rabbit, kafka, bridge, queue, redis_client, victim
):
    sent = [f"e-{n}" for n in range(N_EVENTS)]
    rabbit.publish(queue, (a_value(event_id=event_id, user_id=f"u-{event_id}") for event_id in sent))
    bridge.start()
    until(lambda: bridge.n_records() > N_BEFORE_KILL)

    killed = {"rabbit": rabbit, "kafka": kafka, "bridge": bridge}[victim]
    killed.kill()
    # Of a dead Kafka nothing can be counted, and nothing acknowledged: what waits in the queue tells then.
    is_in_mid_stream = rabbit.n_ready(queue) > 0 if victim == "kafka" else bridge.n_records() < N_EVENTS
    assert is_in_mid_stream, "the kill was not in mid-stream"
    killed.start()
    until(lambda: bridge.n_records() >= N_EVENTS and len(bridge.ids()) == N_EVENTS)
    said = bridge.stop()

    assert sorted(bridge.ids()) == sorted(sent)
    assert rabbit.n_ready(queue) == 0
    assert "acknowledged" in said
    told, was_killed = HeartbeatStore(redis_client).read("bridge_rabbitmq"), victim == "bridge"
    assert told["state"] == "stopped"
    assert (told["n_starts"], told["errors_by_kind"]) == ((2, {KILLED: 1}) if was_killed else (1, {KILLED: 0}))
    if (
        victim == "bridge"
    ):  # RabbitMQ may forget acknowledgements when it is killed; what the bridge had in hand is bounded
        assert bridge.n_records() <= N_EVENTS + PREFETCH
    if victim == "rabbit":
        assert "the connection to RabbitMQ is lost" in said


def test_a_bridge_that_cannot_begin_says_so_in_its_heartbeat_too(bridge, redis_client):
    assert "RabbitMQ refuses queue 'nobody-made-it'" in bridge.fail("nobody-made-it")

    told = HeartbeatStore(redis_client).read("bridge_rabbitmq")
    assert (told["state"], told["n_starts"], told["errors_by_kind"]) == ("failed", 1, {KILLED: 0, "ServerError": 1})
