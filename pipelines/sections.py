"""The sections of the configuration: what each key means, its default and its bounds."""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pyspark.sql.types import BooleanType, DataType, DoubleType, LongType, StringType, StructField

from pipelines.schemas import Contract
from pipelines.section import Section

FieldKind = Literal["string", "long", "double", "boolean"]
_FIELD_KINDS: dict[FieldKind, DataType] = {
    "string": StringType(),
    "long": LongType(),
    "double": DoubleType(),
    "boolean": BooleanType(),
}


def refuse_password(url: str | None, variable: str) -> str | None:
    """Give `url` back. Raises ValueError where it has a password, which belongs into the environment variable."""
    if url and urlsplit(url).password:
        raise ValueError(f"a password does not belong in the file; put the whole URL in the variable {variable}")
    return url


class KafkaConfig(Section):
    """Where events are read from. `KAFKA_BOOTSTRAP_SERVERS` overrides `bootstrap_servers`."""

    bootstrap_servers: str | None = Field(None, description="host:port[,host:port]; none: the embedded broker")
    topic: str = Field("clickstream", description="keyed by user, so that one partition holds all events of a user")
    partitions: int = Field(2, ge=1, description="used when the topic is made; as many as cores that run the hot path")
    max_record_bytes: int = Field(
        8_388_608, ge=1024, description="what the embedded topic accepts; the rules refuse less"
    )
    max_offsets_per_trigger: int = Field(100_000, ge=1, description="bound of one micro-batch, in records")
    format: Literal["json", "avro", "protobuf"] = Field(
        "json",
        description="what the topic's values are; avro and protobuf: with schema ids of a Confluent-style registry",
    )
    schema_registry_url: str | None = Field(
        None, description="http(s)://host:port, needed by avro and protobuf; user and password: SCHEMA_REGISTRY_URL"
    )

    @field_validator("schema_registry_url")
    @classmethod
    def _no_password_in_the_file(cls, url: str | None) -> str | None:
        return refuse_password(url, "SCHEMA_REGISTRY_URL")


class EventsConfig(Section):
    """What this shop's events have beside the contract (docs/architecture.md)."""

    optional_fields: dict[str, FieldKind] = Field(
        {},
        description="further fields, name: string, long, double or boolean; a column each in `events` and for the rules",
    )

    @field_validator("optional_fields")
    @classmethod
    def _names_that_are_free(cls, fields: dict[str, FieldKind]) -> dict[str, FieldKind]:
        taken = {name.lower() for name in (*Contract().verdicts.names, *Contract().json.names, "timestamp")}
        for name in fields:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", name):
                raise ValueError(f"'{name}': a field's name has letters, digits and _, and begins with a letter")
            if name.lower() in taken:
                raise ValueError(f"'{name}': the contract has a column of this name")
        return fields

    @property
    def contract(self) -> Contract:
        """The contract with these fields."""
        kinds = self.optional_fields.items()
        return Contract(tuple(StructField(name, _FIELD_KINDS[kind]) for name, kind in kinds))


class RedisConfig(Section):
    """Where profiles, lists and the model are served from. `REDIS_URL` overrides `url`."""

    url: str | None = Field(None, description="redis://host:port/db, without a password; none: the embedded Valkey")

    @field_validator("url")
    @classmethod
    def _no_password_in_the_file(cls, url: str | None) -> str | None:
        return refuse_password(url, "REDIS_URL")


class ValidationConfig(Section):
    """How events are checked and filed in Delta."""

    suite: Path = Field(
        Path("conf/expectations/clickstream.json"), description="the Great Expectations suite: the rules"
    )
    trigger_seconds: float = Field(10.0, ge=0, description="how often Delta gets a commit")
    max_offsets_per_trigger: int = Field(200_000, ge=1, description="bound of one micro-batch, in records")
    event_dedupe_minutes: float = Field(
        10.0,
        ge=0,
        description="an event_id again, with an event_time at most so far away, is the same event, however much later it "
        "comes; each commit reads the ids of that much of `events` around its own events",
    )
    quarantine_dedupe_days: int = Field(
        7, ge=1, description="the same broken bytes sent again within so many days are quarantined once"
    )
    hourly_suite: Path = Field(
        Path("conf/expectations/clickstream_hours.json"),
        description="the Great Expectations suite of whole hours: volume, shares, freshness; it alerts, and stops nothing",
    )
    audit_seconds: float = Field(
        60.0, ge=0, description="how often Great Expectations itself checks a sample beside the stream; 0: never"
    )
    audit_sample_rows: int = Field(5_000, ge=1, le=100_000, description="bound of that sample")
    data_docs_root: Path = Field(
        Path(".liveshelf/data_docs"), description="local folder of Great Expectations' pages about the audits (HTML)"
    )


