"""Records reach a real broker, in order, and of each it is known."""

import pytest
from kafka import KafkaConsumer, TopicPartition

from pipelines.errors import InputError, ServerError
from pipelines.events.logs import KafkaRecord
from pipelines.sinks import kafka as kafka_sink
from pipelines.sinks.kafka import KafkaRecordSink
from tests.servers import MAX_RECORD_BYTES

N_PARTITIONS = 2


@pytest.fixture
def sink(servers, topic):
    with KafkaRecordSink(servers.bootstrap_servers, topic, MAX_RECORD_BYTES) as opened:
        yield opened


def partitions_of(servers, topic: str) -> list[list]:
    """All records, by partition."""
    consumer = KafkaConsumer(
        bootstrap_servers=servers.bootstrap_servers, max_partition_fetch_bytes=2 * MAX_RECORD_BYTES
    )
    partitions = [TopicPartition(topic, number) for number in range(N_PARTITIONS)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    ends, found = consumer.end_offsets(partitions), {partition: [] for partition in partitions}
    while any(len(found[partition]) < ends[partition] for partition in partitions):
        for partition, records in consumer.poll(timeout_ms=1_000).items():
            found[partition] += records
    consumer.close()
    return [found[partition] for partition in partitions]


def test_records_of_a_key_stay_in_order_in_one_partition(servers, topic, sink):
    sent = [KafkaRecord(f"u{n % 7}".encode(), f"{n}".encode()) for n in range(200)]

    for record in sent:
        sink.send(record)
    sink.flush()

    found = partitions_of(servers, topic)
    keys = [{record.key for record in records} for records in found]
    assert keys[0].isdisjoint(keys[1])
    for key in {record.key for record in sent}:
        values = [record.value for records in found for record in records if record.key == key]
        assert values == [record.value for record in sent if record.key == key]


def test_a_record_without_key_and_odd_bytes_arrives_as_it_is(servers, topic, sink):
    sink.send(KafkaRecord(None, b"\x00\xff\n"))
    sink.flush()

    (found,) = [record for records in partitions_of(servers, topic) for record in records]
    assert (found.key, found.value) == (None, b"\x00\xff\n")


def test_every_record_is_acknowledged_after_a_flush(sink):
    for n in range(50):
        sink.send(KafkaRecord(b"u", b"%d" % n))

    sink.flush()

    assert sink.n_acknowledged == 50


def test_what_waits_for_an_answer_is_bounded(sink, monkeypatch):
    monkeypatch.setattr(kafka_sink, "MAX_PENDING_RECORDS", 10)

    for n in range(40):
        sink.send(KafkaRecord(b"u", b"%d" % n))

    assert sink.n_acknowledged >= 30


def test_the_largest_record_that_the_topic_takes_is_sent(sink):
    sink.send(KafkaRecord(b"u", b"x" * (MAX_RECORD_BYTES - 1_000)))
    sink.flush()

    assert sink.n_acknowledged == 1


def test_a_larger_one_is_refused_naming_size_and_limit(sink):
    with pytest.raises(InputError, match=r"9,000,000 bytes.*8,388,608.*kafka\.max_record_bytes"):
        sink.send(KafkaRecord(b"u", b"x" * 9_000_000))


def test_a_missing_topic_is_an_error_that_names_broker_and_topic(servers, monkeypatch):
    monkeypatch.setattr(kafka_sink, "BOOTSTRAP_TIMEOUT_MS", 500)
    missing = KafkaRecordSink(servers.bootstrap_servers, "absent", MAX_RECORD_BYTES)

    with pytest.raises(ServerError, match=rf"{servers.bootstrap_servers}.*'absent'"):
        missing.send(KafkaRecord(b"u", b"1"))

    missing.close()


def test_no_broker_is_an_error_that_names_its_address(monkeypatch):
    monkeypatch.setattr(kafka_sink, "BOOTSTRAP_TIMEOUT_MS", 500)

    with pytest.raises(ServerError, match=r"Kafka at 127\.0\.0\.1:9 did not"):
        KafkaRecordSink("127.0.0.1:9", "clickstream", MAX_RECORD_BYTES)
