"""A server process that belongs to us: ready or an error, and never left behind."""

import atexit
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psutil
import tenacity

from pipelines.errors import ServerError
from pipelines.local import die_with_parent
from pipelines.local.records import ProcessId, Record, read_record, record_path, write_record

STOP_SECONDS = 15.0
LAST_LINES = 15


def free_port(*wanted: int) -> int:
    """Return a loopback port that nobody listens on: the first of `wanted` that is one (0 is none), else any.

    Any is below the range that the system gives to outgoing connections: none of those takes it before the server does.
    """
    for port in (*filter(None, wanted), *random.sample(range(20_000, 32_000), 200)):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # connections that linger are nobody who listens
            probe.bind(("127.0.0.1", port))
            return port
    raise ServerError("no free port between 20000 and 32000 on 127.0.0.1: stop something that listens there")


class OwnedProcess:
    """One server of ours, with its record in `home`/run and its log in `home`/logs.

    On Linux it also ends when the thread that called `start` does: call from one that lives as long as it should.
    """

    def __init__(self, name: str, home: Path, port: int) -> None:
        self.name, self.port = name, port
        self.log = home / "logs" / f"{name}.log"
        self._record = record_path(home, name)
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()

    def start(self, command: list[str], is_ready: Callable[[], bool], timeout_seconds: float) -> None:
        """Run `command` and wait until `is_ready`.

        Raises ServerError, naming the log and its end, when it ends or is too slow; nothing is left running then.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        wrapped = [sys.executable, "-I", "-S", die_with_parent.__file__, str(os.getpid()), *command]
        with self.log.open("wb") as log:
            # Its own session: Ctrl-C in the terminal reaches us alone, and we stop the servers after their users.
            self._process = subprocess.Popen(
                wrapped, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        atexit.register(self.stop)
        try:
            record = Record(ProcessId.of(self._process.pid), ProcessId.of(os.getpid()), self.port)
            write_record(self._record, record)
            self._wait(is_ready, timeout_seconds)
        except BaseException:
            self.stop()
            raise

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Ask it to end, then make it. Does nothing when it is stopped, or in a fork of the process that started it."""
        atexit.unregister(self.stop)
        if self._process is None or os.getpid() != self._owner:
            return
        try:
            self._process.terminate()
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:  # also when a second Ctrl-C interrupts the wait
            self._process.kill()
            self._process.wait()
            self._process = None
            self._record.unlink(missing_ok=True)

    def _wait(self, is_ready: Callable[[], bool], timeout_seconds: float) -> None:
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_delay(timeout_seconds),
            wait=tenacity.wait_fixed(0.1),
            retry=tenacity.retry_if_result(lambda ready: not ready),
        )
        try:
            retrying(lambda: self._is_ready_or_dead(is_ready))
        except tenacity.RetryError as error:
            raise ServerError(self._explain(f"was not ready after {timeout_seconds:g} s")) from error

    def _is_ready_or_dead(self, is_ready: Callable[[], bool]) -> bool:
        if not self.is_running:
            code = self._process.returncode if self._process else None
            raise ServerError(self._explain(f"ended while it started (exit code {code})"))
        return is_ready()

    def _explain(self, what: str) -> str:
        return f"{self.name} {what}. Its log {self.log} ends:\n{last_lines(self.log)}"


def last_lines(log: Path) -> str:
    """Return the end of `log`, indented, to be part of a message."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
    except OSError as error:
        lines = [f"({error.strerror})"]
    return "\n".join(f"    {line}" for line in lines) or "    (it is empty)"


def clear_the_way(name: str, home: Path) -> None:
    """Stop what a crashed owner left behind, forget what no longer runs.

    Raises ServerError when the server runs and its owner too: it is somebody's.
    """
    path = record_path(home, name)
    record = read_record(path)
    if record is None:
        path.unlink(missing_ok=True)
        return
    if record.is_live:
        where = f" on 127.0.0.1:{record.port}" if record.port else ""  # a stream listens nowhere
        raise ServerError(
            f"{name} of {home} is already running{where}, started by process {record.owner.pid}: "
            f"use it, or stop it with Ctrl-C where it was started, or `kill {record.owner.pid}`"
        )
    orphan = record.server.process()
    if orphan is not None:
        _end(orphan)
    path.unlink(missing_ok=True)


def _end(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


@contextmanager
def exit_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end the process as an exception does, so that `finally` and `with` stop what was started.

    Only where nobody else handles them, and only in the main thread: Python allows it nowhere else.
    """
    before = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        with suppress(ValueError):
            if signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, _exit)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
