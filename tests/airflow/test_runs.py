"""Airflow's own `airflow dags test` runs every DAG against a filled lake: spark-submit is really called.

All runs are made first, two at a time, each with a database of its own; what each said is under .liveshelf/airflow/logs.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.airflow.conftest import PROJECT
from tests.airflow.running import airflow, new_home, states, values

LOGS = PROJECT / ".liveshelf/airflow/logs/dags-test"
YESTERDAY = (datetime.now(timezone.utc) - timedelta(days=1)).date().isoformat()
DAYS = {"since": YESTERDAY, "until": YESTERDAY}
# name of the run → DAG, its parameters, and the state that each task must end in; of tasks that wait for a verdict, either
EITHER = {"success", "failed"}
RUNS: dict[str, tuple[str, dict[str, str], dict[str, object]]] = {
    "train_model": ("train_model", {}, {"train_model": "success"}),
    "evaluate_models": (
        "evaluate_models",
        {},
        {"evaluate_model": "success", "alert": EITHER, "ask_for_training": {"success", "skipped"}},
    ),
    "detect_drift": (
        "detect_drift",
        {},
        {"detect_drift": "success", "alert": EITHER, "ask_for_training": {"success", "skipped"}},
    ),
    "check_freshness": (
        "check_freshness",
        {},
        {"check_freshness": "success", "alert": EITHER, "ask_for_training": {"success", "skipped"}},
    ),
    "maintain_tables": ("maintain_tables", {}, {"maintain_tables": "success"}),
    "audit_events": ("audit_events", {}, {"audit_events": "success"}),
    "backfill of evaluation": (
        "backfill",
        {"what": "evaluation", **DAYS},
        {"evaluation": "success", "profiles": "skipped"},
    ),
    "backfill of profiles": (
        "backfill",
        {"what": "profiles", **DAYS},
        {"profiles": "success", "evaluation": "skipped"},
    ),
}
# Written to each Python process that a run starts: whoever looks for a machine that is not this one.
WATCH = """
import os, sys
def watch(event, args):
    if event == "socket.connect":
        host = args[1][0] if isinstance(args[1], tuple) else "localhost"
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host not in (None, "", "localhost", "::1", "0.0.0.0", os.uname().nodename) and not host.startswith("127."):
        with open(os.environ["WATCHED"], "a") as file:
            file.write(f"{event} {host} by {sys.argv[:3]}\\n")
sys.addaudithook(watch)
"""


@dataclass(frozen=True)
class Ended:
    code: int
    log: str
    states: dict[str, str]
    findings: dict[str, object]  # what the watching tasks returned, by task


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("shop")
    command = [PROJECT / ".venv/bin/python", "-m", "tests.airflow.filled_lake", folder]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    with subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as shop:
        try:
            assert shop.stdout.readline(), "the lake could not be filled"
            yield folder
        finally:
            shop.stdin.close()
            shop.wait(60)


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("watch")
    (folder / "sitecustomize.py").write_text(WATCH)
    return folder


@pytest.fixture(scope="module")
def runs(lake, watched, migrated, tmp_path_factory) -> dict[str, Ended]:
    home = tmp_path_factory.mktemp("airflow")
    environment = {
        "LIVESHELF_CONFIG": str(lake / "config.yaml"),
        "LIVESHELF_SPARK_PROPERTIES": str(lake / "spark.conf"),
        "PYTHONPATH": str(watched),
        "WATCHED": str(watched / "seen"),
    }
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)

    def run(name: str) -> Ended:
        dag_id, parameters, _ = RUNS[name]
        own = new_home(home / name, migrated)
        conf = ["--conf", json.dumps(parameters)] if parameters else []
        ended = airflow("dags", "test", dag_id, *conf, home=own, **environment)
        (LOGS / f"{name}.log").write_text(ended.stdout)
        return Ended(ended.returncode, ended.stdout, states(own), values(own))

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(RUNS, pool.map(run, RUNS), strict=True))


@pytest.mark.parametrize("name", RUNS)
def test_a_dag_runs_to_its_end(runs, name):
    *_, expected = RUNS[name]
    ended = runs[name]

    for task, state in expected.items():
        assert ended.states[task] in (state if isinstance(state, set) else {state}), ended.log[-4000:]
    if all(isinstance(state, str) for state in expected.values()):
        assert ended.code == 0, ended.log[-4000:]


@pytest.mark.parametrize("name", [name for name in RUNS if name != "check_freshness"])
def test_spark_submit_of_the_jobs_environment_was_called(runs, name):
    log = runs[name].log

    assert f"Spark-Submit cmd: {PROJECT}/.venv/bin/spark-submit --master local[2] --properties-file" in log
    assert "--deploy-mode client" in log


def test_an_alert_fails_its_own_task_and_not_the_job(runs):
    for name, ended in runs.items():
        findings = next((value for value in ended.findings.values() if isinstance(value, dict)), None)
        if findings and "alert" in ended.states:
            assert ended.states["alert"] == ("success" if findings["is_well"] else "failed"), name
            assert all(line in ended.log for line in findings["alerts"])


def test_the_jobs_left_what_they_make(runs, lake):
    assert (lake / "lake/evaluations/_delta_log").is_dir()
    assert (lake / "lake/audits/_delta_log").is_dir()
    assert (lake / "lake/drift/_delta_log").is_dir()
    assert {"mode", "changed", "reason"} <= set(runs["check_freshness"].findings["check_freshness"]["serving"])
    assert "profiles replaced" in runs["backfill of profiles"].log
    findings = runs["evaluate_models"].findings["evaluate_model"]
    assert findings["gate"]["decision"] in {"promote", "keep", "no challenger"}


def test_a_run_looks_for_no_other_machine(runs, watched):
    """No usage data, no version check, no package or jar looked up: the runs need this machine and nothing else."""
    seen = watched / "seen"

    assert not seen.exists(), seen.read_text()
    trial = "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
    environment = {**os.environ, "PYTHONPATH": str(watched), "WATCHED": str(seen)}
    subprocess.run([sys.executable, "-c", trial], env=environment, check=True)
    assert "socket.connect 192.0.2.1" in seen.read_text(), "the watch sees nothing at all"
