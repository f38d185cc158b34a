"""The collector of a configuration, put together: what a worker runs."""

from fastapi import FastAPI

from pipelines.collecting.app import Collector
from pipelines.collecting.bodies import BodyReader
from pipelines.collecting.checks import EventCheck
from pipelines.collecting.devices import device_type
from pipelines.collecting.gate import Gate
from pipelines.collecting.intake import Intake, Producer
from pipelines.collecting.metrics import Metrics
from pipelines.collecting.secrets import Secrets
from pipelines.collector_sections import CollectorConfig
from pipelines.schemas import Contract


def make_app(config: CollectorConfig, contract: Contract, secrets: Secrets, producer: Producer) -> FastAPI:
    """Return the ASGI application. It closes `producer` when it ends."""
    device_type("Mozilla/5.0")  # compiles a thousand patterns: now, and not while the first visitor waits
    metrics = Metrics()
    gate = Gate(config, secrets, metrics)
    bodies = BodyReader(
        config.max_body_bytes, config.body_timeout_seconds, config.max_reading_bytes, config.retry_after_seconds
    )
    check = EventCheck(contract, config.max_depth)
    intake = Intake(check, producer, metrics, config.without_consent, config.retry_after_seconds)
    return Collector(config, gate, bodies, intake, producer, metrics).app
