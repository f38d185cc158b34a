"""The README is executed: every command in it is run here, long ones on less data."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.__main__ import BOARDS
from pipelines.local.prometheus import PROMETHEUS, is_installed
from tests.monitoring.beside_the_demo import has_data, prometheus, services, tell_what_jobs_find, use
from tests.monitoring.renaming import metrics_of, with_another_name

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
KEPT_DEMO = 'make demo ARGS="--keep --n-events 4000 --rate 0"'
# what is run instead of a command of the README, and why
INSTEAD = {
    "make demo": KEPT_DEMO,  # less data; once for both
    "make demo ARGS=--keep": KEPT_DEMO,
    "make test": "make -n test",  # it is what runs this
}
# panels without data while all is well, and why
MAY_BE_EMPTY = {
    "data: Warned of",  # no rule of the suite only warns
}
LOOKING = ("export ", ".venv/bin/liveshelf ")  # run beside the kept demo


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def run(script: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", "-ec", script], cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.fixture(scope="module")
def kept_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    log = tmp_path_factory.mktemp("demo") / "demo.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-ec", KEPT_DEMO], cwd=PROJECT, stdout=out, stderr=out, start_new_session=True
        )
    deadline = time.monotonic() + 420
    while "Ctrl-C ends it" not in log.read_text() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.5)
    yield log
    os.killpg(process.pid, signal.SIGINT)
    process.wait(90)  # make and the shell end by the signal itself, so the code says nothing
    assert "stopping …" in log.read_text() and "Traceback" not in log.read_text()
    assert not list((PROJECT / ".liveshelf/demo/run").glob("*.json")), "something was left running"


def test_the_readme_has_commands():
    assert {"make demo", "make test", "make package"} <= set(commands())


@pytest.mark.servers
@pytest.mark.spark
def test_the_demo_keeps_its_promises(kept_demo):
    shown = kept_demo.read_text()

    assert "Ctrl-C ends it" in shown and "✗" not in shown, shown
    assert shown.count("✓") == 6


@pytest.mark.servers
@pytest.mark.spark
def test_looking_inside_works_while_the_demo_runs(kept_demo):
    looks = [command for command in commands() if command.startswith(LOOKING)]
    assert len(looks) >= 4

    result = run("\n".join(looks))

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.servers
@pytest.mark.spark
@pytest.mark.skipif(
    not is_installed(PROMETHEUS), reason="NOT TESTED with a real Prometheus: apt-get install prometheus"
)
def test_every_panel_of_the_dashboards_has_data_while_the_demo_runs(kept_demo, tmp_path):
    asked = {f"{name}: {panel.title}": panel for name, board in BOARDS.items() for panel in board.panels}
    assert not (MAY_BE_EMPTY - asked.keys())
    with services(tmp_path) as addresses, prometheus(tmp_path, addresses) as address:
        assert (
            run("LIVESHELF_CONFIG=.liveshelf/demo/config.yaml .venv/bin/liveshelf build_features --once").returncode
            == 0
        )
        assert (
            run(
                "LIVESHELF_CONFIG=.liveshelf/demo/config.yaml .venv/bin/liveshelf check_freshness --exit-zero"
            ).returncode
            == 0
        )
        tell_what_jobs_find()
        deadline, empty = time.monotonic() + 420, set(asked)
        while empty - MAY_BE_EMPTY and time.monotonic() < deadline:
            assert (
                run("LIVESHELF_CONFIG=.liveshelf/demo/config.yaml .venv/bin/liveshelf simulate --events 300").returncode
                == 0
            )
            use(*addresses[1:])
            empty = {
                name for name, panel in asked.items() if not all(has_data(address, e) for e in panel.queries.values())
            }
        # a panel whose metric is renamed has no data, and so is found out above
        queries = {expr for panel in asked.values() for expr in panel.queries.values()}
        renamed = {with_another_name(expr, metric) for expr in queries for metric in metrics_of(expr)}
        assert [expr for expr in sorted(renamed) if has_data(address, expr)] == []

    assert empty <= MAY_BE_EMPTY, empty - MAY_BE_EMPTY


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(c, marks=[pytest.mark.slow] if c == "make package" else [])
        for c in commands()
        if not c.startswith(LOOKING)
    ],
)
def test_every_other_command_runs(command, request):
    instead = INSTEAD.get(command, command)
    if instead == KEPT_DEMO:
        return  # test_the_demo_keeps_its_promises
    result = run(instead)

    assert result.returncode == 0, result.stdout + result.stderr


def test_every_file_that_the_documents_name_exists():
    for document in [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *(PROJECT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (document.parent / target).exists(), f"{document.name}: {target}"
