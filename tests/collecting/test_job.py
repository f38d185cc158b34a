"""`liveshelf collect_events`: what it refuses to start with, and that it needs no Spark session."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from jobs.__main__ import main
from tests.collecting.builders import KEY

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the job with a configuration; nothing listens or connects, as it is refused before."""
    monkeypatch.delenv("COLLECTOR_WRITE_KEYS", raising=False)

    def run(*arguments: str, **config):
        path = tmp_path / "c.yaml"
        path.write_text(json.dumps({"kafka": {"bootstrap_servers": "127.0.0.1:9"}} | config))
        return CliRunner().invoke(main, ["collect_events", "--config", str(path), *arguments])

    return run


def test_without_a_write_key_it_says_how_to_make_one(run):
    result = run()

    assert result.exit_code == 1
    assert "no write key: set COLLECTOR_WRITE_KEYS=site:key" in result.output and "--without-keys" in result.output


def test_without_keys_it_listens_to_this_machine_only(run):
    assert "anyone who reaches 0.0.0.0 could send events" in run("--without-keys", "--host", "0.0.0.0").output


def test_a_topic_of_another_format_is_refused(run, monkeypatch):
    monkeypatch.setenv("COLLECTOR_WRITE_KEYS", f"shop:{KEY}")
    kafka = {"bootstrap_servers": "127.0.0.1:9", "format": "avro", "schema_registry_url": "http://r:1"}

    assert "the collector sends JSON, and kafka.format of topic clickstream is avro" in run(kafka=kafka).output


@pytest.mark.parametrize("origin", ["shop.example", "https://shop.example/", "https://shop.example/a", ""])
def test_an_origin_that_is_none_is_refused(run, origin):
    result = run(collector={"allowed_origins": [origin]})

    assert result.exit_code == 1 and "an origin is scheme and host, such as https://shop.example" in result.output


def test_a_sandbox_has_the_origin_null(run):
    assert "no write key" in run(collector={"allowed_origins": ["null"]}).output


def test_a_write_key_does_not_fit_into_the_file(run):
    assert "unknown key 'write_keys'; did you mean 'write_keys_file'" in run(collector={"write_keys": KEY}).output


def test_a_worker_starts_no_spark_session():
    code = """
import sys
import jobs.collect_events, pipelines.http.server, pipelines.collecting.service
print([name for name in ("great_expectations", "mlflow", "pandas", "deltalake") if name in sys.modules])
from pyspark import SparkContext
print(SparkContext._gateway)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)

    assert run.stdout.splitlines()[-1] == "None"
    assert run.stdout.splitlines()[0] == "[]"  # nor what takes seconds to import
