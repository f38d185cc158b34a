"""One embedded MLflow for all tests of the room: making its database takes seconds. Each test has a model of its own."""

import uuid

import pytest

from pipelines.sections import TrackingConfig
from tests.tracking.builders import Facts


@pytest.fixture(scope="session")
def mlflow_root(tmp_path_factory):
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture
def tracking(mlflow_root) -> TrackingConfig:
    """The embedded MLflow, with a model that has no version."""
    return TrackingConfig(root=mlflow_root, model_name=f"ranker-{uuid.uuid4().hex[:12]}", champion_poll_seconds=0.01)


@pytest.fixture
def registry(tracking):
    from pipelines.tracking.registry import Registry

    return Registry.open(tracking)


@pytest.fixture
def add(registry):
    """Make a version of a small model; what is given of it is changed."""

    def make(data=None, config=None, **changes):
        facts = Facts(**changes)
        return registry.add(config or facts.config, facts.data if data is None else data, facts.origin)

    return make
