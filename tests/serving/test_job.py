"""`liveshelf serve_lists` and `liveshelf serving`: what they refuse, and the switch for all."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from jobs.__main__ import main
from pipelines.stores.serving_mode import ServingModeStore

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command with a configuration; nothing listens, as it is refused before."""
    monkeypatch.delenv("SERVING_KEYS", raising=False)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9")

    def run(*arguments: str, **config):
        path = tmp_path / "c.yaml"
        path.write_text(json.dumps({"kafka": {"bootstrap_servers": "127.0.0.1:9"}} | config))
        return CliRunner().invoke(main, [*arguments, "--config", str(path)])

    return run


def test_without_a_key_it_says_how_to_make_one(run):
    result = run("serve_lists", serving={"require_key": True})

    assert result.exit_code == 1 and "no key: set SERVING_KEYS=reader:key" in result.output


def test_impressions_need_a_topic_of_json(run):
    kafka = {"bootstrap_servers": "127.0.0.1:9", "format": "avro", "schema_registry_url": "http://r:1"}

    assert (
        "kafka.format of topic clickstream is avro"
        in run("serve_lists", serving={"log_impressions": True}, kafka=kafka).output
    )


def test_limits_that_contradict_each_other_are_named(run):
    output = run("serve_lists", serving={"fresh_hours": 48, "hard_limit_hours": 24}).output

    assert "serving: fresh_hours must not be more than hard_limit_hours" in output


def test_a_worker_starts_no_spark_session():
    code = """
import sys
import jobs.serve_lists, pipelines.serving.service
print([name for name in ("great_expectations", "mlflow", "pandas", "deltalake") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)

    assert run.stdout.splitlines()[-1] == "[]"


def test_the_switch_for_all_is_set_read_and_kept_with_its_reason(run, monkeypatch, redis_url, redis_client):
    monkeypatch.setenv("REDIS_URL", redis_url)
    before = run("serving", "status").output
    switched = run("serving", "fallback", "--reason", "the model went mad")
    mode = ServingModeStore(redis_client).read()

    assert before == "serving: personal\n"
    assert switched.exit_code == 0 and switched.output.startswith("serving: fallback since 20")
    assert (mode.mode, mode.reason) == ("fallback", "the model went mad") and mode.by and mode.since_ms
    assert run("serving", "status").output == switched.output
    run("serving", "personal", "--reason", "all well")
    assert ServingModeStore(redis_client).read().mode == "personal"


def test_a_switch_without_a_reason_is_refused(run):
    assert "--reason" in run("serving", "fallback").output
