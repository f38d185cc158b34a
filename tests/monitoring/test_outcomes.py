"""How a job that ends has ended: told in Redis, and by the exporter."""

import time

import click
import pytest
from click.testing import CliRunner

from jobs._options import config_option
from jobs._outcomes import tell_figures, tells_outcome
from jobs._watching import Findings, as_of_option, telling_options
from pipelines.errors import ConsistencyError, InputError
from pipelines.local.processes import free_port
from pipelines.stores.history import HistoryStore
from pipelines.stores.keys import history_key, outcome_key
from pipelines.stores.outcomes import Outcome, OutcomeStore

FAULTS = {
    "known": InputError("a known fault"),
    "unknown": ZeroDivisionError(),
    "of-a-library": ValueError("user u-00001 is not what was expected"),
    "of-users": ConsistencyError("they differ:\n  user-00001: one click too few"),
    "interrupted": KeyboardInterrupt(),
}


@click.command()
@config_option
@tells_outcome("look")
@as_of_option
@telling_options
@click.option("--find", "alerts", multiple=True)
@click.option("--dry-run", "is_dry_run", is_flag=True)
@click.option("--fail", type=click.Choice(list(FAULTS)))
def look(config, as_of, telling, alerts, is_dry_run, fail):
    if fail:
        raise FAULTS[fail]
    tell_figures({"events": {"learned": 7}})
    telling.conclude(Findings("look", as_of, alerts, told={"age_seconds": {"events": 12, "lists": None}}), lambda: None)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "outcome", "said"),
    [
        pytest.param([], 0, 0, "", id="well"),
        pytest.param(["--find", "it"], 3, 3, "look: an alert\n  it", id="findings"),
        pytest.param(["--find", "it", "--exit-zero"], 0, 3, "look: an alert\n  it", id="findings-that-fail-nobody"),
        pytest.param(["--fail", "known"], 1, 1, "a known fault", id="could-not-look"),
        pytest.param(["--fail", "unknown"], 1, 1, "ZeroDivisionError", id="a-fault-of-ours"),
        pytest.param(["--fail", "of-a-library"], 1, 1, "ValueError", id="what-may-hold-anything"),
        pytest.param(["--fail", "of-users"], 1, 1, "they differ:", id="what-names-users"),
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


def test_a_run_that_somebody_interrupted_leaves_the_outcome_before_it(redis_url, redis_client, monkeypatch):
    monkeypatch.setenv("REDIS_URL", redis_url)

    assert CliRunner().invoke(look, ["--fail", "interrupted"]).exit_code == 1

    assert OutcomeStore(redis_client).read(["look"]) == {}


@pytest.mark.parametrize("arguments", [["--dry-run"], ["--as-of", "2026-01-01"]], ids=["trial", "past"])
def test_a_trial_and_a_look_at_the_past_say_nothing_of_now(redis_url, redis_client, monkeypatch, arguments):
    monkeypatch.setenv("REDIS_URL", redis_url)

    assert CliRunner().invoke(look, [*arguments, "--find", "it"]).exit_code == 3

    assert OutcomeStore(redis_client).read(["look"]) == {}


def test_nobody_to_tell_is_no_trouble(monkeypatch):
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")

    assert CliRunner().invoke(look, []).exit_code == 0
    assert CliRunner().invoke(look, ["--find", "it"]).exit_code == 3


@pytest.mark.parametrize("arguments", [[], ["--find", "it"]], ids=["well", "findings"])
def test_what_a_job_found_is_told_however_it_ends(redis_url, redis_client, monkeypatch, arguments):
    monkeypatch.setenv("REDIS_URL", redis_url)

    CliRunner().invoke(look, arguments)

    assert OutcomeStore(redis_client).read(["look"])["look"].figures == {
        "age_seconds": {"events": 12.0},
        "events": {"learned": 7.0},
    }


def test_figures_without_an_outcome_are_told_to_nobody():
    tell_figures({"age_seconds": {"events": 12}})


def test_an_outcome_that_was_told_before_there_were_figures_is_read(redis_client):
    redis_client.set(outcome_key("look"), b'{"ended_ms": 1, "seconds": 2.0, "exit_code": 3, "said": "it"}')

    assert OutcomeStore(redis_client).read(["look"]) == {"look": Outcome(1, 2.0, 3, "it")}


def test_a_run_is_noted_for_plots_over_weeks(redis_client):
    store, figures = (
        HistoryStore(redis_client),
        {"ndcg": {"champion": 0.12, "popularity": 0.03}, "ndcg_limit": {"champion": 0.1}},
    )
    store.note_run("evaluate_model", figures)
    store.note_run("evaluate_model", figures)  # a moment later
    store.note_run("rebuild_profiles", {"profiles": {"replaced": 1.0}})

    assert [point.figures for point in store.read("evaluate_model")] == [
        {"ndcg.champion": 0.12, "ndcg.popularity": 0.03}
    ]
    assert store.read("rebuild_profiles") == []
    assert redis_client.ttl(history_key("evaluate_model")) > 60 * 24 * 3600


def test_a_run_five_minutes_later_is_another_point(redis_client):
    redis_client.xadd(
        history_key("evaluate_model"), {"ndcg.champion": 0.1}, id=f"{int(time.time() * 1000) - 301_000}-0"
    )
    HistoryStore(redis_client).note_run("evaluate_model", {"ndcg": {"champion": 0.2}})

    assert [point.figures["ndcg.champion"] for point in HistoryStore(redis_client).read("evaluate_model")] == [0.1, 0.2]
