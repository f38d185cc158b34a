"""Redis is killed, hangs and comes back while lists are read: no 5xx, what is old is flagged, nothing is restarted."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from pipelines.catalogue.item import CatalogueItem
from pipelines.lists.document import PublishedList
from pipelines.local.processes import free_port
from pipelines.stores.catalogue import CatalogueStore
from pipelines.stores.keys import fallback_key, list_key
from tests.serving.killable import KillableValkey

pytestmark = [pytest.mark.crash, pytest.mark.servers]
PROJECT = Path(__file__).parents[2]
SECONDS = 60
N_USERS = 50


@pytest.fixture
def valkey(tmp_path) -> Iterator[KillableValkey]:
    with KillableValkey(tmp_path / "valkey") as running:
        yield running


@pytest.fixture
def service(tmp_path, valkey) -> Iterator["RunningService"]:
    with Redis.from_url(valkey.url) as client:
        fill(client)
    running = RunningService(tmp_path, valkey.url)
    running.wait_ready()
    yield running
    running.stop()


def fill(client: Redis) -> None:
    now_ms = time.time_ns() // 1_000_000
    for user in range(N_USERS):
        published = PublishedList(
            ["gone", f"of-{user}", "a", "b"], [4, 3, 2, 1], now_ms, "m", "personal", f"l-{user}", ["c"]
        )
        client.set(list_key(f"u{user}"), published.to_json())
    client.set(
        fallback_key("all"), PublishedList(["w", "x", "y", "z"], [1] * 4, now_ms, "f", "segment", "all").to_json()
    )
    CatalogueStore(client).write([CatalogueItem("gone", in_stock=False, updated_ms=1)])
    time.sleep(1.5)  # the server's file has it: appendfsync everysec


class RunningService:
    """`liveshelf serve_lists` as a process of its own."""

    def __init__(self, folder: Path, url: str) -> None:
        self.port, self._log = free_port(), folder / "serving.log"
        path = folder / "config.yaml"
        serving = {"static_file": str(folder / "lists.json"), "requests_per_minute": 10**9, "static_seconds": 0.5}
        path.write_text(json.dumps({"lists": {"n": 4}, "serving": serving}))
        command = [sys.executable, "-m", "jobs", "serve_lists", "--config", str(path), "--port", str(self.port)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=PROJECT, stdout=log, stderr=log, env={**os.environ, "REDIS_URL": url}
            )

    def get(self, path: str) -> tuple[int, dict]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        connection.request("GET", path)
        answer = connection.getresponse()
        status, body = answer.status, json.loads(answer.read())
        connection.close()
        return status, body

    def metric(self, name: str) -> float:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
        connection.close()
        return sum(float(line.split()[-1]) for line in lines if line.partition("{")[0].split(" ")[0] == name)

    def wait_ready(self) -> None:
        self.wait_until(lambda: self.get("/readyz")[0] == 200)

    def wait_until(self, is_so: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                if is_so():
                    return
            except OSError:
                assert self._process.poll() is None, self._log.read_text()
            time.sleep(0.05)
        raise AssertionError(f"it did not come: {self._log.read_text()}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(SECONDS)


class Readers:
    """Clients that read lists without a pause; count what they are answered."""

    def __init__(self, service: RunningService, n_clients: int = 4) -> None:
        self._service, self._stopped, self._lock = service, threading.Event(), threading.Lock()
        self.answers: Counter[tuple] = Counter()
        self.shown: set[str] = set()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(n_clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        while not self._stopped.is_set():
            number = (number + 7) % N_USERS
            try:
                status, told = self._service.get(f"/v1/lists/u{number}")
                answer = (status, told.get("source"), told.get("stale"))
                items = {item["item_id"] for item in told.get("items", ())}
            except (OSError, ValueError, http.client.HTTPException) as error:
                answer, items = (type(error).__name__,), set()
            with self._lock:
                self.answers[answer] += 1
                self.shown |= items

    def wait_for(self, answer: tuple, n: int = 200) -> None:
        start = self.answers[answer]
        self._service.wait_until(lambda: self.answers[answer] >= start + n)

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()


FRESH, FLAGGED = (200, "personal", False), (200, "personal", True)


def test_redis_is_killed_and_comes_back_under_reads(service, valkey):
    readers = Readers(service)
    try:
        readers.wait_for(FRESH)
        valkey.kill()
        readers.wait_for(FLAGGED, 1_000)
        n_errors = service.metric("liveshelf_serving_redis_errors_total")
        stranger = service.get("/v1/lists/stranger")
        valkey.start()
        readers.wait_for(FRESH, 1_000)
    finally:
        readers.stop()

    assert set(readers.answers) == {FRESH, FLAGGED}, readers.answers  # no 5xx, nothing refused, nothing cut off
    assert "gone" not in readers.shown
    assert n_errors < 20  # a thousand requests did not wait for it
    assert stranger[0] == 200 and [item["item_id"] for item in stranger[1]["items"]] == ["w", "x", "y", "z"]
    assert stranger[1]["stale"] is True


def test_redis_hangs_and_goes_on_under_reads(service, valkey):
    readers = Readers(service)
    try:
        readers.wait_for(FRESH)
        valkey.signal(signal.SIGSTOP)
        readers.wait_for(FLAGGED, 1_000)
        n_errors = service.metric("liveshelf_serving_redis_errors_total")
        valkey.signal(signal.SIGCONT)
        readers.wait_for(FRESH, 1_000)
    finally:
        valkey.signal(signal.SIGCONT)
        readers.stop()

    assert set(readers.answers) == {FRESH, FLAGGED}, readers.answers
    assert n_errors < 20


def test_the_service_starts_without_redis_and_has_it_when_it_comes(tmp_path, valkey):
    with Redis.from_url(valkey.url) as client:
        fill(client)
    valkey.kill()
    (tmp_path / "lists.json").write_text('{"items": ["s"]}')
    service = RunningService(tmp_path, valkey.url)
    try:
        service.wait_ready()
        away = service.get("/v1/lists/u1")
        valkey.start()
        service.wait_until(lambda: service.get("/v1/lists/u1")[1]["source"] == "personal")
        back = service.get("/v1/lists/u1")
    finally:
        service.stop()

    assert away[0] == 200 and away[1]["source"] == "static" and away[1]["stale"] is True
    assert [item["item_id"] for item in back[1]["items"]] == ["of-1", "a", "b", "c"] and back[1]["stale"] is False
