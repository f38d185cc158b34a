"""What the source promises, with a real RabbitMQ and a sender that does as the test says."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import pytest
import tenacity

from pipelines.bridge_sections import BridgeConfig
from pipelines.errors import InputError, ServerError
from pipelines.sources.rabbitmq import UNSENT, Message, RabbitMQQueue
from tests.sources.rabbit import RabbitMQ

pytestmark = pytest.mark.servers
SECONDS = 30.0


class Sender:
    """Takes messages; the test finishes their futures."""

    def __init__(self) -> None:
        self.taken: list[tuple[Message, Future[None]]] = []

    def __call__(self, message: Message) -> "Future[None]":
        self.taken.append((message, Future()))
        return self.taken[-1][1]

    def bodies(self) -> list[bytes]:
        return [message.body for message, _ in self.taken]

    def finish(self, error: BaseException | None = None) -> None:
        """Say of all that are open that they are in Kafka, or are not."""
        for _, future in list(self.taken):  # more may come at once
            if not future.done():
                future.set_result(None) if error is None else future.set_exception(error)


@contextmanager
def running(
    rabbit: RabbitMQ, queue: str, send: Callable, **config: object
) -> Iterator[tuple[RabbitMQQueue, list[str]]]:
    """The source on a thread of its own, until the block ends; and what it tells."""
    told: list[str] = []
    should_stop = threading.Event()
    source = RabbitMQQueue(
        BridgeConfig(queue=queue, **config).model_copy(update={"url": rabbit.url}), send, told.append
    )
    thread = threading.Thread(target=source.run, args=(should_stop.is_set,), daemon=True)
    thread.start()
    try:
        yield source, told
    finally:
        should_stop.set()
        thread.join(SECONDS)
        assert not thread.is_alive()


def until(condition: Callable[[], bool]) -> None:
    tenacity.Retrying(
        stop=tenacity.stop_after_delay(SECONDS),
        wait=tenacity.wait_fixed(0.02),
        retry=tenacity.retry_if_result(lambda ok: not ok),
    )(condition)


def test_a_message_is_acknowledged_when_it_is_taken_and_not_before(rabbit, queue):
    rabbit.publish(queue, [b"a", b"b"], message_id="m-1", timestamp=1_717_243_196)
    sender = Sender()
    with running(rabbit, queue, sender) as (source, _):
        until(lambda: len(sender.taken) == 2)
        sender.taken[1][1].set_result(None)
        until(lambda: source.counts.n_acknowledged == 1)
        assert sender.taken[0][0] == Message(b"a", "m-1", 1_717_243_196_000)
        sender.taken[0][1].set_result(None)
        until(lambda: source.counts.n_acknowledged == 2)

    assert rabbit.n_ready(queue) == 0


def test_what_is_not_taken_by_the_end_is_still_in_the_queue(rabbit, queue, monkeypatch):
    monkeypatch.setattr("pipelines.sources.rabbitmq.STOP_SECONDS", 0.1)
    rabbit.publish(queue, [b"a", b"b"])
    sender = Sender()
    with running(rabbit, queue, sender):
        until(lambda: len(sender.taken) == 2)
        sender.taken[0][1].set_result(None)

    assert rabbit.n_ready(queue) == 1


def test_a_stop_waits_for_what_is_handed_over(rabbit, queue):
    rabbit.publish(queue, [b"a"])
    sender = Sender()
    with running(rabbit, queue, sender):
        until(lambda: len(sender.taken) == 1)
        threading.Timer(1.0, sender.finish).start()

    assert rabbit.n_ready(queue) == 0


def test_what_is_not_taken_is_handed_over_again_and_nothing_else(rabbit, queue, monkeypatch):
    monkeypatch.setattr("pipelines.sources.rabbitmq.RETRY_SECONDS", 0.05)
    rabbit.publish(queue, [b"a", b"b", b"c"])
    sender = Sender()
    with running(rabbit, queue, sender) as (source, told):
        until(lambda: len(sender.taken) == 3)
        sender.taken[1][1].set_result(None)
        sender.finish(ServerError("Kafka is away"))
        until(lambda: len(sender.taken) == 5)
        sender.finish(ServerError("Kafka is away"))
        until(lambda: len(sender.taken) == 7)
        sender.finish()
        until(lambda: source.counts.n_acknowledged == 3)

    assert sender.bodies() == [b"a", b"b", b"c", b"a", b"c", b"a", b"c"]
    assert told == ["messages stay with RabbitMQ for now: Kafka is away"] * 2
    assert rabbit.n_ready(queue) == 0


def test_no_more_is_in_memory_than_prefetch(rabbit, queue):
    rabbit.publish(queue, [b"%d" % n for n in range(50)])
    sender = Sender()
    with running(rabbit, queue, sender, prefetch=7) as (source, _):
        until(lambda: len(sender.taken) == 7)
        until(lambda: rabbit.n_ready(queue) == 43)
        sender.finish()
        until(lambda: len(sender.taken) == 14)
        assert source.counts.n_received == 14
        sender.finish()
        until(lambda: len(sender.taken) == 21)
        sender.finish()


def test_the_connection_lives_while_kafka_is_slow(rabbit, queue):
    """Heartbeats of two seconds: RabbitMQ would end a connection that is silent for longer than it takes here."""
    rabbit.publish(queue, [b"a"])
    sender = Sender()
    with running(rabbit, queue, sender, heartbeat_seconds=2) as (source, told):
        until(lambda: len(sender.taken) == 1)
        threading.Event().wait(7)
        sender.finish()
        until(lambda: source.counts.n_acknowledged == 1)

    assert (source.counts.n_connections, source.counts.n_repeated, told) == (1, 0, [])


def test_a_message_that_is_too_large_is_set_aside_whole(rabbit, queue):
    rabbit.publish(queue, [b"small", b"x" * 100_000, b"small too"], message_id="m-1")
    sender = Sender()

    def send(message: Message) -> "Future[None]":
        if len(message.body) > 1_000:
            raise InputError("a record of 100,000 bytes is too large")
        return sender(message)

    with running(rabbit, queue, send) as (source, told):
        until(lambda: len(sender.taken) == 2)
        sender.finish()
        until(lambda: source.counts.n_acknowledged == 3)

    assert rabbit.n_ready(queue) == 0
    with rabbit.channel() as channel:
        _, properties, body = channel.basic_get(queue + UNSENT)
    assert (body, properties.delivery_mode, properties.message_id) == (b"x" * 100_000, 2, "m-1")
    assert told == [f"a message goes to '{queue}.unsent': a record of 100,000 bytes is too large"]


def test_a_queue_that_is_deleted_and_made_again_is_found_again(rabbit, queue):
    rabbit.publish(queue, [b"a"])
    sender = Sender()
    with running(rabbit, queue, sender) as (source, told):
        until(lambda: len(sender.taken) == 1)
        sender.finish()
        until(lambda: source.counts.n_acknowledged == 1)
        with rabbit.channel() as channel:
            channel.queue_delete(queue)
        until(lambda: bool(told))
        rabbit.publish(queue, [b"b"])
        until(lambda: len(sender.taken) == 2)
        sender.finish()
        until(lambda: source.counts.n_acknowledged == 2)

    assert "the queue is gone" in told[0]


@pytest.mark.parametrize(
    ("queue_name", "url", "said"),
    [
        ("nowhere", "{url}", "NOT_FOUND - no queue 'nowhere'"),
        ("any", "amqp://guest:wrong@{host}", "ACCESS_REFUSED"),
        ("any", "{url}x", "vhost /x not found"),
    ],
)
def test_a_mistake_is_told_at_the_first_contact(rabbit, queue_name, url, said):
    address = url.format(url=rabbit.url, host=rabbit.url.split("@")[1])
    config = BridgeConfig(queue=queue_name).model_copy(update={"url": address})

    with pytest.raises(ServerError, match=said):
        RabbitMQQueue(config, Sender(), print).run(lambda: False)


def test_a_rabbitmq_that_is_not_there_is_waited_for_until_a_stop(monkeypatch):
    told: list[str] = []
    config = BridgeConfig(url="amqp://127.0.0.1:1/")

    RabbitMQQueue(config, Sender(), told.append).run(lambda: bool(told))

    assert told[0].startswith("RabbitMQ does not answer (")
