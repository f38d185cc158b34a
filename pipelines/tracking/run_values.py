"""Parameters and metrics of a run, as MLflow takes them."""

import time
from collections.abc import Mapping
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param

AT_ONCE = 100  # parameters that MLflow takes in one request; of metrics there are never more than it takes, 1,000


def log_parameters(client: MlflowClient, run_id: str, parameters: Mapping[str, Any]) -> None:
    """Tell what a run was made with. Nested ones get dotted names."""
    params = [Param(name, str(value)) for name, value in flat(parameters).items()]
    for start in range(0, len(params), AT_ONCE):
        client.log_batch(run_id, params=params[start : start + AT_ONCE])


def log_metrics(
    client: MlflowClient, run_id: str, metrics: Mapping[str, float], step: int = 0, time_ms: int | None = None
) -> None:
    """Tell how it stands, at a step of the run and at a time (epoch ms, default: now). The same again changes nothing."""
    at_ms = time.time_ns() // 1_000_000 if time_ms is None else time_ms
    client.log_batch(run_id, metrics=[Metric(name, float(value), at_ms, step) for name, value in metrics.items()])


def flat(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested parameters under dotted names."""
    pairs: dict[str, Any] = {}
    for name, value in parameters.items():
        pairs |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return pairs
