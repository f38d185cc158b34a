"""One artefact for pip and for --py-files: a wheel is a zip with the packages at its root."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out, sources = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("sources")
    for room in ("jobs", "pipelines"):  # a copy: a `build` that is left in the checkout would get into the wheel
        shutil.copytree(PROJECT / room, sources / room)
    for file in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / file, sources)
    command = [sys.executable, "-m", "pip", "wheel", "-q", str(sources), "--no-deps", "-w", str(out)]
    subprocess.run(command, check=True, cwd=out)
    return next(out.glob("*.whl"))


def test_the_zip_holds_the_packages_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    roots = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert roots == {"jobs", "pipelines"}
    sources = {
        str(path.relative_to(PROJECT)) for room in ("jobs", "pipelines") for path in (PROJECT / room).rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == sources


def test_every_module_can_be_imported_from_the_zip_alone(wheel, tmp_path):
    modules = [
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in zipfile.ZipFile(wheel).namelist()
        if name.endswith(".py") and not name.endswith("__main__.py") and "die_with_parent" not in name
    ]
    code = (
        "import sys, importlib\n"
        f"sys.path[:0] = [{str(wheel)!r}]\n"
        f"for name in {modules!r}:\n"
        "    module = importlib.import_module(name)\n"
        f"    assert module.__file__.startswith({str(wheel)!r}), module.__file__\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_versions_of_jars_and_wheels_move_together():
    setup = (PROJECT / "setup.py").read_text()
    defaults = (PROJECT / "conf/spark-defaults.conf").read_text()

    spark = setup.split('"pyspark==')[1].split('"')[0]
    delta = setup.split('"delta-spark==')[1].split('"')[0]
    assert f"spark-sql-kafka-0-10_2.13:{spark}" in defaults
    assert f"delta-spark_{'.'.join(spark.split('.')[:2])}_2.13:{delta}" in defaults
