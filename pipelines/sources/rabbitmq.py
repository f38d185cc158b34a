"""Messages of a RabbitMQ queue, each acknowledged when it is safe elsewhere."""

import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import pika
import tenacity
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import (
    AMQPChannelError,
    AMQPError,
    ChannelClosedByBroker,
    ConnectionClosed,
    ConnectionWrongStateError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from pipelines.bridge_sections import BridgeConfig
from pipelines.errors import InputError, ServerError

RETRY_SECONDS = 1.0  # between two attempts to hand over what was not taken
MAX_RECONNECT_SECONDS = 15.0
STOP_SECONDS = 10.0  # what is handed over when a stop is asked for is waited for so long
WAIT_SECONDS = 0.5  # the longest sleep without a look at the wish to stop
SOCKET_SECONDS = 10.0
BLOCKED_SECONDS = 60.0  # RabbitMQ short of memory or disk takes no message: not even a too large one, to set aside
UNSENT = ".unsent"  # the queue of messages that are too large

_MISTAKES = (ProbableAuthenticationError, ProbableAccessDeniedError, ChannelClosedByBroker)
logging.getLogger("pika").setLevel(logging.CRITICAL)  # what it has to say is told by the errors it raises


@dataclass(frozen=True)
class Message:
    """One delivery. `message_id` and `sent_ms` (epoch milliseconds, of whole seconds) are None where the sender gave none."""

    body: bytes
    message_id: str | None
    sent_ms: int | None


@dataclass
class Counts:
    """Since the start. `n_received` counts a repeated delivery again."""

    n_received: int = 0
    n_repeated: int = 0
    n_acknowledged: int = 0
    n_failed: int = 0
    n_set_aside: int = 0
    n_waiting: int = 0
    n_connections: int = 0


Send = Callable[[Message], "Future[None]"]


class RabbitMQQueue:
    """`RabbitMQQueue(config, send, tell).run(should_stop)` hands every message of the queue to `send`.

    A message is acknowledged when its future is done, never before. Where the future fails, the message is handed over again
    every second, and stays with RabbitMQ as unacknowledged meanwhile; heartbeats go on. So nothing is lost whoever is killed:
    RabbitMQ delivers again what it has no acknowledgement for. **On replay** a message is handed over twice, with the same
    bytes and `message_id`: `send` must make the same of both.

    Where `send` raises InputError, because the message is too large, it goes to the durable queue `<queue>.unsent` and is
    acknowledged when it is there.

    Memory is bounded by `prefetch`: RabbitMQ delivers no more before it gets an acknowledgement. A lost connection is made
    anew, at growing intervals up to 15 s. `tell` gets a line about each such thing.
    """

    def __init__(self, config: BridgeConfig, send: Send, tell: Callable[[str], None]) -> None:
        self._config, self._send, self._tell = config, send, tell
        self.counts = Counts()

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Go on until `should_stop`; then wait up to 10 s for what is handed over, and acknowledge it.

        Raises ServerError where user, password, virtual host or queue are wrong at the first contact. A RabbitMQ that is not
        there is waited for.
        """
        n_brief = 0
        while not should_stop():
            session = self._connected(should_stop)
            if session is None:
                return
            began_s = time.monotonic()
            try:
                session.receive(should_stop)
            except (AMQPError, OSError) as error:
                self._tell(f"the connection to RabbitMQ is lost ({_said(error)}); connecting again")
                # One that is lost again and again would have its messages delivered, and sent to Kafka, again and again.
                n_brief = n_brief + 1 if time.monotonic() - began_s < MAX_RECONNECT_SECONDS else 0
                _sleep(should_stop, min(0.2 * 2**n_brief, MAX_RECONNECT_SECONDS) if n_brief > 1 else 0)

    def _connected(self, should_stop: Callable[[], bool]) -> "_Session | None":
        """Connect, however often it takes; None when a stop is asked for."""
        is_first = self.counts.n_connections == 0
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: _may_pass(error, is_first)),
            wait=tenacity.wait_random_exponential(0.2, MAX_RECONNECT_SECONDS),
            stop=lambda _: should_stop(),
            sleep=partial(_sleep, should_stop),
            before_sleep=self._tell_attempt,
            reraise=True,
        )
        try:
            return retrying(_Session, self._config, self._send, self._tell, self.counts)
        except _MISTAKES as error:
            raise ServerError(
                f"RabbitMQ refuses queue '{self._config.queue}': {_said(error)}. Is the queue there (bridge.queue; it is not "
                "made here), and are user, password and virtual host right (RABBITMQ_URL)?"
            ) from error
        except (AMQPError, OSError):
            return None

    def _tell_attempt(self, state: tenacity.RetryCallState) -> None:
        if state.attempt_number in (1, 10) and state.outcome:
            self._tell(f"RabbitMQ does not answer ({_said(state.outcome.exception())}); trying on")


class _Session:
    """One connection. Its delivery tags mean nothing on another one."""

    def __init__(self, config: BridgeConfig, send: Send, tell: Callable[[str], None], counts: Counts) -> None:
        self._config, self._send, self._tell, self._counts = config, send, tell, counts
        self._unacknowledged: dict[int, Message] = {}
        self._answers: deque[tuple[int, BaseException | None]] = deque()  # filled by the threads that finish futures
        self._again: list[int] = []
        self._too_large: list[int] = []
        self._again_at = 0.0
        self._is_cancelled = False
        self._connection = BlockingConnection(_parameters(config))
        try:
            self._channel = self._connection.channel()
            self._channel.queue_declare(config.queue, passive=True)
            self._channel.basic_qos(prefetch_count=config.prefetch)
            self._channel.add_on_cancel_callback(self._on_cancel)
            self._consumer = self._channel.basic_consume(config.queue, self._on_message)
        except BaseException:
            self._disconnect()
            raise
        counts.n_connections += 1
        counts.n_waiting = 0

    def receive(self, should_stop: Callable[[], bool]) -> None:
        """Receive until a stop is asked for. Raises AMQPError or OSError when the connection is lost."""
        try:
            while not should_stop():
                self._work(WAIT_SECONDS)
            self._channel.basic_cancel(self._consumer)
            until = time.monotonic() + STOP_SECONDS
            while set(self._unacknowledged) - set(self._again) and time.monotonic() < until:
                self._work(WAIT_SECONDS / 5)
        finally:
            self._disconnect()

    def _work(self, seconds: float) -> None:
        """Look at the connection for so long, which keeps its heartbeat; then acknowledge and hand over again."""
        self._connection.process_data_events(time_limit=seconds)
        if self._is_cancelled or not self._channel.is_open:
            raise ConnectionClosed(
                404, "RabbitMQ has ended the delivery: the queue is gone, or Kafka was away for too long"
            )
        while self._answers:
            self._settle(*self._answers.popleft())
        while self._too_large:
            self._try_to_set_aside(self._too_large.pop())
        if self._again and time.monotonic() >= self._again_at:
            self._again_at = time.monotonic() + RETRY_SECONDS
            again, self._again = self._again, []
            for tag in again:
                self._hand_over(tag)
        self._counts.n_waiting = len(self._unacknowledged)

    def _on_message(self, _channel: BlockingChannel, method: Any, properties: Any, body: bytes) -> None:
        sent_ms = None if properties.timestamp is None else int(properties.timestamp) * 1000
        self._unacknowledged[method.delivery_tag] = Message(body, properties.message_id, sent_ms)
        self._counts.n_received += 1
        self._counts.n_repeated += bool(method.redelivered)
        self._hand_over(method.delivery_tag)

    def _hand_over(self, tag: int) -> None:
        try:
            future = self._send(self._unacknowledged[tag])
        except InputError as error:
            self._tell(f"a message goes to '{self._config.queue}{UNSENT}': {error}")
            self._too_large.append(tag)
            return
        future.add_done_callback(partial(self._on_answer, tag))

    def _on_answer(self, tag: int, future: "Future[None]") -> None:
        """Called on any thread: note the answer, and wake the one that owns the connection."""
        self._answers.append((tag, future.exception()))
        with suppress(ConnectionWrongStateError):
            self._connection.add_callback_threadsafe(_nothing)

    def _settle(self, tag: int, error: BaseException | None) -> None:
        if error is None:
            self._acknowledge(tag)
            return
        if not self._again:
            self._tell(f"messages stay with RabbitMQ for now: {error}")
            self._again_at = time.monotonic() + RETRY_SECONDS
        self._again.append(tag)
        self._counts.n_failed += 1

    def _acknowledge(self, tag: int) -> None:
        self._channel.basic_ack(tag)
        del self._unacknowledged[tag]
        self._counts.n_acknowledged += 1

    def _try_to_set_aside(self, tag: int) -> None:
        try:
            self._set_aside(tag)
        except AMQPChannelError as error:  # the connection goes on, and so do the others
            refusal = ServerError(
                f"queue '{self._config.queue}{UNSENT}' does not take what is too large ({_said(error)})"
            )
            self._settle(tag, refusal)

    def _set_aside(self, tag: int) -> None:
        message, queue = self._unacknowledged[tag], self._config.queue + UNSENT
        properties = pika.BasicProperties(delivery_mode=2, message_id=message.message_id)
        channel = self._connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(queue, durable=True)
        channel.basic_publish("", queue, message.body, properties, mandatory=True)  # returns when RabbitMQ has it
        channel.close()
        self._acknowledge(tag)
        self._counts.n_set_aside += 1

    def _on_cancel(self, _method: Any) -> None:
        self._is_cancelled = True

    def _disconnect(self) -> None:
        with suppress(AMQPError, OSError):
            self._connection.close()


def _parameters(config: BridgeConfig) -> pika.URLParameters:
    parameters = pika.URLParameters(config.address)
    parameters.heartbeat = config.heartbeat_seconds
    parameters.socket_timeout = SOCKET_SECONDS
    parameters.stack_timeout = SOCKET_SECONDS
    parameters.blocked_connection_timeout = BLOCKED_SECONDS
    parameters.client_properties = {"connection_name": "liveshelf bridge"}
    return parameters


def _may_pass(error: BaseException, is_first: bool) -> bool:
    """Whether another attempt may help. A queue that was there may be late after a restart of RabbitMQ."""
    return isinstance(error, (AMQPError, OSError)) and not (is_first and isinstance(error, _MISTAKES))


def _said(error: BaseException | None) -> str:
    """What the library says of an error; it often says nothing but its kind."""
    return str(error) or type(error).__name__


def _sleep(should_stop: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not should_stop() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, WAIT_SECONDS))


def _nothing() -> None:
    """Wakes the thread that waits for the connection."""
