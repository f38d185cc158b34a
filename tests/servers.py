"""Real servers for tests: one Kafka and one Valkey for the whole run, on free ports, gone afterwards."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from pipelines.local.servers import EmbeddedServers, ensure_topic
from pipelines.local.valkey import start_valkey, valkey_url
from pipelines.sections import KafkaConfig

MAX_RECORD_BYTES = KafkaConfig().max_record_bytes


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks for a server is marked so: `make check` must not start one."""
    for item in items:
        if {"servers", "each_redis_url"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.servers)


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServers]:
    with EmbeddedServers(tmp_path_factory.mktemp("servers"), KafkaConfig(bootstrap_servers=None)) as running:
        yield running


@pytest.fixture
def topic(servers: EmbeddedServers) -> str:
    """A topic of two partitions that nobody else uses."""
    name = f"clickstream-{uuid.uuid4().hex[:12]}"
    ensure_topic(servers.bootstrap_servers, name, 2, MAX_RECORD_BYTES)
    return name


@pytest.fixture
def redis_url(servers: EmbeddedServers) -> str:
    """The embedded Valkey, empty."""
    return _emptied(servers.redis_url)


@pytest.fixture
def redis_client(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture(params=["valkey", "redis-server"])
def each_redis_url(request: pytest.FixtureRequest) -> str:
    """Every server of the protocol on this machine, empty: the embedded Valkey, and the `redis-server` of PATH."""
    if request.param == "valkey":
        return str(request.getfixturevalue("redis_url"))
    return _emptied(request.getfixturevalue("installed_redis_url"))


@pytest.fixture(scope="session")
def installed_redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("NOT TESTED against redis-server: it is not installed (apt-get install redis-server)")
    process = start_valkey(tmp_path_factory.mktemp("redis"), Path(binary))
    yield valkey_url(process.port)
    process.stop()


def _emptied(url: str) -> str:
    with redis.Redis.from_url(url) as client:
        client.flushall()
    return url
