"""How a job that ends has ended: told in Redis, and by the exporter."""

import click
import pytest
from click.testing import CliRunner

from jobs._options import config_option
from jobs._outcomes import tells_outcome
from jobs._watching import Findings, as_of_option, telling_options
from pipelines.errors import InputError
from pipelines.local.processes import free_port
from pipelines.stores.outcomes import OutcomeStore


@click.command()
@config_option
@tells_outcome("look")
@as_of_option
@telling_options
@click.option("--find", "alerts", multiple=True)
@click.option("--dry-run", "is_dry_run", is_flag=True)
@click.option("--fail", type=click.Choice(["known", "unknown"]))
def look(config, as_of, telling, alerts, is_dry_run, fail):
    if fail:
        raise InputError("a known fault") if fail == "known" else ZeroDivisionError
    telling.conclude(Findings("look", as_of, alerts), lambda: None)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "outcome", "said"),
    [
        pytest.param([], 0, 0, "", id="well"),
        pytest.param(["--find", "it"], 3, 3, "look: an alert\n  it", id="findings"),
        pytest.param(["--find", "it", "--exit-zero"], 0, 3, "look: an alert\n  it", id="findings-that-fail-nobody"),
        pytest.param(["--fail", "known"], 1, 1, "a known fault", id="could-not-look"),
        pytest.param(["--fail", "unknown"], 1, 1, "ZeroDivisionError", id="a-fault-of-ours"),
    ],
)
def test_however_a_job_ends_that_is_told(redis_url, redis_client, monkeypatch, arguments, exit_code, outcome, said):
    monkeypatch.setenv("REDIS_URL", redis_url)

    assert CliRunner().invoke(look, arguments).exit_code == exit_code

    told = OutcomeStore(redis_client).read(["nobody", "look"])
    assert told.keys() == {"look"} and told["look"].exit_code == outcome
    assert told["look"].said == said
    assert told["look"].ended_ms > 1_700_000_000_000 and told["look"].seconds >= 0
    assert redis_client.ttl("outcome:look") > 30 * 24 * 3600


@pytest.mark.parametrize("arguments", [["--dry-run"], ["--as-of", "2026-01-01"]], ids=["trial", "past"])
def test_a_trial_and_a_look_at_the_past_say_nothing_of_now(redis_url, redis_client, monkeypatch, arguments):
    monkeypatch.setenv("REDIS_URL", redis_url)

    assert CliRunner().invoke(look, [*arguments, "--find", "it"]).exit_code == 3

    assert OutcomeStore(redis_client).read(["look"]) == {}


def test_nobody_to_tell_is_no_trouble(monkeypatch):
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")

    assert CliRunner().invoke(look, []).exit_code == 0
    assert CliRunner().invoke(look, ["--find", "it"]).exit_code == 3
