"""The connection to MLflow: a server's, or the embedded one, which is a SQLite file and a folder."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from pipelines.errors import ServerError
from pipelines.locks import exclusive
from pipelines.sections import TrackingConfig

# For who sets nothing else. MLflow's own defaults wait 120 s and try eight times: a job would hang for a quarter of an hour.
_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # else it gets among the JSON that a job prints
}
_LOUD = ("mlflow", "alembic")
DATABASE = "mlflow.db"  # of the embedded one


@dataclass(frozen=True)
class Tracking:
    """An MLflow that answered, and what of it is ours. Threads may share it."""

    client: MlflowClient
    uri: str
    experiment_id: str
    model_name: str


def connect(config: TrackingConfig) -> Tracking:
    """Find MLflow, and in it the experiment, which is made where there is none.

    Waits for each answer as long as `MLFLOW_HTTP_REQUEST_TIMEOUT` says, by default 10 s, twice. Raises ServerError when
    none comes.
    """
    root, uri = _settle(config)
    with answered(uri):
        if config.uri:
            return _tracking(config, uri, None)
        with exclusive(root / "mlflow.lock"):  # two jobs that start together would both make the database
            return _tracking(config, uri, root / "artifacts")


def look(config: TrackingConfig) -> Tracking | None:
    """Find MLflow as `connect` does, to read versions only: makes nothing, and asks for no experiment.

    None while there is no embedded one yet.
    """
    root, uri = _settle(config)
    if not config.uri and not (root / DATABASE).exists():
        return None
    with answered(uri):
        client = MlflowClient(tracking_uri=uri, registry_uri=os.environ.get("MLFLOW_REGISTRY_URI") or uri)
        return Tracking(client, uri, "", config.model_name)


@contextmanager
def answered(uri: str) -> Iterator[None]:
    """Raise ServerError for whatever MLflow's client raises: no answer, a refusal, a disk that is full."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:  # of requests too: they are OSErrors
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ServerError(
            f"MLflow at {_without_password(uri, uri)} did not do as it was asked ({_without_password(told, uri)}); "
            "is it up, and is `tracking.uri` or MLFLOW_TRACKING_URI right?"
        ) from error


def _settle(config: TrackingConfig) -> tuple[Path, str]:
    """Tell MLflow to be brief; returns the folder of the embedded one, and where MLflow is."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.WARNING)
    root = config.root.resolve()
    return root, config.uri or f"sqlite:///{root / DATABASE}"


def _tracking(config: TrackingConfig, uri: str, artifacts: Path | None) -> Tracking:
    client = MlflowClient(tracking_uri=uri, registry_uri=os.environ.get("MLFLOW_REGISTRY_URI") or uri)
    return Tracking(client, uri, _experiment_id(client, config.experiment, artifacts), config.model_name)


def _experiment_id(client: MlflowClient, name: str, artifacts: Path | None) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        try:
            return str(client.create_experiment(name, artifact_location=artifacts.as_uri() if artifacts else None))
        except MlflowException:  # another job was quicker
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    if experiment.lifecycle_stage != LifecycleStage.ACTIVE:
        raise ServerError(
            f"the MLflow experiment '{name}' was deleted: `mlflow experiments restore --experiment-id "
            f"{experiment.experiment_id}`, or name another one in `tracking.experiment`"
        )
    return str(experiment.experiment_id)


def _without_password(text: str, uri: str) -> str:
    password = urlsplit(uri).password
    return text.replace(f":{password}@", ":***@") if password else text
