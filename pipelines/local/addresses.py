"""Where Kafka and Redis are: given by the configuration, else the embedded ones that run now.

Every job asks here, also on a cluster where the extra `local` is not installed.
"""

import os
from pathlib import Path
from urllib.parse import urlsplit

from pipelines.config import Config
from pipelines.errors import ServerError

KAFKA_VARIABLE, REDIS_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS", "REDIS_URL"
HOME, DEMO = Path(".liveshelf"), "demo"  # DEMO: the demo's folder in HOME
NO_SERVER = "no {kind}: start the embedded one with `liveshelf up`, or set {variable}"
OF_THE_DEMO = ". A demo runs: for its servers `export LIVESHELF_CONFIG={config}`"


def with_running_servers(config: Config, home: Path = HOME) -> Config:
    """Return `config` with the address of each embedded server that runs now, where it gives none.

    Raises ServerError, with what to start or set, where neither is there.
    """
    return with_running_redis(with_running_kafka(config, home), home)


def with_running_kafka(config: Config, home: Path = HOME) -> Config:
    """Do as `with_running_servers`, for a job that needs no Redis."""
    if config.kafka.bootstrap_servers:
        return config
    port = _running_port("kafka", home, NO_SERVER.format(kind="Kafka", variable=KAFKA_VARIABLE))
    kafka = config.kafka.model_copy(update={"bootstrap_servers": f"127.0.0.1:{port}"})
    return config.model_copy(update={"kafka": kafka})


def with_running_redis(config: Config, home: Path = HOME) -> Config:
    """Do as `with_running_servers`, for a job that needs no Kafka."""
    if config.redis.url:
        return config
    port = _running_port("valkey", home, NO_SERVER.format(kind="Redis", variable=REDIS_VARIABLE))
    redis = config.redis.model_copy(update={"url": f"redis://127.0.0.1:{port}/0"})
    return config.model_copy(update={"redis": redis})


def kafka_origin(address: str) -> str:
    """Name the variable or key that `address` comes from, for a message."""
    return _origin(address, KAFKA_VARIABLE, "LIVESHELF_KAFKA__BOOTSTRAP_SERVERS", "kafka.bootstrap_servers")


def redis_origin(url: str) -> str:
    return _origin(url, REDIS_VARIABLE, "LIVESHELF_REDIS__URL", "redis.url")


def redis_advice(url: str | None) -> str:
    """Say what to do about a Redis that does not answer; `url` as in the configuration that was loaded."""
    if url is None:
        return "the embedded Redis is gone: `liveshelf up` starts it again"
    return f"is Redis up, and is its address right? {redis_origin(url)} says {without_password(url)}"


def without_password(url: str) -> str:
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":***@") if password else url


def _origin(value: str, *variables_then_key: str) -> str:
    *variables, key = variables_then_key
    used = [f"the variable {name}" for name in variables if os.environ.get(name) == value]
    return used[0] if used else f"the key {key}"


def _running_port(name: str, home: Path, otherwise: str) -> int:
    try:
        from pipelines.local.records import read_record, record_path
    except ImportError as error:  # psutil is in the extra `local`
        raise ServerError(otherwise) from error
    record, of_demo = (read_record(record_path(each.resolve(), name)) for each in (home, home / DEMO))
    if record is not None and record.is_live:
        return record.port
    hint = of_demo is not None and of_demo.is_live
    raise ServerError(otherwise + (OF_THE_DEMO.format(config=home / DEMO / "config.yaml") if hint else ""))
