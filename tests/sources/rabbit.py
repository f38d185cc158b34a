"""A real RabbitMQ: Debian's `rabbitmq-server` as a plain process, on free loopback ports, with its data where the test says."""

import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from pipelines.local.processes import OwnedProcess, free_port
from pipelines.local.records import read_record, record_path

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one in /usr/sbin would change the user
START_SECONDS = 60.0
CONFIG = """\
loopback_users = none
vm_memory_high_watermark.absolute = 256MB
disk_free_limit.absolute = 1MB
"""


class RabbitMQ:
    """Starts, kills −9 and starts again, with the same data and port."""

    def __init__(self, home: Path) -> None:
        self._home, self._port, self._epmd_port, self._dist_port = home, free_port(), free_port(), free_port()
        self._epmd: OwnedProcess | None = None
        self._server: OwnedProcess | None = None
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}/%2F"

    def start(self) -> None:
        if self._epmd is None:  # else the server would leave one behind
            self._epmd = OwnedProcess("epmd", self._home, self._epmd_port)
            command = [str(shutil.which("epmd")), "-port", str(self._epmd_port), "-address", "127.0.0.1"]
            with _environment(self._settings()):
                self._epmd.start(command, lambda: True, START_SECONDS)
        self._server = OwnedProcess("rabbitmq", self._home, self._port)
        with _environment(self._settings()):
            self._server.start([str(SERVER)], self._is_ready, START_SECONDS)

    def kill(self) -> None:
        """kill −9, as a machine that loses power; what was not on disk is gone."""
        record = read_record(record_path(self._home, "rabbitmq"))
        process = record and record.server.process()
        assert process and self._server, "RabbitMQ does not run"
        assert process.name() == "beam.smp"
        process.kill()
        self._server.stop()

    def stop(self) -> None:
        for process in (self._server, self._epmd):
            if process is not None:
                process.stop()

    @contextmanager
    def channel(self) -> Iterator[BlockingChannel]:
        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        try:
            yield connection.channel()
        finally:
            connection.close()

    def publish(self, queue: str, bodies: Iterable[bytes], **properties: object) -> None:
        """Publish persistent messages to a durable queue; they are on disk when this returns."""
        with self.channel() as channel:
            channel.queue_declare(queue, durable=True)
            channel.tx_select()
            for body in bodies:
                channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2, **properties))
            channel.tx_commit()

    def n_ready(self, queue: str) -> int:
        """Messages that nobody has."""
        with self.channel() as channel:
            return int(channel.queue_declare(queue, passive=True).method.message_count)

    def _is_ready(self) -> bool:
        with suppress(AMQPError, OSError):
            pika.BlockingConnection(pika.URLParameters(self.url)).close()
            return True
        return False

    def _settings(self) -> dict[str, str]:
        config = self._home / "rabbitmq.conf"
        config.write_text(CONFIG)
        (self._home / "enabled_plugins").write_text("[].\n")
        return {
            "HOME": str(self._home),  # of the Erlang cookie
            "RABBITMQ_NODENAME": f"test-{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(self._home / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._home / "log"),
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_CONF_ENV_FILE": str(self._home / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._home / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(self._home / "rabbitmq.pid"),
            "RABBITMQ_ALLOW_INPUT": "true",  # the shell becomes the server, so its process is the one we kill
            "RABBITMQ_SERVER_START_ARGS": "-noinput",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    if not SERVER.exists():
        pytest.skip("NOT TESTED against RabbitMQ: it is not installed (apt-get install rabbitmq-server)")
    server = RabbitMQ(tmp_path_factory.mktemp("rabbit"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def queue() -> str:
    """The name of a queue that nobody else uses."""
    return f"events-{uuid.uuid4().hex[:12]}"
