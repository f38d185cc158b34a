"""Events reach a real broker, and of each request it is known; without a broker nothing piles up."""

import threading
import time
import uuid

import pytest

from pipelines.errors import InputError, ServerError
from pipelines.local.processes import free_port
from pipelines.sinks.event_producer import Bounds, EventProducer, NotTakenError, QueueFullError
from tests.input.test_kafka_sink import partitions_of

pytestmark = pytest.mark.servers
SECONDS = 20


@pytest.fixture
def producer(servers, topic):
    opened = EventProducer(servers.bootstrap_servers, topic)
    assert opened.wait_connected(SECONDS)
    yield opened
    opened.close(SECONDS)


def test_what_is_acknowledged_is_in_the_topic_in_order_by_key(servers, topic, producer):
    futures = [producer.send_all([(f"u{n % 7}".encode(), f"{n}-{m}".encode()) for m in range(5)]) for n in range(100)]
    for future in futures:
        future.result(SECONDS)

    found = partitions_of(servers, topic)
    keys = [{record.key for record in records} for records in found]
    assert keys[0].isdisjoint(keys[1])
    for key in keys[0] | keys[1]:
        values = [record.value for records in found for record in records if record.key == key]
        assert values == [f"{n}-{m}".encode() for n in range(100) for m in range(5) if f"u{n % 7}".encode() == key]
    assert (producer.n_pending, producer.pending_bytes, producer.oldest_seconds()) == (0, 0, 0.0)


def test_keys_go_where_every_other_kafka_client_sends_them(servers, topic, producer):
    from kafka import KafkaProducer

    keys = [f"user-{n}".encode() for n in range(50)]
    with KafkaProducer(bootstrap_servers=servers.bootstrap_servers) as other:
        expected = {key: other.send(topic, b"1", key).get(SECONDS).partition for key in keys}
    producer.send_all([(key, b"2") for key in keys]).result(SECONDS)

    found = partitions_of(servers, topic)
    assert {r.key: number for number, records in enumerate(found) for r in records if r.value == b"2"} == expected


def test_a_record_without_a_key_and_of_odd_bytes_arrives_as_it_is(servers, topic, producer):
    producer.send(None, b"\x00\xff\n").result(SECONDS)

    assert [(r.key, r.value) for records in partitions_of(servers, topic) for r in records] == [(None, b"\x00\xff\n")]


def test_many_threads_may_send(servers, topic, producer):
    def send(name: str) -> None:
        for n in range(200):
            producer.send(name.encode(), f"{name}-{n}".encode()).result(SECONDS)

    threads = [threading.Thread(target=send, args=(f"t{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(map(len, partitions_of(servers, topic))) == 800


def test_no_records_are_acknowledged_at_once(producer):
    assert producer.send_all([]).done()


def test_a_client_that_hangs_up_cancels_nothing(producer):
    future = producer.send(b"u", b"1")

    assert not future.cancel()
    future.result(SECONDS)


@pytest.mark.parametrize("bounds", [Bounds(max_events=10, linger_ms=900), Bounds(max_bytes=3_000, linger_ms=900)])
def test_what_waits_is_bounded_and_there_is_room_again_afterwards(servers, topic, bounds):
    producer = EventProducer(servers.bootstrap_servers, topic, bounds)
    assert producer.wait_connected(SECONDS)
    taken = []

    with pytest.raises(QueueFullError, match="no room for more"):
        for _ in range(1_000):
            taken.append(producer.send(b"u", b"1" * 40))

    assert len(taken) == 10
    assert "queue is full" in producer.why_not_ready() or bounds.max_events > 10
    for future in taken:
        future.result(SECONDS)
    producer.send(b"u", b"1").result(SECONDS)
    assert producer.close(SECONDS)


def test_a_record_that_is_too_large_is_refused_and_none_with_it_is_sent(servers, topic, producer):
    with pytest.raises(InputError, match=r"2,000,001 bytes is too large: expected at most 1,310,720"):
        producer.send_all([(b"u", b"1"), (b"u", b"2" * 2_000_000)])

    assert producer.n_pending == 0
    assert sum(map(len, partitions_of(servers, topic))) == 0


def test_close_sends_what_waits(servers, topic):
    producer = EventProducer(servers.bootstrap_servers, topic, Bounds(linger_ms=1_000))
    assert producer.wait_connected(SECONDS)
    future = producer.send(b"u", b"1")

    assert producer.close(SECONDS)

    assert future.done() and future.exception() is None
    with pytest.raises(NotTakenError):
        producer.send(b"u", b"2")


def test_without_a_broker_everything_is_refused_and_the_reason_is_told():
    producer = EventProducer(f"127.0.0.1:{free_port()}", "clickstream")

    with pytest.raises(NotTakenError, match="no contact with topic 'clickstream'"):
        producer.send(b"u", b"1")
    assert "no contact" in producer.why_not_ready()
    assert producer.n_pending == 0
    producer.close(1)


def test_it_connects_once_its_topic_can_be_made(servers):
    topic, attempts = f"late-{uuid.uuid4().hex[:8]}", []

    def make_topic() -> None:
        from pipelines.local.topics import ensure_topic

        attempts.append(1)
        if len(attempts) == 1:
            raise ServerError("not yet")
        ensure_topic(servers.bootstrap_servers, topic, 2, 8_388_608)

    producer = EventProducer(servers.bootstrap_servers, topic, make_topic=make_topic)

    assert producer.wait_connected(SECONDS)
    producer.send(b"u", b"1").result(SECONDS)
    assert producer.why_not_ready() == ""
    producer.close(SECONDS)


def test_a_topic_that_was_deleted_is_a_failure_and_not_a_wait(servers, topic):
    from kafka import KafkaAdminClient

    from pipelines.local.topics import ensure_topic

    producer = EventProducer(servers.bootstrap_servers, topic, Bounds(delivery_timeout_seconds=2))
    assert producer.wait_connected(SECONDS)
    producer.send(b"u", b"1").result(SECONDS)

    with KafkaAdminClient(bootstrap_servers=servers.bootstrap_servers) as admin:
        admin.delete_topics([topic])
    with pytest.raises(NotTakenError):
        producer.send(b"u", b"2").result(SECONDS)

    ensure_topic(servers.bootstrap_servers, topic, 2, 8_388_608)
    assert sends_again(producer)
    producer.close(SECONDS)


def sends_again(producer: EventProducer) -> bool:
    for _ in range(40):
        try:
            producer.send(b"u", b"3").result(SECONDS)
            return True
        except NotTakenError:
            producer.wait_connected(0.5)
    return False


def test_a_broker_that_is_away_for_long_costs_no_threads(monkeypatch):
    from pipelines.local.topics import ensure_topic

    nowhere, attempts = f"127.0.0.1:{free_port()}", []

    def make_topic() -> None:
        attempts.append(threading.active_count())
        ensure_topic(nowhere, "clickstream", 2, 8_388_608, timeout_ms=100)

    producer = EventProducer(nowhere, "clickstream", make_topic=make_topic)
    while len(attempts) < 5:
        time.sleep(0.05)
    producer.close(SECONDS)

    assert max(attempts[1:]) <= attempts[0]  # threads of other tests may be ending


def test_what_nobody_foresaw_does_not_end_the_connecting(servers, topic):
    attempts = []

    def make_topic() -> None:
        attempts.append(1)
        if len(attempts) < 3:
            raise OSError(24, "Too many open files")

    producer = EventProducer(servers.bootstrap_servers, topic, make_topic=make_topic)

    assert producer.wait_connected(SECONDS)
    producer.close(SECONDS)
