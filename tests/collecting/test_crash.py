"""Kafka dies under load, and so does the collector: what was answered with 2xx is in the topic, counted one by one."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from kafka import KafkaConsumer, TopicPartition

from pipelines.local.processes import free_port
from pipelines.sinks.event_producer import Bounds, EventProducer, NotTakenError
from tests.collecting.killable import KillableBroker

pytestmark = [pytest.mark.crash, pytest.mark.servers]
PROJECT = Path(__file__).parents[2]
TOPIC = "clickstream"
SECONDS = 60


@pytest.fixture
def broker(tmp_path) -> Iterator[KillableBroker]:
    with KillableBroker(tmp_path / "broker") as running:
        yield running


class RunningCollector:
    """`liveshelf collect_events` as a process of its own."""

    def __init__(self, folder: Path, broker: KillableBroker, workers: int = 1, **config) -> None:
        self.port, self._log = free_port(), folder / "collector.log"
        path = folder / "config.yaml"
        path.write_text(json.dumps({"kafka": {"bootstrap_servers": broker.address}, "collector": config}))
        command = [sys.executable, "-m", "jobs", "collect_events", "--config", str(path), "--without-keys"]
        command += ["--port", str(self.port), "--workers", str(workers)]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log)

    def wait_ready(self) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                if self.request("/readyz") == 200:
                    return
            except OSError:
                assert self.process.poll() is None, self._log.read_text()
            time.sleep(0.1)
        raise AssertionError(f"not ready: {self._log.read_text()}")

    def request(self, path: str, body: bytes | None = None, timeout: float = SECONDS) -> int:
        url = f"http://127.0.0.1:{self.port}{path}"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body), timeout=timeout) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def stop(self) -> str:
        self.process.terminate()
        self.process.wait(SECONDS)
        return self._log.read_text()

    def kill_a_worker(self) -> None:
        self._workers()[0].kill()

    def wait_for_contacts(self, broker: KillableBroker, of_workers: int) -> None:
        port, deadline = int(broker.address.rpartition(":")[2]), time.monotonic() + SECONDS
        while sum(has_contact(worker, port) for worker in self._workers()) < of_workers:
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)

    def _workers(self) -> list[psutil.Process]:
        return [child for child in psutil.Process(self.process.pid).children() if is_worker(child)]

    def memory_bytes(self) -> int:
        return psutil.Process(self.process.pid).memory_info().rss


class Load:
    """Clients that post batches without a pause; remembers the ids of all that was answered with 200."""

    def __init__(self, collector: RunningCollector, n_clients: int = 8, batch: int = 20) -> None:
        self._collector, self._batch, self._stopped = collector, batch, threading.Event()
        self.accepted: list[str] = []
        self.statuses: dict[int | str, int] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(n_clients)
        self._clients = [self._pool.submit(self._run, number) for number in range(n_clients)]

    def _run(self, client: int) -> None:
        number = 0
        while not self._stopped.is_set():
            ids = [f"{client}-{number}-{n}" for n in range(self._batch)]
            number += 1
            body = json.dumps([event(event_id, client) for event_id in ids]).encode()
            try:
                status: int | str = self._collector.request("/v1/events", body)
            except OSError as error:  # refused or cut off: not answered
                status = type(error).__name__
                time.sleep(0.02)
            with self._lock:
                self.statuses[status] = self.statuses.get(status, 0) + 1
                if status == 200:
                    self.accepted += ids

    def wait_for(self, n_accepted: int) -> None:
        deadline = time.monotonic() + SECONDS
        while len(self.accepted) < n_accepted and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(self.accepted) >= n_accepted, self.statuses

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._pool.shutdown()
        for client in self._clients:
            client.result()


def is_worker(process: psutil.Process) -> bool:
    """Whether it is one of uvicorn's, and alive."""
    try:
        return "spawn_main" in " ".join(process.cmdline())
    except psutil.Error:  # it ended
        return False


def has_contact(process: psutil.Process, port: int) -> bool:
    try:
        return any(c.raddr and c.raddr.port == port for c in process.net_connections("tcp"))
    except psutil.Error:
        return False


def event(event_id: str, user: int) -> dict:
    return {"event_id": event_id, "event_type": "page_view", "user_id": f"u{user}"}


def ids_in(broker: KillableBroker) -> list[str]:
    consumer = KafkaConsumer(bootstrap_servers=broker.address)
    partitions = [TopicPartition(TOPIC, number) for number in sorted(consumer.partitions_for_topic(TOPIC))]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    left = sum(consumer.end_offsets(partitions).values())
    ids: list[str] = []
    while len(ids) < left:
        ids += [json.loads(r.value)["event_id"] for records in consumer.poll(1_000).values() for r in records]
    consumer.close()
    return ids


@pytest.mark.parametrize("workers", [1, 2])
def test_a_broker_killed_under_load_costs_no_accepted_event(broker, tmp_path, workers):
    collector = RunningCollector(tmp_path, broker, workers, delivery_timeout_seconds=10)
    collector.wait_ready()
    with Load(collector) as load:
        for n_accepted in (2_000, 4_000):
            load.wait_for(n_accepted)
            broker.kill()
            broker.start()
        load.wait_for(len(load.accepted) + 2_000)  # it goes on
    log = collector.stop()

    found = ids_in(broker)
    assert len(load.accepted) >= 6_000
    assert set(load.accepted) - set(found) == set()
    assert "Traceback" not in log


