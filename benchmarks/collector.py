"""How many events a second the collector takes to Kafka, beside an endpoint that does nothing and the producer alone.

Everything is on this machine and on its cores: broker, collector (as many workers as cores), load generator
(benchmarks/http_load.py, a process of its own). An event counts when it is answered, so when Kafka has acknowledged it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import yaml
from fastapi import FastAPI
from rich.console import Console

from benchmarks.results import publish
from pipelines.local.processes import free_port
from pipelines.local.servers import EmbeddedServers
from pipelines.local.topics import ensure_topic
from pipelines.sections import KafkaConfig
from pipelines.sinks.event_producer import EventProducer

SECONDS = 8.0
WARM_UP_SECONDS = 2.0
SINGLE_CONNECTIONS = 32
BATCH_CONNECTIONS = 8
BATCH = 100
PRODUCER_EVENTS = 100_000
START_SECONDS = 60.0
AIMS = {"single_events_per_s": ">= 1,500", "batch100_events_per_s": ">= 20,000"}
CONSOLE = Console()


def bare_app() -> FastAPI:
    """Make an endpoint that answers and does nothing: what FastAPI itself costs."""
    app = FastAPI()

    @app.post("/v1/events")
    async def nothing() -> dict[str, int]:
        return {"accepted": 1}

    return app


def main() -> None:
    workers = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder, EmbeddedServers(Path(folder), KafkaConfig()) as servers:
        address = servers.bootstrap_servers
        producer_rate = _producer_rate(address)
        with _running(_collector(Path(folder), address, workers)) as port:
            single = _load(port, 1, SINGLE_CONNECTIONS)
            batch = _load(port, BATCH, BATCH_CONNECTIONS)
        with _running(_collector(Path(folder), address, 1)) as port:
            single_of_one = _load(port, 1, SINGLE_CONNECTIONS)
            batch_of_one = _load(port, BATCH, BATCH_CONNECTIONS)
        with _running(_bare(workers)) as port:
            bare = _load(port, 1, SINGLE_CONNECTIONS)
    figures = {
        "single_events_per_s": _rate(single),
        "single_p50_ms": single["p50_ms"],
        "single_p99_ms": single["p99_ms"],
        "batch100_events_per_s": BATCH * _rate(batch),
        "batch100_p50_ms": batch["p50_ms"],
        "batch100_p99_ms": batch["p99_ms"],
        "single_events_per_s_one_worker": _rate(single_of_one),
        "batch100_events_per_s_one_worker": BATCH * _rate(batch_of_one),
        "bare_endpoint_per_s": _rate(bare),
        "bare_p99_ms": bare["p99_ms"],
        "to_bare_endpoint_ratio": _rate(single) / _rate(bare),
        "producer_events_per_s": producer_rate,
        "batch100_to_producer_ratio": BATCH * _rate(batch) / producer_rate,
        "failed_requests": sum(figures["failed"] for figures in (single, batch, single_of_one, batch_of_one, bare)),
    }
    publish("collector", figures, AIMS)


def _rate(load: dict[str, float]) -> float:
    return load["requests"] / load["seconds"]


def _producer_rate(address: str) -> float:
    """Events a second of EventProducer alone, in this process: no HTTP, no JSON, batches of 100."""
    CONSOLE.print("the producer alone …")
    ensure_topic(address, "alone", 2, KafkaConfig().max_record_bytes)
    producer = EventProducer(address, "alone")
    producer.wait_connected(START_SECONDS)
    padding = "x" * 220
    records = [(f"a-{n % 5_000}".encode(), f"{n}-{padding}".encode()) for n in range(PRODUCER_EVENTS)]
    began, waiting = time.monotonic(), []
    for start in range(0, PRODUCER_EVENTS, BATCH):
        waiting.append(producer.send_all(records[start : start + BATCH]))
        if len(waiting) > 100:  # as many as its queue and more would hold
            waiting.pop(0).result(START_SECONDS)
    for future in waiting:
        future.result(START_SECONDS)
    seconds = time.monotonic() - began
    producer.close(START_SECONDS)
    return PRODUCER_EVENTS / seconds


def _load(port: int, batch: int, connections: int) -> dict[str, float]:
    CONSOLE.print(f"{connections} connections, {batch} events a request …")
    arguments = ["127.0.0.1", str(port), "/v1/events", str(batch), str(connections)]
    for seconds in (WARM_UP_SECONDS, SECONDS):
        command = [sys.executable, "-m", "benchmarks.http_load", *arguments, str(seconds)]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures: dict[str, float] = json.loads(out)
    return figures


def _collector(folder: Path, address: str, workers: int) -> list[str]:
    path = folder / "collector.yaml"
    path.write_text(
        yaml.safe_dump({"kafka": {"bootstrap_servers": address}, "collector": {"events_per_minute": 100_000_000}})
    )
    return ["jobs", "collect_events", "--config", str(path), "--without-keys", "--workers", str(workers)]


def _bare(workers: int) -> list[str]:
    options = ["--factory", "--no-access-log", "--log-level", "warning", "--workers", str(workers)]
    return ["uvicorn", "benchmarks.collector:bare_app", *options]


@contextmanager
def _running(module: list[str]) -> Iterator[int]:
    """Run a server on a free port; yields the port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", *module, "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        _wait_for(port, process, module[0])
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], name: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    path = "openapi.json" if name == "uvicorn" else "readyz"
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(f"http://127.0.0.1:{port}/{path}"):
                time.sleep(2)  # the other workers
                return
        except OSError:  # not yet, or not ready
            time.sleep(0.2)
    raise RuntimeError(f"{name} did not start")


if __name__ == "__main__":
    main()
