"""Where MLflow is, what happens when it does not answer, and that nobody else hears of it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.config import load_config
from pipelines.errors import ConfigError, ServerError
from pipelines.local.processes import free_port
from pipelines.sections import TrackingConfig
from tests.tracking.builders import deaf_server

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
# What the product does with MLflow, in a process whose every connection is recorded and refused.
PROBE = """
import json, socket, sys, threading
from pathlib import Path
tried = []
def refuse(self, address, *_):
    tried.append(str(address))
    raise OSError("refused by the test")
def resolve(host, *_, **__):
    tried.append(str(host))
    raise OSError("refused by the test")
socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = resolve

from pipelines.sections import TrackingConfig
from pipelines.tracking.registry import Registry
from pipelines.tracking.promotion import promote
from pipelines.tracking.pyfunc import input_example
from pipelines.tracking.runs import DataVersion, training_run
from tests.tracking.builders import Facts

registry = Registry.open(TrackingConfig(root=Path(sys.argv[1])))
facts = Facts()
with training_run(registry, "train", {"a": 1}, DataVersion({}, 0, 0, 0)) as run:
    run.step(1, {"loss": 1.0})
    promote(registry, run.register(facts.config, facts.data, facts.origin))

import mlflow
mlflow.set_tracking_uri(registry.tracking.uri)
model = mlflow.pyfunc.load_model("models:/liveshelf-ranker@champion")
lists = model.predict(input_example(["i1", "i2"]), params={"n": 2})
from mlflow.telemetry import get_telemetry_client
print(json.dumps({
    "tried": tried, "telemetry": get_telemetry_client() is not None, "lists": lists["items"].tolist(),
    "threads": sorted(thread.name for thread in threading.enumerate()),
}))
"""


@pytest.fixture(scope="module")
def probed(tmp_path_factory):
    """What the probe said. MLflow is quiet in CI and under pytest of its own accord: not here."""
    folder = tmp_path_factory.mktemp("probe")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(folder / "mlflow")], cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout), done.stderr


def test_nothing_is_told_to_anybody(probed):
    _, said, _ = probed

    assert said["tried"] == []
    assert said["telemetry"] is False
    assert [name for name in said["threads"] if "ArtifactRepository" not in name] == ["MainThread"]  # those copy files


def test_a_model_loads_in_another_process_by_its_alias(probed):
    _, said, _ = probed

    assert [len(items) for items in said["lists"]] == [2, 2]


def test_the_embedded_mlflow_is_quiet_and_keeps_to_its_folder(probed):
    folder, _, complaints = probed

    assert sorted(path.name for path in folder.iterdir() if not path.name.startswith(".")) == ["mlflow"]
    assert sorted(path.name for path in (folder / "mlflow").iterdir()) == ["artifacts", "mlflow.db", "mlflow.lock"]
    assert complaints == ""


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")


def test_a_server_that_is_not_there_is_an_error_that_hides_the_password(impatient):
    from pipelines.tracking.connection import connect

    address = f"127.0.0.1:{free_port()}"
    config = TrackingConfig().model_copy(update={"uri": f"http://me:secret@{address}"})

    with pytest.raises(
        ServerError, match=f"MLflow at http://me:.*@{address} did not do .*MLFLOW_TRACKING_URI"
    ) as raised:
        connect(config)
    assert "secret" not in str(raised.value)


def test_a_server_that_never_answers_is_an_error(impatient):
    from pipelines.tracking.connection import connect

    with deaf_server() as (address, accepted), pytest.raises(ServerError, match="did not do as it was asked"):
        connect(TrackingConfig(uri=address))
    assert accepted.is_set()


def test_the_variable_of_mlflow_wins_over_the_file(tmp_path, monkeypatch):
    path = tmp_path / "config.yaml"
    path.write_text("tracking: {uri: 'http://file:5000'}")
    assert load_config(path).tracking.uri == "http://file:5000"

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@variable:5000")

    assert load_config(path).tracking.uri == "http://me:secret@variable:5000"


def test_a_password_in_the_file_is_refused_without_saying_it(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("tracking: {uri: 'http://me:secret@file:5000'}")

    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_URI") as raised:
        load_config(path)
    assert "secret" not in str(raised.value)
