"""Memory of Python workers that follow a model, each with its own arrays or all in shared ones: by the kernel's own count."""

import gc
import multiprocessing
import os
import shutil
import tempfile
import time
import uuid
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import redis

from pipelines.hot_path.model_copy import ModelCopy
from pipelines.hot_path.shared_model import SharedModel
from pipelines.local.valkey import start_valkey, valkey_url
from pipelines.model_sections import ModelConfig
from pipelines.models.ranker import Histories
from pipelines.stores.connection import connect
from pipelines.stores.model import ModelStore, Patch, Snapshot

SPAWN = multiprocessing.get_context("spawn")  # what the parent holds is none of a worker's memory
N_WORKERS = (1, 2, 4)
LINEAGE, N = "benchmark", 10
SETTINGS = Path(__file__).parents[1] / "conf/spark-defaults.conf"


@dataclass(frozen=True)
class Steps:
    """A full copy of a model, and the patches of the steps after it."""

    snapshot: bytes
    patches: list[bytes]


@dataclass(frozen=True)
class _Asked:
    redis_url: str
    config: ModelConfig
    application: str | None  # None: arrays of its own
    histories: Histories
    n_patches: int


def memory_of_workers(steps: Steps, config: ModelConfig, histories: Histories) -> dict[str, float]:
    """Megabytes of a worker beyond what it has before the first model, after all patches and a list for each user."""
    figures: dict[str, float] = {}
    os.environ |= environment_of_workers()
    folder = Path(tempfile.mkdtemp())
    server = start_valkey(folder)
    try:
        url = valkey_url(server.port)
        for kind in ("private", "shared"):
            for n_workers in N_WORKERS:
                asked = _Asked(
                    url, config, uuid.uuid4().hex if kind == "shared" else None, histories, len(steps.patches)
                )
                measured = _measured(steps, asked, n_workers)
                suffix = f"{kind}_{n_workers}_workers"
                figures |= {f"{name}_{suffix}": float(np.mean(values)) for name, values in measured.items()}
    finally:
        server.stop()
        shutil.rmtree(folder)
    return figures


def environment_of_workers() -> dict[str, str]:
    """What Spark sets for Python workers: how they give memory back is a part of it."""
    lines = (line.split() for line in SETTINGS.read_text(encoding="utf-8").splitlines())
    told = (line for line in lines if line and line[0].startswith("spark.executorEnv."))
    return {name.removeprefix("spark.executorEnv."): value for name, value in told}


def _measured(steps: Steps, asked: _Asked, n_workers: int) -> dict[str, list[float]]:
    with redis.Redis.from_url(asked.redis_url) as client:
        client.flushall()
    store = ModelStore(connect(asked.redis_url))
    store.publish_snapshot(LINEAGE, Snapshot(0, steps.snapshot))
    barrier = SPAWN.Barrier(n_workers + 1)
    pipes = [SPAWN.Pipe() for _ in range(n_workers)]
    workers = [SPAWN.Process(target=_work, args=(asked, barrier, there), daemon=True) for _, there in pipes]
    for worker in workers:
        worker.start()
    barrier.wait()  # all are there
    barrier.wait()  # all have measured what they are without a model
    barrier.wait()  # all have loaded
    for number, patch in enumerate(steps.patches, start=1):
        store.publish_patch(LINEAGE, Patch(number, patch))
        barrier.wait()  # it is there
        barrier.wait()  # all have taken it in
    barrier.wait()  # all have made lists
    told: list[dict[str, float]] = [here.recv() for here, _ in pipes]
    barrier.wait()  # all have measured
    for worker in workers:
        worker.join()
    if asked.application:
        SharedModel(str(asked.config.shared_folder), asked.application).remove()
    return {name: [of_worker[name] for of_worker in told] for name in told[0]}


def _work(asked: _Asked, barrier: Barrier, connection: Connection) -> None:
    shared = SharedModel(str(asked.config.shared_folder), asked.application) if asked.application else None
    copy = ModelCopy(ModelStore(connect(asked.redis_url)), asked.config, shared)
    copy.model.best(asked.histories, N)
    barrier.wait()
    without = memory_mb()
    barrier.wait()
    copy.catch_up()
    copy.model.best(asked.histories, N)
    barrier.wait()
    taken = 0.0
    for _ in range(asked.n_patches):
        barrier.wait()
        started = time.thread_time()
        copy.catch_up()
        taken += time.thread_time() - started
        copy.model.best(asked.histories, N)
        barrier.wait()
    gc.collect()
    barrier.wait()
    told: dict[str, Any] = {name: value - without[name] for name, value in memory_mb().items()}
    connection.send(told | {"catch_up_ms": 1e3 * taken / asked.n_patches})
    barrier.wait()


def memory_mb() -> dict[str, float]:
    """Of this process: its share of all pages it maps, and the pages that are its alone."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    kilobytes = {name: int(value) for name, value, *_ in (line.replace(":", " ").split() for line in lines)}
    private = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
    return {"pss_mb": kilobytes["Pss"] * 1024 / 1e6, "uss_mb": private * 1024 / 1e6}
