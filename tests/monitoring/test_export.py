"""The exporter as it is run: what it says, and what it says when Redis is away."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import tenacity
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from jobs.export_metrics import main
from jobs.status import main as status
from pipelines.local.processes import free_port
from pipelines.monitoring.overview import Overview, troubles
from pipelines.stores.due import DueStore
from pipelines.stores.heartbeat import HeartbeatStore
from pipelines.stores.keys import history_key, list_log_key
from pipelines.stores.outcomes import Outcome, OutcomeStore
from pipelines.stores.serving_mode import ServingMode, ServingModeStore

PROJECT = Path(__file__).parents[2]


@contextmanager
def exporter(redis_url: str) -> Iterator[str]:
    """Start the job on a free port; gives its address."""
    with exporting(redis_url) as (address, _):
        yield address


@contextmanager
def exporting(redis_url: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The same with its process."""
    command = [sys.executable, "-m", "jobs", "export_metrics", "--port", "0"]
    environment = os.environ | {"REDIS_URL": redis_url}
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            told = process.stderr.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+", told).group()
            assert answered(f"{address}/healthz").json() == {"status": "ok"}
            yield address, process
        finally:
            process.terminate()


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(requests.ConnectionError),
    stop=tenacity.stop_after_delay(60),
    wait=tenacity.wait_fixed(0.05),
)
def answered(url: str) -> requests.Response:
    """The port is taken before the service answers."""
    return requests.get(url, timeout=30)


def scraped(address: str) -> dict[str, float]:
    answer = requests.get(f"{address}/metrics", timeout=30)
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain; version=")
    return figures(answer.text)


