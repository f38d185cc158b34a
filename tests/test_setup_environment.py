import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import setup_environment as setup
from pipelines.errors import ServerError
from pipelines.local.java import java_executable, parse_java_version

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished set-up for `local` in a folder of its own; starting another one fails the test."""
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    monkeypatch.setattr(setup, "MANIFEST", tmp_path / "manifest.json")
    monkeypatch.setattr(setup, "prepare", lambda target: pytest.fail(f"set up {target} again"))
    pins = [*setup.environment_of("local").pins, *setup.environment_of("airflow").pins]
    for name in (*pins, ".venv/bin/python", ".venv-airflow/bin/python", "manifest.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    say_finished("local")
    return tmp_path


def say_finished(target: str) -> None:
    setup.environment_of(target).stamp.write_text(setup.key(target))


def a_java(folder: Path, says: str) -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    java.chmod(0o755)
    return java


def test_a_second_call_does_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert setup.main(["local"]) == 0
    assert capsys.readouterr().out == "environment ready\n"


def test_what_was_set_up_for_dev_is_ready_for_local_but_not_the_other_way_round(project: Path) -> None:
    assert not setup.is_ready("dev")
    say_finished("dev")
    assert setup.is_ready("dev")
    assert setup.is_ready("local")


def test_airflow_is_set_up_apart(project: Path) -> None:
    assert not setup.is_ready("airflow")
    say_finished("airflow")
    assert setup.is_ready("airflow")
    (project / "airflow_dags/constraints.txt").write_text("changed")
    assert not setup.is_ready("airflow")
    assert setup.is_ready("local")


def test_a_python_that_is_too_old_for_airflow_is_told_so(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(setup.sys, "version_info", (3, 10, 9))
    monkeypatch.setattr(setup, "make_venv", lambda *_: pytest.fail("made an environment"))
    with pytest.raises(setup.SetupError, match=r"airflow needs Python 3\.11, .* make PYTHON=python3\.11"):
        setup.prepare("airflow")


@pytest.mark.parametrize("changed", ["setup.py", "conf/spark-defaults.conf"])
def test_changed_pins_are_set_up_anew(changed: str, project: Path) -> None:
    (project / changed).write_text("changed")
    assert not setup.is_ready("local")


@pytest.mark.parametrize("missing", ["manifest.json", ".venv/bin/python", ".venv/.liveshelf"])
def test_what_is_missing_is_set_up_anew(missing: str, project: Path) -> None:
    (project / missing).unlink()
    assert not setup.is_ready("local")


def test_a_set_up_that_was_killed_is_not_ready_and_its_venv_is_not_kept(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = setup.environment_of("local")
    environment.stamp.write_text(setup.UNFINISHED)
    assert not setup.is_ready("local")
    half_installed = project / ".venv" / "half"
    half_installed.touch()
    monkeypatch.setattr(setup, "_venv_version", lambda _: sys.version)
    monkeypatch.setattr(setup.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, "", ""))
    setup.make_venv(None, environment)
    assert not half_installed.exists()


def test_a_failed_install_leaves_the_mark_of_an_unfinished_one(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(setup, "ROOT", project)
    monkeypatch.setattr(setup, "LOG", project / "setup.log")
    monkeypatch.setattr(setup, "make_venv", lambda *_: None)
    python = project / ".venv/bin/python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with pytest.raises(setup.SetupError, match="cannot be installed"):
        setup.prepare("local")
    assert (project / ".venv/.liveshelf").read_text() == setup.UNFINISHED


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (
            'openjdk version "11.0.2" 2019-01-15',
            "Java 17 or newer is needed, .*java is Java 11. Debian.*apt-get install openjdk-17",
        ),
        ('java version "1.8.0_402"', "is Java 8"),
        ("Unable to locate a Java Runtime", "does not run .Unable to locate a Java Runtime.. Install Java 17"),
    ],
)
def test_a_java_that_cannot_be_used_is_one_line_that_says_what_to_install(
    says: str, expected: str, tmp_path: Path
) -> None:
    copy = tmp_path / "project"
    copy.mkdir()
    shutil.copy(PROJECT / "setup_environment.py", copy)
    for name in ("setup.py", "conf", "pipelines"):
        (copy / name).symlink_to(PROJECT / name)
    environment = {key: value for key, value in os.environ.items() if key != "JAVA_HOME"}
    environment["PATH"] = f"{a_java(tmp_path, says).parent}:{environment['PATH']}"
    run = subprocess.run(
        [sys.executable, str(copy / "setup_environment.py")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert len(run.stderr.splitlines()) == 1
    with pytest.raises(setup.SetupError, match=expected):
        raise setup.SetupError(run.stderr)
    assert not (copy / ".venv").exists()


def test_a_missing_java_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match=r"Java is missing: version 17 or newer is needed\. Debian"):
        java_executable()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(ServerError, match=r"JAVA_HOME is .* no bin/java in it"):
        java_executable()


def test_the_java_of_java_home_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    java = a_java(tmp_path, 'openjdk version "21.0.1"')
    assert java_executable() == java


@pytest.mark.parametrize(("text", "version"), [('version "17"', 17), ('version "1.8.0_4"', 8), ("no such file", None)])
def test_the_version_of_a_java_is_read(text: str, version: int | None) -> None:
    assert parse_java_version(text) == version


def test_an_old_python_can_say_that_it_is_too_old() -> None:
    source = (PROJECT / "setup_environment.py").read_text()
    tree = ast.parse(source, feature_version=(3, 7))
    checks = [
        node.lineno for node in tree.body if isinstance(node, ast.If) and "version_info" in ast.unparse(node.test)
    ]
    functions = [node.lineno for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert checks[0] < functions[0]  # types of functions are evaluated: an old Python must not get there
