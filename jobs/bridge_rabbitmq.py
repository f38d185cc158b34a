"""Take events from a RabbitMQ queue to Kafka, each acknowledged when Kafka has it.

\b
    export RABBITMQ_URL=amqp://liveshelf:secret@rabbit.example:5672/shop
    liveshelf bridge_rabbitmq
    liveshelf bridge_rabbitmq --queue segment --adapter segment

\b
Reads   RabbitMQ queue `bridge.queue`: one event a message, or what the tool named by `bridge.adapter` sends
Writes  Kafka topic `clickstream`, keyed by user_id, else anonymous_id
        RabbitMQ queue `<queue>.unsent`: messages that are too large for the topic; made when there is one
State   none: what is not acknowledged is RabbitMQ's, which delivers it again

Nothing is lost when RabbitMQ, Kafka or the bridge is killed, provided the queue is durable and its messages are persistent.
A message may then reach Kafka twice, with the same event_id, and the streams fold it away. An event without event_id gets
one, made of the message's id and its bytes. What cannot be read goes to Kafka as it is: the stream quarantines it, with the
reason.

SIGTERM: receives no more, waits up to 10 s for Kafka and acknowledges; the rest stays in the queue. docs/collecting.md.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from typing import Any

import click
from redis.exceptions import RedisError

from jobs._options import config_option
from jobs._polling import Polling
from jobs._stopping import stop_on_signals
from pipelines.bridge_sections import BridgeConfig
from pipelines.config import Config
from pipelines.errors import ConfigError, ServerError
from pipelines.events.adapters import ADAPTERS
from pipelines.events.messages import Adapter, Bridged, bridged
from pipelines.local.addresses import with_running_kafka, with_running_redis
from pipelines.local.topics import ensure_topic
from pipelines.logs.log import log
from pipelines.logs.reasons import short
from pipelines.progress import kind_of
from pipelines.sections import KafkaConfig
from pipelines.sinks.event_producer import Bounds, EventProducer, NotTakenError
from pipelines.sources.rabbitmq import Counts, Message, RabbitMQQueue
from pipelines.stores.connection import connect
from pipelines.stores.heartbeat import RUNNING, HeartbeatStore, SharedHeartbeat

JOB = "bridge_rabbitmq"
PROGRESS_SECONDS = 10.0
CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 5.0
Beat = Callable[[Mapping[str, Any]], None]
RECORD_OVERHEAD_BYTES = 1_024  # of the batch around a record, of which the topic's limit is


class Told:
    """What the acknowledged messages became. Counted by the threads that finish futures."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.n_events = self.n_ignored = self.n_unreadable = 0

    def add(self, result: Bridged, future: "Future[None]") -> None:
        """Count a message, if Kafka has it."""
        if future.exception() is None:
            with self._lock:
                self.n_events += len(result.records)
                self.n_ignored += len(result.ignored)
                self.n_unreadable += not result.is_readable

    def figures(self) -> dict[str, int]:
        """All of them, by name."""
        return {"n_events": self.n_events, "n_ignored": self.n_ignored, "n_unreadable": self.n_unreadable}


@click.command(help=__doc__)
@click.option("--queue", help="Instead of bridge.queue.")
@click.option("--adapter", type=click.Choice(["none", *ADAPTERS]), help="Instead of bridge.adapter.")
@config_option
def main(queue: str | None, adapter: str | None, config: Config) -> None:
    chosen = {key: value for key, value in (("queue", queue), ("adapter", adapter)) if value is not None}
    bridge = config.bridge.model_copy(update=chosen)
    producer, told = _open_producer(_json_topic(config)), Told()
    send = partial(_send, producer, told, ADAPTERS.get(bridge.adapter))
    source = RabbitMQQueue(bridge, send, tell=_tell_trouble)
    beat = _heartbeat(config)

    last: dict[str, int] = {}

    def report() -> None:
        if (figures := _progress(source.counts, told)) != last:  # an idle night is no page of the same line
            last.update(figures)
            log.info("messages_bridged", **figures)
        beat({"state": RUNNING, **asdict(source.counts), **told.figures()})

    with _telling_how_it_ends(beat):
        try:
            with stop_on_signals() as should_stop, Polling(PROGRESS_SECONDS, report):
                producer.wait_connected(CONNECT_SECONDS)  # else the first messages are handed over twice
                source.run(should_stop)
        finally:
            producer.close(CLOSE_SECONDS)
    _print_summary(bridge, source.counts, told)


