"""How the jobs that watch end, and what they leave for a machine to read."""

import json
from datetime import datetime, timezone

import click
import pytest
from click.testing import CliRunner

from jobs._options import config_option
from jobs._watching import Findings, as_of_option, telling_options


@click.command()
@config_option
@as_of_option
@telling_options
@click.option("--alert", "alerts", multiple=True)
def watch(config, as_of, telling, alerts):
    telling.conclude(Findings("watch", as_of, alerts, {"n": 1}), lambda: click.echo("a table"))


def run(*arguments):
    return CliRunner().invoke(watch, [*arguments, "--as-of", "2026-11-01T06:00"])


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        pytest.param([], 0, id="well"),
        pytest.param(["--alert", "a is 3, limit 2"], 3, id="alert"),
        pytest.param(["--alert", "a is 3, limit 2", "--exit-zero"], 0, id="alert-but-exit-zero"),
        pytest.param(["--config", "no-such.yaml"], 1, id="could-not-look"),
        pytest.param(["--no-such-option"], 2, id="usage"),
    ],
)
def test_the_exit_code_tells_an_alert_from_a_job_that_could_not_look(arguments, exit_code):
    assert run(*arguments).exit_code == exit_code


def test_an_alert_is_said_line_by_line():
    assert run("--alert", "a is 3, limit 2", "--alert", "b is gone").stderr.splitlines() == [
        "liveshelf: watch: an alert",
        "  a is 3, limit 2",
        "  b is gone",
    ]


def test_the_json_is_the_same_on_the_terminal_and_in_the_file(tmp_path):
    file = tmp_path / "made/for/it.json"

    printed = run("--json", "--result", str(file), "--alert", "b is gone", "--exit-zero").stdout

    assert json.loads(printed) == {
        "job": "watch",
        "as_of": "2026-11-01T06:00:00+00:00",
        "is_well": False,
        "alerts": ["b is gone"],
        "n": 1,
    }
    assert file.read_text() == printed.strip()
    assert [path.name for path in file.parent.iterdir()] == ["it.json"]


def test_people_get_a_table():
    assert run().stdout == "a table\n"


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2026-11-01T06:00:00Z", datetime(2026, 11, 1, 6, tzinfo=timezone.utc)),
        ("2026-11-01T06:00+02:00", datetime(2026, 11, 1, 4, tzinfo=timezone.utc)),
        ("2026-11-01", datetime(2026, 11, 1, tzinfo=timezone.utc)),
    ],
)
def test_an_instant_without_a_zone_is_utc(value, instant):
    seen = []

    @click.command()
    @as_of_option
    def tell(as_of):
        seen.append(as_of)

    CliRunner().invoke(tell, ["--as-of", value])
    assert seen == [instant]


def test_what_is_no_instant_is_a_usage_error():
    ended = CliRunner().invoke(watch, ["--as-of", "yesterday"])
    assert ended.exit_code == 2
    assert "expected an instant such as 2026-11-01T06:00, got 'yesterday'" in ended.stderr
