"""The typed configuration: one YAML file, environment overrides, unknown keys refused.

`LIVESHELF_LISTS__N=20` overrides `lists.n`. Secrets come from the environment only: `REDIS_URL` may hold a password,
`redis.url` in the file may not. Defaults live here; `conf/*.yaml` holds what differs between places.
"""

import difflib
import os
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from pipelines.bridge_sections import BridgeConfig
from pipelines.collector_sections import CollectorConfig
from pipelines.drift_sections import DriftConfig
from pipelines.errors import ConfigError
from pipelines.evaluation_sections import EvaluationConfig
from pipelines.freshness_sections import FreshnessConfig
from pipelines.list_sections import CatalogueConfig, ListsConfig, ServingConfig
from pipelines.model_sections import ModelConfig
from pipelines.monitoring_sections import LoggingConfig, MonitoringConfig
from pipelines.sections import (
    EventsConfig,
    FeaturesConfig,
    KafkaConfig,
    ProfileConfig,
    RedisConfig,
    RetentionConfig,
    TrackingConfig,
    ValidationConfig,
)


class Config(BaseSettings):
    """Everything a job may be told. Unknown keys are refused with the nearest known name."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        env_prefix="LIVESHELF_",
        env_nested_delimiter="__",
        nested_model_default_partial_update=True,
    )

    lake_root: str = Field(".liveshelf/lake", description="folder or object-store URL of the Delta tables")
    checkpoint_root: str = Field(".liveshelf/checkpoints", description="folder or URL of the streams' checkpoints")
    kafka: KafkaConfig = KafkaConfig()
    events: EventsConfig = EventsConfig()
    collector: CollectorConfig = CollectorConfig()
    bridge: BridgeConfig = BridgeConfig()
    redis: RedisConfig = RedisConfig()
    validation: ValidationConfig = ValidationConfig()
    features: FeaturesConfig = FeaturesConfig()
    retention: RetentionConfig = RetentionConfig()
    profile: ProfileConfig = ProfileConfig()
    catalogue: CatalogueConfig = CatalogueConfig()
    lists: ListsConfig = ListsConfig()
    serving: ServingConfig = ServingConfig()
    model: ModelConfig = ModelConfig()
    tracking: TrackingConfig = TrackingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    drift: DriftConfig = DriftConfig()
    freshness: FreshnessConfig = FreshnessConfig()
    monitoring: MonitoringConfig = MonitoringConfig()
    logging: LoggingConfig = LoggingConfig()

    @model_validator(mode="after")
    def _a_replay_sees_as_much(self) -> "Config":
        """A replayed micro-batch finds its interactions in the ring, and needs as many before them as at its first attempt."""
        needed = self.model.reach + self.model.max_examples_per_user
        if needed > self.profile.ring_size:
            raise ValueError(
                f"profile.ring_size is {self.profile.ring_size}, but the model looks back over {needed} interactions of a "
                "user: model.max_examples_per_user and the larger of model.factorization.history_items and "
                "model.max_examples_per_user_hour must not add up to more"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file; there are no other sources."""
        return env_settings, init_settings

    def table(self, name: str) -> str:
        """Path of the Delta table `name`."""
        return f"{self.lake_root}/{name}"

    def checkpoint(self, job: str, version: str) -> str:
        """Path of the checkpoint of `job`; `version` changes whenever the meaning of its state does."""
        return f"{self.checkpoint_root}/{job}/{version}"


def load_config(path: str | Path) -> Config:
    """Read `path` and the environment.

    Raises ConfigError, naming file, key, what was expected and what came.
    """
    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); give another file with --config") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: is not YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys and values, got {type(values).__name__}")
    try:
        config = Config(**values)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(_source(path, problem), problem) for problem in error.errors())) from error
    return _with_well_known_variables(config)


def _with_well_known_variables(config: Config) -> Config:
    """Variables that every tool of the field reads: of Kafka, its schema registry, RabbitMQ, Redis and MLflow."""
    kafka = config.kafka.model_copy(
        update={
            "bootstrap_servers": os.environ.get("KAFKA_BOOTSTRAP_SERVERS") or config.kafka.bootstrap_servers,
            "schema_registry_url": os.environ.get("SCHEMA_REGISTRY_URL") or config.kafka.schema_registry_url,
        }
    )
    bridge = config.bridge.model_copy(update={"url": os.environ.get("RABBITMQ_URL") or config.bridge.url})
    redis = config.redis.model_copy(update={"url": os.environ.get("REDIS_URL") or config.redis.url})
    tracking = config.tracking.model_copy(update={"uri": os.environ.get("MLFLOW_TRACKING_URI") or config.tracking.uri})
    return config.model_copy(update={"kafka": kafka, "bridge": bridge, "redis": redis, "tracking": tracking})


def _source(path: Path, problem: Any) -> str:
    """Where the value comes from: the variable that sets it, for it wins; else the file."""
    variable = f"LIVESHELF_{'__'.join(str(part) for part in problem['loc'])}".upper()
    return f"the variable {variable}" if variable in {name.upper() for name in os.environ} else path.name


def _explain(source: str, problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        came = "" if problem["type"] == "value_error" else f", got {problem['input']!r}"  # it may be a secret
        return f"{source}: {where}: {problem['msg'].removeprefix('Value error, ')}{came}"
    *parents, key = (str(part) for part in problem["loc"])
    known = sorted(_section(parents).model_fields)
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    section = ".".join(parents)
    return f"{source}: {section + ': ' if section else ''}unknown key '{key}'{hint} Known: {', '.join(known)}"


def _section(parents: list[str]) -> type[BaseModel]:
    section: type[BaseModel] = Config
    for name in parents:
        annotation = section.model_fields[name].annotation
        section = next((part for part in (annotation, *get_args(annotation)) if _is_section(part)), section)
    return section


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
