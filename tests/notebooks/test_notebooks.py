"""Every notebook runs on a filled lake and on an empty one, writes nothing, and lies in git without outputs."""

import hashlib
import os
from pathlib import Path

import nbformat
import pytest
import yaml
from nbclient import NotebookClient

from pipelines.config import Config
from pipelines.errors import InputError
from tests.notebooks.filled import PROJECT, fill

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
IDS = [path.stem for path in NOTEBOOKS]


@pytest.fixture(scope="module")
def filled(servers, tmp_path_factory):
    return fill(tmp_path_factory.mktemp("filled"), servers.redis_url.replace("/0", "/12"))


def run(path: Path, config: Path) -> nbformat.NotebookNode:
    """Execute it in a kernel of its own, from its own folder, as in Jupyter."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    return client.execute(env=os.environ | {"LIVESHELF_CONFIG": str(config), "PYTHONPATH": str(PROJECT)})


def digests(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def shown(notebook: nbformat.NotebookNode) -> list[dict]:
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


@pytest.mark.servers
@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_it_runs_shows_something_and_writes_nothing(path, filled, redis_dump):
    before, in_redis = digests(filled.root), redis_dump()

    outputs = shown(run(path, filled.config))

    assert digests(filled.root) == before and redis_dump() == in_redis
    assert [each for each in outputs if each.output_type == "execute_result"]
    assert [each for each in outputs if "image/png" in each.get("data", {})]
    assert not [each for each in outputs if each.get("name") == "stderr"]


@pytest.mark.slow
def test_a_lake_without_events_is_told_and_not_made(tmp_path, monkeypatch):
    from pipelines.exploring.lake import open_lake

    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"lake_root": str(tmp_path / "lake")}))
    monkeypatch.chdir(PROJECT / "notebooks")

    with pytest.raises(InputError, match="make demo ARGS=--keep"):
        open_lake(config)
    assert [each.name for each in tmp_path.iterdir()] == ["config.yaml"]


@pytest.mark.slow
def test_a_table_that_nobody_filled_yet_is_told_with_its_job(tmp_path, monkeypatch):
    from pipelines.exploring.lake import Lake

    monkeypatch.chdir(PROJECT)
    lake = Lake(Config(lake_root=str(tmp_path / "lake")))

    with pytest.raises(InputError, match="table drift has no rows yet; `liveshelf detect_drift` fills it"):
        lake.require(drift="detect_drift")


@pytest.mark.slow
def test_outside_of_the_project_it_says_where_to_open_them(tmp_path, monkeypatch):
    from pipelines.exploring.lake import open_lake

    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="from within the project's folder"):
        open_lake()


@pytest.fixture
def redis_dump(filled):
    from pipelines.config import load_config
    from pipelines.stores.connection import connect

    client = connect(str(load_config(filled.config).redis.url))
    return lambda: {key: client.dump(key) for key in sorted(client.keys())}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_it_lies_in_git_without_outputs(path):
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]

    assert all(not cell.outputs and cell.execution_count is None for cell in code), (
        "outputs are not kept: jupyter nbconvert --clear-output --inplace notebooks/*.ipynb"
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=IDS)
def test_one_cell_opens_the_lake_and_it_imports_no_job(path):
    source = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")

    assert source.count("open_lake()") == 1
    assert "import jobs" not in source and "from jobs" not in source


def test_there_are_five():
    assert len(NOTEBOOKS) == 5
