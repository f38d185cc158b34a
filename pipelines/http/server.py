"""uvicorn, told what a service of ours needs: impatient with slow clients, patient with what it has yet to answer itself."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from multiprocessing import parent_process
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.supervisors import Multiprocess

from pipelines.errors import ServerError
from pipelines.logs.log import log
from pipelines.logs.writing import take_up

HEAD_SECONDS = 10.0
MAX_HEAD_BYTES = 65_536
KEEP_ALIVE_SECONDS = 65  # longer than load balancers keep theirs, so that it is they who close


@dataclass(frozen=True)
class Processes:
    """Who answers: how many processes, for how many connections each, and how long they may take to end."""

    workers: int
    max_connections: int  # of one worker; more get a 503
    stop_seconds: float  # after SIGTERM, for the requests that came


class ImpatientProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers are late or too long: uvicorn itself waits for ever."""

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._deadline is not None:  # the head is not whole yet
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._give_up()
        elif self._waits_for_nothing():  # the rest of a body that was answered early: uvicorn would wait for ever
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _waits_for_nothing(self) -> bool:
        is_answered = self.cycle is not None and self.cycle.response_complete
        return is_answered and self.timeout_keep_alive_task is None and not self.transport.is_closing()

    def on_message_begin(self) -> None:
        if self._deadline is None:
            self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._forget_deadline()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        self._head_bytes = 0
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._forget_deadline()
        self.transport.close()


def listen(host: str, port: int) -> socket.socket:
    """Take the port; 0 takes a free one. Raises ServerError where it cannot be taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ServerError(
            f"cannot listen on {host}, port {port} ({error.strerror}): stop what listens there, or give another with --port"
        ) from error
    listening.set_inheritable(True)
    return listening


def serve(processes: Processes, listening: socket.socket, make_app: Callable[[], Any]) -> None:
    """Answer until SIGINT or SIGTERM, then answer what came. With several workers, `make_app` must be picklable.

    The log has no addresses of clients.
    """
    settings = uvicorn.Config(
        partial(_made, make_app),
        factory=True,
        workers=processes.workers,
        http=ImpatientProtocol,
        ws="none",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_config=None,  # its lines go the way of all others
        log_level="warning",
        lifespan="on",
        limit_concurrency=processes.max_connections,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=int(processes.stop_seconds),
    )
    host, port = listening.getsockname()[:2]
    log.info("service_started", host=host, port=port, workers=processes.workers)
    if processes.workers > 1:
        Multiprocess(settings, sockets=[listening]).run()
        log.info("service_stopped")
    else:
        with suppress(KeyboardInterrupt):  # Ctrl-C is how it is to be ended
            _LoggingServer(settings).run(sockets=[listening])


class _LoggingServer(uvicorn.Server):
    """Says that it ends: afterwards uvicorn raises the signal again that ended it."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        log.info("service_stopped")


def _made(make_app: Callable[[], Any]) -> Any:
    take_up()
    if supervisor := parent_process():
        Thread(target=_end_with, args=[supervisor], name="supervisor-watch", daemon=True).start()
    return make_app()


def _end_with(supervisor: BaseProcess) -> None:
    """End as after SIGTERM when the supervisor was killed: a worker that went on would keep the port, unsupervised."""
    supervisor.join()
    os.kill(os.getpid(), signal.SIGTERM)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches `host`."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