def _send(producer: EventProducer, told: Told, adapter: Adapter | None, message: Message) -> "Future[None]":
    """Hand a message over. The future is done when Kafka has all that it became. Raises InputError where it is too large."""
    sent_ms = time.time_ns() // 1_000_000 if message.sent_ms is None else message.sent_ms
    result = bridged(message.body, message.message_id, sent_ms, adapter)
    try:
        future = producer.send_all(result.records)
    except NotTakenError as error:
        future = Future()
        future.set_exception(error)
    future.add_done_callback(partial(told.add, result))
    return future


def _json_topic(config: Config) -> KafkaConfig:
    """Where Kafka is. Raises ConfigError where the topic is of another format than what is sent."""
    if config.kafka.format != "json":
        raise ConfigError(
            f"the bridge sends JSON, and kafka.format of topic {config.kafka.topic} is {config.kafka.format}"
        )
    return with_running_kafka(config).kafka


def _open_producer(kafka: KafkaConfig) -> EventProducer:
    address = kafka.bootstrap_servers or ""
    max_bytes = max(Bounds.max_bytes, 2 * kafka.max_record_bytes)
    bounds = Bounds(max_bytes=max_bytes, max_record_bytes=kafka.max_record_bytes - RECORD_OVERHEAD_BYTES)
    make_topic = partial(ensure_topic, address, kafka.topic, kafka.partitions, kafka.max_record_bytes)
    return EventProducer(address, kafka.topic, bounds, make_topic)


def _heartbeat(config: Config) -> Beat:
    """Tell Redis that the bridge starts, and then that it lives; nothing where there is none, for the bridge needs none."""
    try:
        heartbeat = SharedHeartbeat(HeartbeatStore(connect(str(with_running_redis(config).redis.url))), JOB)
    except ServerError:
        return lambda _figures: None

    def beat(figures: Mapping[str, Any]) -> None:
        with suppress(RedisError):
            heartbeat.tell(figures)

    beat({})
    return beat


@contextmanager
def _telling_how_it_ends(beat: Beat) -> Iterator[None]:
    told = {"state": "stopped"}
    try:
        yield
    except BaseException as error:
        told = {"state": "failed", "failed_of": kind_of(error)}
        raise
    finally:
        beat(told)


def _progress(counts: Counts, told: Told) -> dict[str, int]:
    return {
        "received": counts.n_received,
        "acknowledged": counts.n_acknowledged,
        "waiting": counts.n_waiting,
        "events": told.n_events,
        "unreadable": told.n_unreadable,
    }


def _tell_trouble(text: str) -> None:
    log.warning("rabbitmq_trouble", problem=short(text))


def _print_summary(bridge: BridgeConfig, counts: Counts, told: Told) -> None:
    click.echo(f"received from '{bridge.queue}'    {counts.n_received:>10,}  {counts.n_repeated:,} of them again")
    click.echo(f"  acknowledged            {counts.n_acknowledged:>10,}")
    click.echo(f"  too large, set aside    {counts.n_set_aside:>10,}")
    click.echo(f"records in Kafka          {told.n_events:>10,}")
    click.echo(f"  as they were: no JSON   {told.n_unreadable:>10,}")
    click.echo(f"without a counterpart     {told.n_ignored:>10,}")


if __name__ == "__main__":
    sys.exit(main())