class FeaturesConfig(Section):
    """What `build_features` makes of the events, and how often."""

    definitions: Path = Field(
        Path("conf/features.yaml"), description="the features: `liveshelf features list` explains"
    )
    trigger_seconds: float = Field(60.0, ge=0, description="how often the feature tables get a commit each")
    max_bytes_per_trigger: str = Field(
        "64m", pattern=r"^\d+[kmg]?$", description="bound of one micro-batch, as bytes of the files of `events`"
    )
    ranks_ttl_hours: float = Field(
        48.0, gt=0, description="ranks and fallback lists disappear so long after they were last made"
    )


class RetentionConfig(Section):
    """How long the tables keep what they have: what `maintain_tables` deletes. Whole days, UTC; none: for ever."""

    events_days: int | None = Field(
        None,
        ge=1,
        description="days of `events` kept before today; keep them longer than Kafka keeps the topic, and than features look "
        "back: what is made anew from `events` knows no more than is kept",
    )
    quarantine_days: int | None = Field(
        None, ge=1, description="days of `quarantine` kept before today; what is deleted cannot be sent again"
    )
    audits_days: int | None = Field(None, ge=1, description="days of `audits` and `consistency` kept before today")
    lists_days: int | None = Field(None, ge=1, description="days of `lists` kept before today")
    vacuum_hours: int = Field(
        168,
        ge=168,
        le=720,  # Delta keeps the log for 30 days, and refuses files that outlive it
        description="a file that is in no version any more is kept so long, for readers that have not come to it yet and "
        "for `versionAsOf`",
    )

    features_vacuum_hours: int = Field(
        24, ge=1, le=720, description="the same for the feature tables, whose every commit writes most of a table anew"
    )

    @property
    def days_of_tables(self) -> dict[str, int | None]:
        """Table → how many days before today it keeps."""
        days = {"events": self.events_days, "quarantine": self.quarantine_days}
        return {**days, "audits": self.audits_days, "consistency": self.audits_days, "lists": self.lists_days}


class ProfileConfig(Section):
    """What Redis keeps of each user."""

    ring_size: int = Field(48, ge=4, le=200, description="interactions kept: the newest, by event time")
    dedupe_hours: float = Field(
        24.0,
        ge=0,
        description="an interaction below the ring, at most so much older than the newest, is still known again",
    )
    dedupe_keys: int = Field(1024, ge=0, le=8192, description="bound of that memory: 8 bytes of Redis each")
    kept_purchases: int = Field(
        64,
        ge=0,
        le=255,
        description="items that the user bought longer ago, the newest so many: 16 bytes of Redis each",
    )
    kept_shown: int = Field(
        20,
        ge=0,
        le=255,
        description="items last shown to the user, with how often: 8 bytes of Redis each, where impressions come and "
        "lists.rules.fatigue_impressions asks for them",
    )
    ttl_days: int = Field(90, ge=1, description="a profile disappears so long after its last change")


class TrackingConfig(Section):
    """Where training runs and versions of the model are kept. `MLFLOW_TRACKING_URI` overrides `uri`."""

    uri: str | None = Field(
        None, description="http(s)://host:port of an MLflow server, without a password; none: embedded, in `root`"
    )
    root: Path = Field(
        Path(".liveshelf/mlflow"), description="local folder of the embedded MLflow: its SQLite file and artifacts"
    )
    experiment: str = Field("liveshelf", min_length=1, description="the MLflow experiment that runs are filed in")
    model_name: str = Field(
        "liveshelf-ranker", pattern=r"^[\w.-]+$", description="the registered model that versions are of"
    )
    snapshot_minutes: float = Field(
        30.0, ge=0, description="how often what was learned from the stream becomes a version; 0: never"
    )
    kept_online_versions: int = Field(
        20, ge=1, description="of the versions learned from the stream that no alias names, the newest so many are kept"
    )
    champion_poll_seconds: float = Field(2.0, gt=0, description="how often the hot path asks which version is champion")

    @field_validator("uri")
    @classmethod
    def _no_password_in_the_file(cls, url: str | None) -> str | None:
        return refuse_password(url, "MLFLOW_TRACKING_URI")
