"""The embedded default: a Kafka broker and a Valkey server where the configuration names none."""

from pathlib import Path
from types import TracebackType

from pipelines.errors import ServerError
from pipelines.local import broker, valkey
from pipelines.local.addresses import kafka_origin, redis_origin, without_password
from pipelines.local.broker import broker_address, start_broker
from pipelines.local.jars import broker_jars
from pipelines.local.processes import OwnedProcess, exit_on_signals
from pipelines.local.topics import ensure_topic
from pipelines.local.valkey import start_valkey, valkey_url
from pipelines.locks import exclusive
from pipelines.sections import KafkaConfig, RedisConfig

__all__ = ["SERVER_NAMES", "EmbeddedServers", "ensure_topic"]
SERVER_NAMES = (valkey.NAME, broker.NAME)


class EmbeddedServers:
    """`with EmbeddedServers(home, config.kafka, config.redis) as servers:` has both addresses inside the block.

    Starts only what the configuration gives no address for; of the rest it checks that it answers. Data, logs and
    records are in `home`; everything started is stopped at the end of the block, on any exception, Ctrl-C, SIGTERM and
    SIGHUP, and on Linux even when this process is killed. `jars` None: those of the project, resolved if need be.
    """

    def __init__(
        self, home: Path, kafka: KafkaConfig, redis: RedisConfig | None = None, jars: list[Path] | None = None
    ) -> None:
        self._home, self._kafka, self._jars = home.resolve(), kafka, jars
        self._redis = redis or RedisConfig(url=None)
        self._started: list[OwnedProcess] = []
        self._signals = exit_on_signals()
        self.bootstrap_servers = kafka.bootstrap_servers or ""
        self.redis_url = self._redis.url or ""

    def __enter__(self) -> "EmbeddedServers":
        """Start what is missing.

        Raises ServerError when one runs already or does not start (its log is named), or a given one does not answer.
        """
        self._check_given()
        self._signals.__enter__()
        try:
            with exclusive(self._home / "run" / "lock"):  # two starts at once: the second sees the records of the first
                self._start_missing()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            while self._started:
                self._started.pop().stop()
        finally:
            self._signals.__exit__(None, None, None)

    def dead(self) -> list[str]:
        """Name the servers of ours that have ended by themselves, and their logs."""
        return [
            f"{process.name} has ended; its log is {process.log}" for process in self._started if not process.is_running
        ]

    def _start_missing(self) -> None:
        if not self._redis.url:
            self._started.append(start_valkey(self._home))
            self.redis_url = valkey_url(self._started[-1].port)
        if not self._kafka.bootstrap_servers:
            jars = broker_jars() if self._jars is None else self._jars
            self._started.append(start_broker(self._home, jars, self._kafka.max_record_bytes))
            self.bootstrap_servers = broker_address(self._started[-1].port)

    def _check_given(self) -> None:
        if address := self._kafka.bootstrap_servers:
            _check("Kafka", address, kafka_origin(address), broker.why_no_answer(address))
        if url := self._redis.url:
            _check("Redis", without_password(url), redis_origin(url), valkey.why_no_answer(url))


def _check(kind: str, address: str, origin: str, problem: str | None) -> None:
    if problem is not None:
        raise ServerError(
            f"no {kind} answers at {address}, given by {origin} ({problem}): start it, correct the address, "
            "or remove it to use the embedded one"
        )
