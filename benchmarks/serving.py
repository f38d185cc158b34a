"""How many lists a second the service answers, and how fast, beside an endpoint that does nothing and a bare Redis GET.

Everything is on this machine and on its cores: Valkey, the service (as many workers as cores), the load generator. That is
wrk where it is installed, else benchmarks/http_load.py, which takes more of the cores than it leaves. Latency is measured at
half of the rate that was reached.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import orjson
import yaml
from fastapi import FastAPI
from redis import Redis
from rich.console import Console

from benchmarks.results import publish
from pipelines.catalogue.item import CatalogueItem
from pipelines.lists.document import PublishedList
from pipelines.local.processes import free_port
from pipelines.local.valkey import start_valkey, valkey_url
from pipelines.stores.catalogue import CatalogueStore
from pipelines.stores.keys import fallback_key, list_key

SECONDS, WARM_UP_SECONDS = 8, 2
CONNECTIONS = 32
N_USERS, N_ITEMS, N, N_SPARE = 10_000, 5_000, 10, 10
N_GETS = 20_000
START_SECONDS = 60.0
AIMS = {"list_p99_ms": "<= 2 (at half load)", "to_bare_endpoint_ratio": ">= 0.5"}
CONSOLE = Console()
SCRIPT = Path(__file__).parent / "lists.lua"


def bare_app() -> FastAPI:
    """Make an endpoint that answers and does nothing: what FastAPI itself costs."""
    app = FastAPI()

    @app.get("/v1/lists/{user_id}")
    async def nothing(user_id: str) -> dict[str, str]:
        return {"user_id": user_id}

    return app


def main() -> None:
    workers = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder:
        valkey = start_valkey(Path(folder))
        try:
            figures = _measured(Path(folder), valkey_url(valkey.port), workers)
        finally:
            valkey.stop()
    publish("serving", figures, AIMS)


def _measured(folder: Path, url: str, workers: int) -> dict[str, float]:
    with Redis.from_url(url) as client:
        _fill(client)
        gets_per_s = _gets_per_s(client)
    with _running(_service(folder, url, workers)) as port:
        full = _load(port, "/v1/lists/", 0.0)
        half = _load(port, "/v1/lists/", CONNECTIONS / (_rate(full) / 2))
        detailed = _load(port, "/v1/lists/", 0.0, "?details=true")
    with _running(_service(folder, url, 1)) as port:
        of_one = _load(port, "/v1/lists/", 0.0)
    with _running(_bare(workers)) as port:
        bare = _load(port, "/v1/lists/", 0.0)
        bare_half = _load(port, "/v1/lists/", CONNECTIONS / (_rate(bare) / 2))
    return {
        "list_p50_ms": half["p50_ms"],
        "list_p99_ms": half["p99_ms"],
        "list_requests_per_s": _rate(full),
        "list_requests_per_s_one_worker": _rate(of_one),
        "list_details_requests_per_s": _rate(detailed),
        "half_load_requests_per_s": _rate(half),
        "full_load_p99_ms": full["p99_ms"],
        "bare_endpoint_per_s": _rate(bare),
        "bare_p50_ms": bare_half["p50_ms"],
        "bare_p99_ms": bare_half["p99_ms"],
        "to_bare_endpoint_ratio": _rate(full) / _rate(bare),
        "redis_get_per_s": gets_per_s,
        "failed_requests": sum(load["failed"] for load in (full, half, detailed, of_one, bare, bare_half)),
    }


def _fill(client: Redis) -> None:
    """Lists with spare items, a catalogue of which one in fifty is sold out, and the list for all."""
    now_ms = time.time_ns() // 1_000_000
    items = [
        CatalogueItem(
            f"item-{n}", f"Item {n}", f"Shoes > Kind {n % 50}", "Acme", 9.5, in_stock=n % 50 != 0, updated_ms=now_ms
        )
        for n in range(N_ITEMS)
    ]
    CatalogueStore(client).write(items)
    pipe = client.pipeline(transaction=False)
    for user in range(1, N_USERS + 1):
        chosen = [f"item-{(user * 7 + place * 131) % N_ITEMS}" for place in range(N + N_SPARE)]
        scores = [round(1 - place / N, 3) for place in range(N)]
        published = PublishedList(chosen[:N], scores, now_ms, "7-1f0c9d2e-41", "personal", f"1f0c-0-{user}", chosen[N:])
        pipe.set(list_key(f"u{user}"), published.to_json())
    pipe.set(fallback_key("all"), orjson.dumps({**orjson.loads(published.to_json()), "source": "segment"}))
    pipe.execute()


def _gets_per_s(client: Redis) -> float:
    """Of one client, one after another: what a shop gets that reads lists itself."""
    began = time.monotonic()
    for n in range(N_GETS):
        client.get(list_key(f"u{n % N_USERS + 1}"))
    return N_GETS / (time.monotonic() - began)


def _rate(load: dict[str, float]) -> float:
    return load["requests"] / load["seconds"]


def _load(port: int, path: str, seconds_between: float, query: str = "") -> dict[str, float]:
    """`seconds_between`: of the requests of one connection, so that they come at a rate; 0: as fast as they can."""
    CONSOLE.print(f"{CONNECTIONS} connections, {'as fast as they can' if not seconds_between else 'at half load'} …")
    out = ""
    for seconds in (WARM_UP_SECONDS, SECONDS):
        command = _command(port, path, seconds_between, query, seconds)
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    figures: dict[str, float] = json.loads(out.strip().splitlines()[-1])
    return figures


def _command(port: int, path: str, seconds_between: float, query: str, seconds: int) -> list[str]:
    if wrk := shutil.which("wrk"):
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(SCRIPT), f"http://127.0.0.1:{port}"]
        return [wrk, *options, "--", path, str(N_USERS), str(seconds_between * 1000), query]
    arguments = ["127.0.0.1", str(port), path, "0", str(CONNECTIONS), str(seconds), str(seconds_between), query]
    return [sys.executable, "-m", "benchmarks.http_load", *arguments]


def _service(folder: Path, url: str, workers: int) -> list[str]:
    path = folder / "serving.yaml"
    path.write_text(
        yaml.safe_dump({"serving": {"requests_per_minute": 100_000_000, "static_file": str(folder / "lists.json")}})
    )
    os.environ["REDIS_URL"] = url
    return ["jobs", "serve_lists", "--config", str(path), "--workers", str(workers)]


def _bare(workers: int) -> list[str]:
    options = ["--factory", "--no-access-log", "--log-level", "warning", "--workers", str(workers)]
    return ["uvicorn", "benchmarks.serving:bare_app", *options]


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
