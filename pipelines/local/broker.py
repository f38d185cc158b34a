"""A real Kafka broker of one node (KRaft), on free loopback ports."""

import base64
import subprocess
import uuid
from pathlib import Path

from kafka.errors import KafkaError

from pipelines.errors import ServerError
from pipelines.local.java import java_executable
from pipelines.local.processes import OwnedProcess, clear_the_way, free_port, last_lines
from pipelines.logs.libraries import unheard
from pipelines.sources.kafka_clients import Admin

NAME = "kafka"
START_SECONDS = 60.0
HEAP = ["-Xms64m", "-Xmx512m", "-XX:+UseSerialGC"]
LOGGING = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %-5p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


def start_broker(home: Path, jars: list[Path], max_record_bytes: int) -> OwnedProcess:
    """Start the broker whose data is in `home`/kafka: topics and records of earlier runs are there.

    Raises ServerError when it runs already, or is not ready in a minute.
    """
    clear_the_way(NAME, home)
    process = OwnedProcess(NAME, home, free_port())
    folder = home / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "log4j2.properties").write_text(LOGGING, encoding="utf-8")
    settings = folder / "server.properties"
    settings.write_text(broker_settings(folder / "data", process.port, free_port(), max_record_bytes), encoding="utf-8")
    java = [str(java_executable()), *HEAP, f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}"]
    java += ["-cp", ":".join(str(jar) for jar in jars)]
    if not (folder / "data" / "meta.properties").exists():
        _format(java, settings, process.log)
    with unheard("kafka"):  # its client's threads, too, while nobody answers yet
        process.start(
            [*java, "kafka.Kafka", str(settings)],
            lambda: why_no_answer(broker_address(process.port)) is None,
            START_SECONDS,
        )
    return process


def broker_address(port: int) -> str:
    return f"127.0.0.1:{port}"


def broker_settings(data: Path, port: int, controller_port: int, max_record_bytes: int) -> str:
    """Return the server.properties of one node that is broker and controller in one."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        # Not the newer quorum.bootstrap.servers: that one keeps the port of the first start in its data.
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "log.dirs": data,
        "message.max.bytes": max_record_bytes,
        "replica.fetch.max.bytes": max_record_bytes,
        "auto.create.topics.enable": "false",
        "log.retention.ms": -1,  # a replayed log may be years old, and is not to vanish while it is read
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
        "log.cleaner.dedupe.buffer.size": 8_388_608,  # the default takes 128 MB of the heap
        # After kill -9 the next start waits until the broker of before is declared dead; the default is 9 s.
        "broker.session.timeout.ms": 3_000,
        "broker.heartbeat.interval.ms": 500,
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def why_no_answer(bootstrap_servers: str, timeout_ms: int = 5_000) -> str | None:
    """Return None when a broker is there, else what the client said."""
    addresses = [address.strip() for address in bootstrap_servers.split(",")]
    try:
        with (
            unheard("kafka"),
            Admin(bootstrap_servers=addresses, bootstrap_timeout_ms=timeout_ms, request_timeout_ms=timeout_ms) as admin,
        ):
            return None if admin.describe_cluster()["brokers"] else "it knows no broker"
    except (KafkaError, OSError, ValueError) as error:
        return str(error) or type(error).__name__


def _format(java: list[str], settings: Path, log: Path) -> None:
    """Give an empty data folder its cluster id."""
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = [*java, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--config", str(settings)]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        code = subprocess.run(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, check=False).returncode
    if code != 0:
        raise ServerError(f"{NAME} could not format {settings.parent / 'data'}. The log {log} ends:\n{last_lines(log)}")
