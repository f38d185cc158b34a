"""The hot path as benchmarks run it: servers, the simulated shop as load in a process of its own, and the stream."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from pipelines.config import Config, load_config
from pipelines.events.parse import parse_records
from pipelines.events.rules import CompiledRules
from pipelines.features.definitions import load_definitions
from pipelines.features.interactions import learned_columns, learned_contract, to_arrivals
from pipelines.hot_path.spark import with_personalization
from pipelines.hot_path.worker import StageSettings
from pipelines.local.servers import EmbeddedServers, ensure_topic
from pipelines.sections import RedisConfig
from pipelines.sources.kafka import read_records
from pipelines.sources.topics import describe_topic

SHOP = {"n_users": 20_000, "n_items": 10_000}
EVENTS_PER_SECOND = 1_000


def shop_config(folder: Path, servers: EmbeddedServers) -> Config:
    """An empty topic and an empty Redis for the shop of `conf/local.yaml`."""
    config = load_config("conf/local.yaml")
    kafka = config.kafka.model_copy(update={"bootstrap_servers": servers.bootstrap_servers})
    ensure_topic(servers.bootstrap_servers, kafka.topic, kafka.partitions, kafka.max_record_bytes)
    places = {"checkpoint_root": str(folder / "checkpoints"), "redis": RedisConfig(url=servers.redis_url)}
    return config.model_copy(update={"kafka": kafka, **places})


def records_of(spark: SparkSession, config: Config, starting: str = "earliest") -> DataFrame:
    """The topic's records, (partition, offset, value, …)."""
    return read_records(spark, config.kafka, max_offsets=config.kafka.max_offsets_per_trigger, starting=starting)


def hot_frame(spark: SparkSession, config: Config, rules: CompiledRules, starting: str = "earliest") -> DataFrame:
    """All that `personalize` does to records in its tasks: a row a task, of HOT_PATH_REPORT."""
    definitions = load_definitions(config.features.definitions)
    topic_tag = describe_topic(config.kafka).tag
    settings = StageSettings(
        str(config.redis.url), topic_tag, config.profile, config.lists, config.model, definitions.online()
    )
    contract = learned_contract(config.events.contract, definitions, config.model)
    valid = parse_records(records_of(spark, config, starting), contract).where(rules.is_valid)
    learned = learned_columns(valid, definitions, config.model)
    return with_personalization(to_arrivals(valid, *learned, with_impressions=True), settings)


@contextmanager
def shop_load(config: Config, seconds: int) -> Iterator[None]:
    """The simulated shop in a process of its own, as far from this one as on this machine it can be."""
    kafka = config.kafka
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(
            f"kafka:\n  bootstrap_servers: {kafka.bootstrap_servers}\n  topic: {kafka.topic}\nredis:\n  url: {config.redis.url}\n"
        )
        file.flush()
        command = [sys.executable, "-m", "jobs", "simulate", "--config", file.name, "--rate", str(EVENTS_PER_SECOND)]
        command += ["--events", str(seconds * EVENTS_PER_SECOND), "--seed", "8"]
        command += ["--users", str(SHOP["n_users"]), "--items", str(SHOP["n_items"])]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.terminate()
            process.wait()