def test_while_the_broker_is_away_memory_is_bounded_and_clients_are_told(broker, tmp_path):
    config = {"delivery_timeout_seconds": 3, "max_pending_bytes": 2_000_000, "max_pending_events": 5_000}
    collector = RunningCollector(tmp_path, broker, **config)
    collector.wait_ready()
    big = json.dumps([event(f"e-{n}", n) | {"padding": "x" * 1_500} for n in range(100)]).encode()
    with ThreadPoolExecutor(16) as pool:
        for _ in pool.map(lambda _: collector.request("/v1/events", big), range(100)):  # warm, and its buffers grown
            pass
        before = collector.memory_bytes()
        broker.kill()
        statuses = list(pool.map(lambda _: collector.request("/v1/events", big), range(800)))  # 120 MB
    after = collector.memory_bytes()

    assert set(statuses) == {503}
    assert after - before < 40_000_000
    assert collector.request("/healthz") == 200
    assert collector.request("/readyz") == 503

    broker.start()
    collector.wait_ready()
    assert collector.request("/v1/events", json.dumps(event("after", 1)).encode()) == 200
    collector.stop()
    assert "after" in ids_in(broker)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_collector_told_to_stop_under_load_loses_nothing_it_accepted(broker, tmp_path, workers):
    collector = RunningCollector(tmp_path, broker, workers, linger_ms=300)  # so that events wait when the signal comes
    collector.wait_ready()
    with Load(collector) as load:
        load.wait_for(1_000)
        log = collector.stop()

    assert set(load.accepted) - set(ids_in(broker)) == set()
    assert 503 not in load.statuses
    assert "Traceback" not in log


def test_a_worker_that_replaces_a_killed_one_refuses_nobody(broker, tmp_path):
    collector = RunningCollector(tmp_path, broker, workers=2)
    collector.wait_ready()
    with Load(collector) as load:
        load.wait_for(1_000)
        collector.kill_a_worker()
        collector.wait_for_contacts(broker, of_workers=2)
        load.wait_for(len(load.accepted) + 2_000)
    collector.stop()

    assert set(load.accepted) - set(ids_in(broker)) == set()
    assert 503 not in load.statuses


def test_a_collector_that_was_killed_leaves_no_worker_on_its_port(broker, tmp_path):
    collector = RunningCollector(tmp_path, broker, workers=2)
    collector.wait_ready()
    collector.process.kill()
    collector.process.wait()

    deadline = time.monotonic() + SECONDS
    while is_listening(collector.port):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def is_listening(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_a_request_in_flight_is_answered_after_the_signal(broker, tmp_path):
    collector = RunningCollector(tmp_path, broker, linger_ms=1_000)
    collector.wait_ready()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(collector.request, "/v1/events", json.dumps(event("last", 1)).encode())
        while not in_queue(collector):
            assert not answer.done()
        collector.process.send_signal(signal.SIGTERM)

        assert answer.result(SECONDS) == 200
    collector.stop()
    assert ids_in(broker) == ["last"]


def in_queue(collector: RunningCollector) -> bool:
    with urllib.request.urlopen(f"http://127.0.0.1:{collector.port}/metrics", timeout=SECONDS) as answer:
        return b"liveshelf_collector_queue_events 1.0" in answer.read()


def test_a_producer_whose_broker_is_away_for_long_gives_up_and_begins_anew(broker):
    from pipelines.local.topics import ensure_topic

    ensure_topic(broker.address, TOPIC, 2, 8_388_608)
    producer = EventProducer(broker.address, TOPIC, Bounds(delivery_timeout_seconds=2))
    assert producer.wait_connected(SECONDS)
    producer.send(b"u", b'{"event_id": "before"}').result(SECONDS)
    some = b'{"event_id": "there or not"}'

    waiting = [
        producer.send(f"u{n}".encode(), some) for n in range(100)
    ]  # some are sent and not answered: kafka-python's trap
    broker.kill()
    for _ in range(3):
        with contextlib.suppress(NotTakenError):  # raised where contact is known to be lost
            waiting += [producer.send(f"u{n}".encode(), some) for n in range(50)]
        for future in waiting:
            future.exception(SECONDS)  # raises where it is not done by then
    assert isinstance(waiting[-1].exception(SECONDS), NotTakenError)
    with pytest.raises(NotTakenError, match="no contact"):  # then at once: no client waits for what is known to be away
        while True:
            producer.send(b"u", some).exception(SECONDS)
    broker.start()

    assert producer.wait_connected(SECONDS)
    producer.send(b"u", b'{"event_id": "after"}').result(SECONDS)
    assert (producer.n_pending, producer.pending_bytes) == (0, 0)  # what was given up takes no room for ever
    producer.close(SECONDS)
    assert {"before", "after"} <= set(ids_in(broker))
