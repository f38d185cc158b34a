"""A real Prometheus and a real Alertmanager: of a stream that dies somebody is told once, and once that it is back."""

import json
import queue
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import requests
import yaml

from pipelines.local.processes import free_port
from pipelines.local.prometheus import (
    ALERTMANAGER,
    PROMETHEUS,
    is_installed,
    scrape,
    start_alertmanager,
    start_prometheus,
)
from pipelines.stores.heartbeat import HeartbeatStore
from tests.monitoring.test_export import exporter

pytestmark = [pytest.mark.servers]
PROJECT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120


@pytest.fixture(autouse=True)
def installed():
    if not (is_installed(PROMETHEUS) and is_installed(ALERTMANAGER)):
        pytest.skip("NOT TESTED with a real Prometheus: apt-get install prometheus prometheus-alertmanager")


class Receiver:
    """A webhook that remembers what it was sent."""

    def __init__(self) -> None:
        self.notifications: queue.Queue[dict] = queue.Queue()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.notifications.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/alerts"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()


class Stream:
    """Tells that it lives, as a stream does, until it dies."""

    def __init__(self, client) -> None:
        self._store, self._is_dead = HeartbeatStore(client), threading.Event()

    def live(self) -> None:
        self._is_dead.clear()
        threading.Thread(target=self._beat, daemon=True).start()

    def die(self) -> None:
        self._is_dead.set()

    def _beat(self) -> None:
        while not self._is_dead.wait(0.2):
            self._store.beat("personalize", {"state": "running"})


def quick_rules(folder: Path) -> Path:
    """The rule about silent streams, with seconds in place of a minute."""
    groups = yaml.safe_load((PROJECT / "conf/monitoring/alerts.yml").read_text())["groups"]
    (rule,) = (rule for group in groups for rule in group["rules"] if rule["alert"] == "LiveshelfStreamSilent")
    quick = rule | {"expr": rule["expr"].replace("> 60", "> 8"), "for": "1s"}
    assert quick["expr"] != rule["expr"]
    path = folder / "alerts.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "quick", "rules": [quick]}]}))
    return path


def quick_alertmanager(folder: Path, url: str) -> Path:
    """The example, with this receiver, and seconds in place of minutes."""
    config = yaml.safe_load((PROJECT / "conf/monitoring/alertmanager.yml").read_text())
    config["receivers"][0]["webhook_configs"][0]["url"] = url
    config["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    path = folder / "alertmanager.yml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_a_stream_that_dies_is_told_once_and_its_recovery_once(redis_url, redis_client, tmp_path):
    receiver, stream = Receiver(), Stream(redis_client)
    stream.live()
    with exporter(redis_url) as address:
        alertmanager = start_alertmanager(tmp_path, quick_alertmanager(tmp_path, receiver.url))
        target = address.removeprefix("http://")
        prometheus = start_prometheus(
            tmp_path, [target], quick_rules(tmp_path), f"127.0.0.1:{alertmanager.port}", scrape_seconds=1
        )
        try:
            wait_for_scrape(prometheus.port)
            stream.die()
            told = receiver.notifications.get(timeout=PATIENCE_SECONDS)
            stream.live()
            resolved = receiver.notifications.get(timeout=PATIENCE_SECONDS)
            time.sleep(4)  # several group intervals: nothing more is told
        finally:
            stream.die()
            prometheus.stop()
            alertmanager.stop()
            receiver.close()

    assert [notification["status"] for notification in (told, resolved)] == ["firing", "resolved"]
    (alert,) = told["alerts"]
    assert alert["labels"]["alertname"] == "LiveshelfStreamSilent" and alert["labels"]["stream"] == "personalize"
    assert alert["annotations"]["summary"].startswith("personalize has given no sign of life for ")
    assert receiver.notifications.empty()


def test_a_service_that_starts_later_is_scraped_too(tmp_path):
    first, second = (f"127.0.0.1:{free_port()}" for _ in range(2))
    prometheus = start_prometheus(tmp_path, [first], quick_rules(tmp_path), scrape_seconds=1)
    try:
        wait_for_scrape(prometheus.port, f'up{{instance="{first}"}}')
        scrape(tmp_path, [first, second])
        wait_for_scrape(prometheus.port, f'up{{instance="{second}"}}')
    finally:
        prometheus.stop()


def wait_for_scrape(port: int, query: str = "liveshelf_stream_state") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        answer = requests.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": query}, timeout=10)
        if answer.json()["data"]["result"]:
            return
        time.sleep(0.2)
    raise AssertionError("nothing was scraped")
