"""The streams as processes of their own over one topic: run to the end, killed in the middle, compared."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import yaml
from deltalake import DeltaTable
from redis import Redis

from pipelines.config import Config, load_config
from pipelines.features.profile_bytes import decode
from pipelines.hot_path.model_copy import ModelCopy
from pipelines.sources.checkpoints import committed_offsets
from pipelines.stores.connection import connect
from pipelines.stores.model import ModelStore
from tests.crash.dying import Point
from tests.forked_jobs import ForkedJob

PROJECT = Path(__file__).parents[1]
JOBS = ("validate_events", "personalize")
# No bound that depends on the clock, and snapshots among the micro-batches of a short test.
MODEL = {"max_examples_per_second": 1_000_000, "snapshot_every_batches": 4}
SECONDS_TO_LIVE = {"validate_events": 0.4, "personalize": 0.4, "build_features": 2.0}  # about one micro-batch


class Sums:
    """Sums that are equal when they differ by rounding only."""

    __hash__ = None

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sums) and np.allclose(self._values, other._values, rtol=1e-9, atol=1e-9)

    def __repr__(self) -> str:
        return repr(self._values.tolist())


class BothStreams:
    """The streams over one topic, with tables, checkpoints and a Redis database of their own."""

    def __init__(
        self, name: str, folder: Path, servers, topic: str, redis_db: int, *, records_a_batch: int = 200, **sections
    ) -> None:
        home = folder / name
        home.mkdir()
        self.path = home / "config.yaml"
        values = {
            "lake_root": str(home / "lake"),
            "checkpoint_root": str(home / "checkpoints"),
            "kafka": {
                "bootstrap_servers": servers.bootstrap_servers,
                "topic": topic,
                "max_offsets_per_trigger": records_a_batch,
            },
            "tracking": {"root": str(home / "mlflow")},
            "model": MODEL,
            "lists": {"refresh_weights": {"purchase": 1}},  # by number alone: what a truth of counts can tell
            "redis": {"url": servers.redis_url.replace("/0", f"/{redis_db}")},
            "validation": {
                "trigger_seconds": 0,
                "max_offsets_per_trigger": 5 * records_a_batch,
                "suite": str(PROJECT / "conf/expectations/clickstream.json"),
            },
            **sections,
        }
        self.path.write_text(yaml.safe_dump(values))
        self.config: Config = load_config(self.path)
        self.client: Redis = connect(values["redis"]["url"])
        self.client.flushdb()

    def start(self, job: str, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "jobs", job, "--config", str(self.path), *arguments]
        with self._log(job).open("ab") as log:
            return subprocess.Popen(command, cwd=PROJECT, stdout=log, stderr=log, start_new_session=True)

    def _fork(self, job: str, *arguments: str, dies_at: Point | None = None) -> ForkedJob:
        return ForkedJob([job, "--config", str(self.path), *arguments], self._log(job), dies_at=dies_at)

    def _log(self, job: str) -> Path:
        return self.path.parent / f"{job}.log"

    def finish(self, *jobs: str) -> None:
        """Run the jobs (default: both of the topic) to the end."""
        running = {job: self._fork(job, "--once") for job in jobs or JOBS}
        codes = {job: process.wait(900) for job, process in running.items()}
        failed = {job: self._log(job).read_text()[-3_000:] for job, code in codes.items() if code != 0}
        assert not failed, "\n".join(f"{job}: {codes[job]}\n{said}" for job, said in failed.items())

    def kill_in_mid_stream(self, chance: random.Random, *jobs: str) -> dict[str, int]:
        """Start the jobs for ever, kill each with its JVM soon after its first commit; returns how far each had committed."""
        before = {job: self.committed(job) for job in jobs or JOBS}
        running = {job: self._fork(job) for job in before}
        reached = {}
        deadline = time.monotonic() + 600
        while running and time.monotonic() < deadline:
            for job, process in list(running.items()):
                assert process.poll() is None, f"{job} ended by itself"
                if self.committed(job) > before[job]:
                    time.sleep(chance.uniform(0, SECONDS_TO_LIVE[job]))
                    os.killpg(process.pid, signal.SIGKILL)
                    running.pop(job).wait()
                    reached[job] = self.committed(job)
            time.sleep(0.02)
        assert not running, f"{list(running)} committed nothing in time"
        return reached

    def die_at(self, point: str, batch_id: int) -> int:
        """Let `personalize` kill itself there (crash/dying.py); returns how far it had committed."""
        process = self._fork("personalize", "--once", dies_at=Point(point, batch_id))
        assert process.wait(600) == -signal.SIGKILL, self._log("personalize").read_text()[-3_000:]
        return self.committed("personalize")

    def committed(self, job: str) -> int:
        """Records of the topic, or micro-batches of a stream that reads a table."""
        if job == "build_features":
            commits = Path(self.config.checkpoint(job, "v1")) / "commits"
            return len([path for path in commits.glob("*") if path.name.isdigit()])
        return sum(committed_offsets(Path(self.config.checkpoint(job, "v1")), self.config.kafka.topic).values())

    def model(self) -> tuple[int, bytes]:
        """The last batch in the model that Redis has, and all of it."""
        copy = ModelCopy(ModelStore(self.client), self.config.model)
        copy.catch_up()
        return copy.batch_id, copy.model.to_bytes()

    def rows(self, name: str) -> list[dict]:
        return DeltaTable(self.config.table(name)).to_pyarrow_table().to_pylist()

    def table(self, name: str) -> list[str]:
        """Every row, as text, in an order of its own."""
        return sorted(repr(sorted(row.items())) for row in self.rows(name))

    def profiles(self) -> dict[bytes, tuple]:
        """What each profile says; not which entries the last write added, for that depends on where the stream was cut.

        The sums come last, and count as equal up to rounding, which depends on it too.
        """
        exact = (
            "n_interactions",
            "horizon",
            "as_of_s",
            "features_version",
            "generation",
            "marks",
            "tail",
            "key",
            "item",
        )
        out = {}
        for key in self.client.scan_iter("profile:*", count=1_000):
            profile = decode([self.client.get(key)])
            out[key] = (*(getattr(profile, name).tolist() for name in exact), Sums(profile.sums[0]))
        return out

    def values(self, pattern: str) -> dict[bytes, bytes]:
        return {key: self.client.get(key) for key in self.client.scan_iter(pattern, count=1_000)}

    def listed_users(self) -> set[bytes]:
        return set(self.client.scan_iter("list:*", count=1_000))
