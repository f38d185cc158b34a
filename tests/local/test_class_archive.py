"""What lets a job's JVM start faster: given to the JVM where it fits, and harmless where it does not."""

import shlex
import subprocess
from pathlib import Path

import pytest

from pipelines.local import class_archive as module
from pipelines.local.class_archive import class_archive, make_class_archive
from pipelines.local.java import java_executable
from pipelines.session import submit_arguments

NO_ARCHIVE = "NOT TESTED: there is no class archive (python -m pipelines.local.class_archive)"
JARS = [Path("/jars/a.jar"), Path("/jars/b.jar")]


def options(master: str | None, archive: Path | None) -> dict[str, str]:
    """What follows each option; of --conf, each key with its value."""
    words = shlex.split(submit_arguments(Path("defaults.conf"), JARS, master, archive=archive))
    pairs = list(zip(words[:-1:2], words[1::2], strict=True))
    assert words[-1] == "pyspark-shell"
    return {**dict(pairs), **dict(pair[1].split("=", 1) for pair in pairs if pair[0] == "--conf")}


@pytest.mark.parametrize("master", ["local", "local[2]", "local[*]"])
def test_a_session_of_one_process_reads_the_jars_in_place_and_the_archive(master):
    given = options(master, Path("/a folder/classes.jsa"))

    assert given["--driver-class-path"] == "/jars/a.jar:/jars/b.jar" and "--jars" not in given
    assert '"-XX:SharedArchiveFile=/a folder/classes.jsa"' in given["spark.driver.defaultJavaOptions"]


@pytest.mark.parametrize("master", [None, "spark://host:7077", "local-cluster[2,1,1024]"])
def test_other_processes_are_sent_the_jars_and_have_no_archive(master):
    given = options(master, Path("/classes.jsa"))

    assert given["--jars"] == "/jars/a.jar,/jars/b.jar" and "--driver-class-path" not in given
    assert "spark.driver.defaultJavaOptions" not in given


def test_a_making_that_fails_leaves_the_archive_of_before(monkeypatch, tmp_path):
    def fails(command, **_):
        (tmp_path / "jars/classes.new").write_text("half of it")
        raise subprocess.CalledProcessError(1, command)

    (tmp_path / "jars").mkdir()
    monkeypatch.setattr(module, "spark_jars", lambda *_: JARS)
    monkeypatch.setattr(module.subprocess, "run", fails)
    assert make_class_archive(tmp_path) is None and class_archive(tmp_path) is None

    (tmp_path / "jars/classes.jsa").write_text("whole")
    assert make_class_archive(tmp_path) is None
    assert [path.name for path in (tmp_path / "jars").iterdir() if path.suffix != ""] == ["classes.jsa"]


@pytest.mark.slow
@pytest.mark.parametrize("archive", ["missing", "damaged", "for another class path"])
def test_java_does_without_an_archive_that_does_not_fit_and_says_nothing(tmp_path, archive):
    path = tmp_path / "classes.jsa"
    if archive == "damaged":
        path.write_bytes(b"not an archive")
    elif archive == "for another class path":
        if class_archive() is None:
            pytest.skip(NO_ARCHIVE)
        path.symlink_to(class_archive())
    told = shlex.split(options("local[2]", path)["spark.driver.defaultJavaOptions"])

    run = subprocess.run([java_executable(), *told, "--version"], capture_output=True, text=True, check=False)

    assert run.returncode == 0 and run.stderr == ""
    assert run.stdout.startswith("openjdk") and "cds" not in run.stdout


@pytest.mark.spark
def test_the_archive_of_the_set_up_is_in_use(spark):
    if class_archive() is None:
        pytest.skip(NO_ARCHIVE)
    maps = Path(f"/proc/{spark._jvm.ProcessHandle.current().pid()}/maps")
    if not maps.exists():
        pytest.skip("NOT TESTED: only Linux tells what a process has mapped")

    assert str(class_archive()) in maps.read_text()
