"""Real streams and services over events whose ids are known again, over broken ones, over servers that die: no id is logged."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import orjson
import pytest
import requests

from jobs._spark import LINES_VARIABLE
from pipelines.local.processes import free_port
from pipelines.local.servers import EmbeddedServers, ensure_topic
from pipelines.sections import KafkaConfig
from pipelines.session import SUBMIT_VARIABLE
from pipelines.sinks.kafka import KafkaRecordSink
from pipelines.stores.keys import profile_key
from tests.both_streams import PROJECT, BothStreams

CANARY = "personal-canary"
TOPIC = "clickstream"
# What java says before there is any logging, and PySpark's daemon when a pipe of its own breaks.
OF_OTHERS = re.compile(r"WARNING: Using incubator modules|Traceback |  File \".*/pyspark/daemon\.py|BrokenPipeError: ")
OF_EVERY_LINE = {"at", "level", "event", "job"}
PATIENCE_SECONDS = 240.0

pytestmark = [pytest.mark.slow, pytest.mark.servers]


def an_event(n: int, **changes) -> dict:
    user = f"{CANARY}-{n % 7}"
    event = {
        "event_id": f"{CANARY}-e{n}",
        "event_type": "product_view",
        "user_id": user,
        "item_id": f"item-{n % 5}",
        "event_time": time.time_ns() // 1_000_000,
    }
    return event | changes


class Record:
    """What the sink of Kafka sends."""

    def __init__(self, value: bytes, key: bytes = b"") -> None:
        self.value, self.key, self.timestamp_ms = value, key or None, time.time_ns() // 1_000_000


class Scene:
    """The processes, each with a log of its own."""

    def __init__(self, folder: Path, home: EmbeddedServers, streams: BothStreams) -> None:
        self.folder, self.servers, self.streams = folder, home, streams
        self.processes: dict[str, subprocess.Popen] = {}
        self.ports = {"collect_events": free_port(), "serve_lists": free_port()}

    def start(self, job: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "jobs", job, "--config", str(self.streams.path), *arguments]
        with (self.folder / f"{job}.log").open("ab") as log:
            environment = dict(os.environ, LIVESHELF_LOGGING__FORMAT="json")
            for variable in (SUBMIT_VARIABLE, LINES_VARIABLE):  # other tests' sessions: a job starts as from a shell
                environment.pop(variable, None)
            self.processes[job] = subprocess.Popen(
                command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=log, env=environment, start_new_session=True
            )

    def lines(self, job: str) -> list[str]:
        path = self.folder / f"{job}.log"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def said(self, job: str, event: str) -> list[dict]:
        return [line for line in map(parsed, self.lines(job)) if line and line["event"] == event]

    def end_of(self, job: str) -> str:
        return "\n".join(self.lines(job)[-20:])

    def wait_for(self, job: str, event: str, n: int = 1) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.said(job, event)) < n:
            code = self.processes[job].poll()
            assert code is None and time.monotonic() < deadline, f"{job} ({code}) said no {event}:\n{self.end_of(job)}"
            time.sleep(0.2)

    def get(self, path: str, **more) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.ports['serve_lists']}{path}", timeout=20, **more)

    def post(self, body: bytes) -> requests.Response:
        return requests.post(f"http://127.0.0.1:{self.ports['collect_events']}/v1/events", data=body, timeout=60)

    def deliver(self, body: bytes) -> dict:
        """Post again while the collector says 503, as clients do: one of its workers may not have found Kafka yet."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (answer := self.post(body)).status_code == 503 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert answer.ok, answer.text
        return answer.json()

    def answers(self, job: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with suppress(requests.RequestException):
                requests.get(f"http://127.0.0.1:{self.ports[job]}/healthz", timeout=5)
                return
            time.sleep(0.2)
        raise AssertionError(f"{job} does not answer")

    def stop(self, job: str) -> None:
        self.processes[job].terminate()
        assert self.processes[job].wait(PATIENCE_SECONDS) == 0, self.end_of(job)

    def end(self) -> None:
        """End what still runs, its children too: the tests read what was said before."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def parsed(line: str) -> dict | None:
    return None if OF_OTHERS.match(line) else json.loads(line)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Everything that happens, once; the tests read what was said."""
    folder = tmp_path_factory.mktemp("personal")
    with EmbeddedServers(folder / "home", KafkaConfig(bootstrap_servers=None)) as servers:
        ensure_topic(servers.bootstrap_servers, TOPIC, 2, KafkaConfig().max_record_bytes)
        streams = BothStreams("streams", folder, servers, TOPIC, redis_db=0, lists={"sweep_seconds": 1.0})
        happening = Scene(folder, servers, streams)
        try:
            _happen(happening)
            yield happening
        finally:
            happening.end()


def _happen(scene: Scene) -> None:
    scene.start("collect_events", "--without-keys", "--workers", "2", "--port", str(scene.ports["collect_events"]))
    scene.start("serve_lists", "--port", str(scene.ports["serve_lists"]))
    scene.start("personalize")
    scene.start("validate_events")
    for service in scene.ports:
        scene.answers(service)
    _send_all_kinds(scene, 0)
    scene.wait_for("personalize", "batch_done")
    _send_all_kinds(scene, 1_000)
    scene.wait_for("personalize", "model_loaded")  # by one worker, if it took both partitions
    scene.wait_for("validate_events", "records_quarantined")
    _read_lists(scene)
    _break_a_profile(scene)
    valkey, kafka = scene.servers._started
    valkey.stop()
    _read_lists(scene)
    scene.wait_for("serve_lists", "redis_away")
    scene.wait_for("validate_events", "pulse_failing")
    scene.stop("validate_events")
    kafka.stop()
    with suppress(requests.RequestException):
        scene.post(orjson.dumps(an_event(9)))
    scene.wait_for("collect_events", "kafka_away")


def _send_all_kinds(scene: Scene, first: int) -> None:
    good = [an_event(first + n) for n in range(40)]
    assert scene.deliver(orjson.dumps(good))["accepted"] == 40
    broken = [an_event(first, event_type=f"{CANARY}-type"), an_event(first, event_time=CANARY), {CANARY: CANARY}]
    assert scene.post(orjson.dumps(broken)).json()["accepted"] == 0
    assert scene.post(b'{"user_id": "' + CANARY.encode()).status_code in (200, 400)
    host = f"http://127.0.0.1:{scene.ports['collect_events']}"
    requests.post(f"{host}/v1/webhooks/{CANARY}", params={"key": CANARY}, data=CANARY, timeout=20)
    requests.get(f"{host}/v1/pixel.gif", params={"user_id": CANARY, "event_type": CANARY}, timeout=20)
    garbage = [CANARY.encode(), b"\xff" + CANARY.encode(), orjson.dumps(an_event(first, price=CANARY))]
    garbage += [orjson.dumps(an_event(first, event_type="teleport")), orjson.dumps([CANARY]), b""]
    with KafkaRecordSink(scene.servers.bootstrap_servers, TOPIC, KafkaConfig().max_record_bytes) as sink:
        for value in garbage:
            sink.send(Record(value, CANARY.encode()))


def _read_lists(scene: Scene) -> None:
    for path in (
        f"/v1/lists/{CANARY}-1",
        f"/v1/lists/{CANARY}-2?bogus={CANARY}",
        f"/v1/similar/{CANARY}",
        "/v1/trending",
    ):
        assert scene.get(path).status_code in (200, 304, 400)
    requests.post(
        f"http://127.0.0.1:{scene.ports['serve_lists']}/v1/lists/batch",
        json={"user_ids": [f"{CANARY}-3"], CANARY: CANARY},
        timeout=20,
    )


def _break_a_profile(scene: Scene) -> None:
    """What no version can read, under the key of a user who then does something: the stream ends."""
    scene.streams.client.set(profile_key(f"{CANARY}-3"), f"{CANARY} is no profile".encode())
    scene.deliver(orjson.dumps([an_event(2_000 + n) for n in range(7)]))
    assert scene.processes["personalize"].wait(PATIENCE_SECONDS) == 1


JOBS = ("collect_events", "serve_lists", "personalize", "validate_events")


@pytest.mark.parametrize("job", JOBS)
def test_no_line_has_anything_of_a_person_or_of_a_record(scene, job):
    lines = scene.lines(job)

    assert len(lines) > 2
    assert [line for line in lines if CANARY in line] == []


@pytest.mark.parametrize("job", JOBS)
def test_every_line_is_an_object_with_what_every_line_has(scene, job):
    said = [line for line in map(parsed, scene.lines(job)) if line]

    assert [line for line in said if not set(line) >= OF_EVERY_LINE] == []
    assert {line["job"] for line in said} == {job}


def test_what_driver_and_workers_say_of_a_micro_batch_has_its_id(scene):
    by_batch = defaultdict(set)
    for line in filter(None, map(parsed, scene.lines("personalize"))):
        if "batch_id" in line:
            by_batch[line["batch_id"]].add((line["event"], "partition" in line))

    assert any({("batch_done", False), ("model_loaded", True)} <= said for said in by_batch.values()), by_batch
    failed = [said for said in by_batch.values() if ("task_failed", True) in said]
    assert failed and all(("batch_failed", False) in said for said in failed)


def test_a_stream_that_fails_says_what_of(scene):
    (failed,) = scene.said("personalize", "stream_failed")
    (ended,) = scene.said("personalize", "crashed")

    assert failed["cause"] == "ProfileFormatError"
    assert ended["error"] == failed["error"]


def test_the_records_that_were_quarantined_are_counted_by_rule(scene):
    counts = defaultdict(int)
    for line in scene.said("validate_events", "records_quarantined"):
        for rule, n in line["by_rule"].items():
            counts[rule] += n

    assert counts["record_parseable"] >= 2 and counts["event_type_known"] >= 1


def test_the_services_tell_what_they_refused_and_who_is_away(scene):
    assert scene.said("collect_events", "events_rejected")[0]["by_rule"]
    assert scene.said("collect_events", "requests_refused")[0]["by_kind"]
    assert scene.said("collect_events", "kafka_away")[0]["topic"] == TOPIC
    assert scene.said("serve_lists", "redis_away")[0]["error"]
    assert len(scene.said("serve_lists", "redis_away")) == 1
