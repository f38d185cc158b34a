"""What a running demo looks like to Prometheus: its streams, and the services that people start beside it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

from pipelines.config import load_config
from pipelines.local.processes import free_port
from pipelines.local.prometheus import start_prometheus
from pipelines.stores.connection import connect
from pipelines.stores.outcomes import Outcome, OutcomeStore, bounded
from tests.monitoring.test_job_figures import TOLD

PROJECT = Path(__file__).parents[2]
CONFIG = PROJECT / ".liveshelf/demo/config.yaml"
INTERVAL = "1m"  # for Grafana's $__rate_interval
START_SECONDS = 120.0
GOOD = {
    "event_id": "seen-by-prometheus",
    "event_type": "product_view",
    "user_id": "user-00933",
    "item_id": "item-00001",
}
BROKEN = GOOD | {"event_type": "teleport"}


@contextmanager
def services(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Addresses (host:port) of exporter, collector and service of lists, started here."""
    arguments = {
        "export_metrics": [],
        "collect_events": ["--without-keys"],
        "serve_lists": [],
    }
    ports = {job: free_port() for job in arguments}
    with ExitStack() as stack:
        for job, more in arguments.items():
            command = [sys.executable, "-m", "jobs", job, "--config", str(CONFIG), "--port", str(ports[job]), *more]
            log = stack.enter_context((folder / f"{job}.log").open("wb"))
            process = stack.enter_context(
                subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log, env=dict(os.environ))
            )
            stack.callback(process.terminate)
        addresses = {job: f"127.0.0.1:{port}" for job, port in ports.items()}
        for job, address in addresses.items():
            path = "readyz" if job == "collect_events" else "healthz"  # it must have found Kafka
            wait_for(f"http://{address}/{path}")
        yield tuple(addresses.values())


@contextmanager
def prometheus(folder: Path, targets: Sequence[str]) -> Iterator[str]:
    server = start_prometheus(folder, targets, PROJECT / "conf/monitoring/alerts.yml", scrape_seconds=1)
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


def wait_for(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.2)
    raise AssertionError(f"{url} did not answer")


def use(collector: str, lists: str) -> None:
    """As a shop does: events, a broken one among them, and lists."""
    answer = requests.post(f"http://{collector}/v1/events", json=[GOOD, BROKEN], timeout=30)
    assert answer.json()["accepted"] == 1, answer.text
    for user in ("user-00933", "user-00001", "nobody"):
        assert requests.get(f"http://{lists}/v1/lists/{user}?exclude_items=item-00002", timeout=30).ok


def tell_what_jobs_find() -> None:
    """In place of jobs that compare days, which a demo has none of: figures as they tell them, for their panels."""
    store = OutcomeStore(connect(str(load_config(CONFIG).redis.url)))
    for job in ("detect_drift", "evaluate_model", "maintain_tables", "train_model"):
        store.tell(job, Outcome(time.time_ns() // 1_000_000, 1.0, 0, figures=bounded(TOLD[job]())))


def has_data(address: str, expr: str) -> bool:
    """Whether Prometheus has a number for it, now."""
    query = expr.replace("$__rate_interval", INTERVAL)
    answer = requests.get(f"{address}/api/v1/query", params={"query": query}, timeout=30).json()
    assert answer["status"] == "success", answer
    return any(sample["value"][1] != "NaN" for sample in answer["data"]["result"])