def figures(text: str) -> dict[str, float]:
    """Name{value}… → value, the values in the order of their labels' names."""
    return {
        sample.name + "".join(f"{{{value}}}" for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_streams_redis_queues_and_mode_are_told_as_they_are_now(redis_url, redis_client):
    HeartbeatStore(redis_client).beat("personalize", {"n_new": 4, "state": "running"})
    DueStore(redis_client).put(["u1", "u2"], at_ms=1)
    DueStore(redis_client).put(["u3"], at_ms=4_000_000_000_000)
    OutcomeStore(redis_client).tell("train_model", Outcome(1_500, 20.5, 0))
    redis_client.xadd(list_log_key(1), {"list": b"{}"})

    with exporter(redis_url) as address:
        before = scraped(address)
        ServingModeStore(redis_client).set(ServingMode("fallback", "a test"))
        after = scraped(address)
        shown = requests.get(f"{address}/status", timeout=30)

    assert "1 to look at" in shown.text and "nobody gets a personal list: a test" in shown.text
    assert before["liveshelf_interactions_total{folded}"] == 4
    assert before["liveshelf_stream_state{running}{personalize}"] == 1
    told = {
        name: before[f"liveshelf_job_{name}{{train_model}}"]
        for name in ("end_timestamp_seconds", "run_seconds", "exit_code")
    }
    assert told == {"end_timestamp_seconds": 1.5, "run_seconds": 20.5, "exit_code": 0}
    assert before["liveshelf_lists_waiting{due}"] == 2  # the third is not due yet
    assert before["liveshelf_lists_unfiled"] == 1
    assert before["liveshelf_redis_up"] == 1 and before["liveshelf_redis_memory_bytes"] > 100_000
    assert (before["liveshelf_serving_fallback"], after["liveshelf_serving_fallback"]) == (0, 1)


@pytest.mark.slow
def test_ctrl_c_ends_it_well():
    with exporting(f"redis://127.0.0.1:{free_port()}/0") as (_, process):
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)

    assert process.returncode == 0 and "Aborted" not in told


@pytest.mark.slow
def test_while_redis_is_away_that_is_what_is_told():
    with exporter(f"redis://127.0.0.1:{free_port()}/0") as address:
        assert scraped(address) == {"liveshelf_redis_up": 0}
        assert "Redis does not answer" in requests.get(f"{address}/status", timeout=30).text


def test_the_same_as_a_file_written_whole(redis_url, redis_client, tmp_path, monkeypatch):
    monkeypatch.setenv("REDIS_URL", redis_url)
    HeartbeatStore(redis_client).beat("personalize", {"n_new": 4})
    OutcomeStore(redis_client).tell("train_model", Outcome(1_500, 20.5, 0, figures={"ndcg": {"model": 0.25}}))
    file = tmp_path / "node" / "liveshelf.prom"

    ended = CliRunner().invoke(main, ["--textfile", str(file)])

    assert ended.exit_code == 0, ended.output
    told = figures(file.read_text())
    assert told["liveshelf_interactions_total{folded}"] == 4
    assert told["liveshelf_training_ndcg{model}"] == 0.25 and told["liveshelf_job_exit_code{train_model}"] == 0
    assert [path.name for path in file.parent.iterdir()] == ["liveshelf.prom"]


def test_the_status_is_read_as_it_is_now(redis_url, redis_client, monkeypatch):
    monkeypatch.setenv("REDIS_URL", redis_url)
    HeartbeatStore(redis_client).beat("personalize", {"state": "running", "n_lists": 4})

    well = CliRunner().invoke(status, ["--json"])
    ServingModeStore(redis_client).set(ServingMode("fallback", "a test"))
    ill = CliRunner().invoke(status, ["--json"])
    shown = CliRunner().invoke(status, ["--once"])

    told = json.loads(well.stdout)
    assert (well.exit_code, ill.exit_code, shown.exit_code) == (0, 3, 3)
    assert told["troubles"] == [] and told["streams"]["personalize"]["n_lists"] == 4
    assert json.loads(ill.stdout)["troubles"] == ["nobody gets a personal list: a test"]
    assert "made 4" in shown.stdout and "nobody gets a personal list" in shown.stdout


def test_in_a_file_a_trouble_is_one_line(redis_url, redis_client, monkeypatch):
    monkeypatch.setenv("REDIS_URL", redis_url)
    reason = "check_freshness took personal lists away, for events are older than the hard limit of six hours says"
    ServingModeStore(redis_client).set(ServingMode("fallback", reason))

    assert reason in CliRunner().invoke(status, []).stdout


@pytest.mark.parametrize(("minutes_ago", "n_troubles"), [(4, 1), (6, 0)])
def test_records_that_were_quarantined_more_than_five_minutes_ago_are_no_trouble(redis_client, minutes_ago, n_troubles):
    noted = {"n_valid": 90, "n_quarantined": 40}
    HeartbeatStore(redis_client).beat("validate_events", {"state": "running", **noted})
    for minutes, before in ((9, noted | {"n_quarantined": 0}), (minutes_ago, noted)):
        redis_client.xadd(
            history_key("validate_events"), before, id=f"{time.time_ns() // 1_000_000 - minutes * 60_000}-0"
        )

    assert len(troubles(Overview.read(redis_client))) == n_troubles


@pytest.mark.parametrize(("late_20_minutes_ago", "n_troubles"), [(0, 1), (10, 0)])
def test_lists_that_come_late_for_twenty_minutes_are_a_trouble(redis_client, late_20_minutes_ago, n_troubles):
    HeartbeatStore(redis_client).beat("personalize", {"state": "running", "n_timed": 300, "n_late": 20})
    for minutes, n_timed, n_late in ((21, 100, late_20_minutes_ago), (11, 200, 10), (1, 290, 19)):
        redis_client.xadd(
            history_key("personalize"),
            {"n_timed": n_timed, "n_late": n_late},
            id=f"{time.time_ns() // 1_000_000 - minutes * 60_000}-0",
        )

    assert len(troubles(Overview.read(redis_client))) == n_troubles


@pytest.mark.slow
def test_the_status_says_that_redis_is_away(monkeypatch):
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")

    shown = CliRunner().invoke(status, ["--once"])

    assert shown.exit_code == 3 and "Redis does not answer" in shown.stdout
