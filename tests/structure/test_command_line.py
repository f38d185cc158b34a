"""The `liveshelf` command: every job is found, helps, and says plainly what is wrong."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from unittest.mock import MagicMock

import click
import pytest
from click.testing import CliRunner
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from jobs.__main__ import COMMANDS, main
from jobs._options import config_option
from pipelines.config import load_config
from pipelines.errors import ConfigError, ServerError

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_is_the_first_line_of_the_jobs_docstring(name):
    module, summary = COMMANDS[name]
    source = (PROJECT / f"{module.replace('.', '/')}.py").read_text()

    assert (ast.get_docstring(ast.parse(source)) or "").splitlines()[0] == summary


def test_every_job_is_a_command():
    jobs = {path.stem for path in (PROJECT / "jobs").glob("*.py") if not path.stem.startswith("_")}

    assert jobs == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_teaches(name):
    result = CliRunner().invoke(main, [name, "--help"])

    assert result.exit_code == 0, result.output
    assert COMMANDS[name][1].split(":")[0].split()[0] in result.output


def test_a_job_is_found_under_its_name_with_a_hyphen_too():
    assert CliRunner().invoke(main, ["validate-events", "--help"]).exit_code == 0


def test_help_of_all_loads_no_spark():
    code = """
import sys
from jobs.__main__ import main
try:
    main(["--help"])
except SystemExit:
    print("pyspark" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PROJECT)

    assert run.stdout.splitlines()[-1] == "False"


def test_an_error_we_know_is_one_line_and_no_traceback(tmp_path):
    config = tmp_path / "broken.yaml"
    config.write_text("lists: {m: 3}")

    result = CliRunner().invoke(main, ["config", "--config", str(config)])

    assert result.exit_code == 1
    assert result.output.startswith("liveshelf: broken.yaml: lists: unknown key 'm'")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("lists: {windw: 1}", "unknown key 'windw'", id="unknown-key"),
        pytest.param("lsts: {}", "did you mean 'lists'", id="nearest-name"),
        pytest.param("lists: {n: ten}", "lists.n: Input should be a valid integer", id="wrong-type"),
        pytest.param("lists: {n: 0}", "greater than or equal to 1, got 0", id="out-of-range"),
        pytest.param("- a", "expected keys and values, got list", id="not-a-mapping"),
        pytest.param("a: [", "is not YAML", id="not-yaml"),
        pytest.param("model: {event_weights: {view: 1}}", "view: not an interaction", id="unknown-event-type"),
        pytest.param(
            "model: {mixture: {own_history_share: 0.9}}", "must not add up to more than 1", id="shares-above-one"
        ),
        pytest.param("retention: {vacuum_hours: 24}", "greater than or equal to 168, got 24", id="vacuum-too-soon"),
        pytest.param("redis: {url: 'redis://:secret@h:1/0'}", "REDIS_URL", id="password-in-the-file"),
    ],
)
def test_what_a_wrong_configuration_is_told(tmp_path, text, says):
    path = tmp_path / "c.yaml"
    path.write_text(text)

    with pytest.raises(ConfigError, match=says.replace("(", r"\(")) as error:
        load_config(path)
    assert "secret" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: cannot be read .* --config"):
        load_config(tmp_path / "nowhere.yaml")


def test_the_environment_wins_over_the_file_key_by_key(tmp_path, monkeypatch):
    path = tmp_path / "c.yaml"
    path.write_text("lists: {n: 4, ttl_days: 2}")
    monkeypatch.setenv("LIVESHELF_LISTS__N", "7")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "k:9092")
    monkeypatch.setenv("REDIS_URL", "redis://:secret@h:1/0")

    config = load_config(path)

    assert (config.lists.n, config.lists.ttl_days) == (7, 2)
    assert (config.kafka.bootstrap_servers, config.redis.url) == ("k:9092", "redis://:secret@h:1/0")


@pytest.mark.parametrize("name", ["LIVESHELF_LOGGING__FORMAT", "liveshelf_logging__format"])
def test_a_wrong_variable_is_named_not_the_file(tmp_path, monkeypatch, name):
    path = tmp_path / "c.yaml"
    path.write_text("lists: {n: 0}")
    monkeypatch.setenv(name, "jason")

    with pytest.raises(ConfigError) as error:
        load_config(path)

    assert "the variable LIVESHELF_LOGGING__FORMAT: logging.format: Input should be 'auto'" in str(error.value)
    assert "c.yaml: lists.n: " in str(error.value)


@pytest.mark.parametrize("url", ["localhost:6379", "http://:secret@h:1/0", "redis://:secret@h:port/0"])
def test_an_address_of_redis_that_is_none_is_refused_without_its_password(monkeypatch, url):
    monkeypatch.setenv("REDIS_URL", url)

    result = CliRunner().invoke(main, ["status", "--once", "--config", str(PROJECT / "conf/local.yaml")])

    assert result.exit_code == 1
    assert result.output.startswith("liveshelf: the address of Redis cannot be used: expected redis://HOST:PORT/N")
    assert "secret" not in result.output


@pytest.mark.parametrize("error", [RedisConnectionError("Connection refused."), RedisTimeoutError("Timeout reading.")])
def test_a_redis_that_does_not_answer_is_named_with_what_to_do(monkeypatch, error):
    @click.command()
    @config_option
    def job(config):
        raise error

    monkeypatch.setenv("REDIS_URL", "redis://:secret@h:1/0")

    result = CliRunner().invoke(job, ["--config", str(PROJECT / "conf/local.yaml")])

    assert result.exit_code == 1
    assert result.output == (
        f"liveshelf: {str(error)[:-1]}: is Redis up, and is its address right? the variable REDIS_URL says redis://:***@h:1/0\n"
    )


@pytest.mark.parametrize("name", ["validate_events", "reconcile_events"])
def test_a_kafka_that_does_not_answer_is_named_before_spark_is_started(monkeypatch, name):
    def no_answer(kafka):
        raise ServerError(f"Kafka at {kafka.bootstrap_servers} does not answer")

    module = importlib.import_module(f"jobs.{name}")
    monkeypatch.setattr(module, "describe_topic", no_answer)
    monkeypatch.setattr(module, "job_session", lambda _: pytest.fail("Spark was started"))
    monkeypatch.setattr(module, "SharedHeartbeat", MagicMock(), raising=False)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "k:9092")
    monkeypatch.setenv("REDIS_URL", "redis://h:1/0")

    result = CliRunner().invoke(module.main, ["--config", str(PROJECT / "conf/local.yaml")])

    assert (result.exit_code, result.stderr.splitlines()[-1]) == (1, "liveshelf: Kafka at k:9092 does not answer")


@pytest.mark.parametrize("name", ["local", "cluster"])
def test_the_shipped_configurations_load(name):
    load_config(PROJECT / f"conf/{name}.yaml")
