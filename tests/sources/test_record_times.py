"""When records were written, of a real Kafka."""

import pytest
from kafka import KafkaProducer

from pipelines.errors import ServerError, StateError
from pipelines.sections import KafkaConfig
from pipelines.sources.record_times import Waiting, record_times


@pytest.fixture
def kafka(servers, topic) -> KafkaConfig:
    return KafkaConfig(bootstrap_servers=servers.bootstrap_servers, topic=topic)


@pytest.fixture
def send(kafka):
    """Write records with these timestamps into a partition."""
    with KafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:

        def send(partition: int, *timestamps_ms: int) -> None:
            for timestamp_ms in timestamps_ms:
                producer.send(kafka.topic, b"{}", partition=partition, timestamp_ms=timestamp_ms)
            producer.flush()

        yield send


def test_a_topic_without_records_has_no_newest(kafka):
    with record_times(kafka) as times:
        assert times.newest_ms() == []
        assert times.waiting({}) == Waiting(0, None)


def test_the_last_record_of_each_partition_counts(kafka, send):
    send(0, 5_000, 9_000, 7_000)
    send(1, 8_000)

    with record_times(kafka) as times:
        assert sorted(times.newest_ms()) == [7_000, 8_000]


@pytest.mark.parametrize(
    ("committed", "waiting"),
    [
        pytest.param({}, Waiting(4, 4_000), id="never-started"),
        pytest.param({0: 1, 1: 0}, Waiting(3, 4_000), id="in-the-middle"),
        pytest.param({0: 1, 1: 1}, Waiting(2, 6_000), id="one-partition-is-done"),
        pytest.param({0: 3, 1: 1}, Waiting(0, None), id="done"),
    ],
)
def test_what_was_not_committed_waits_since_its_oldest_record(kafka, send, committed, waiting):
    send(0, 5_000, 6_000, 7_000)
    send(1, 4_000)

    with record_times(kafka) as times:
        assert times.waiting(committed) == waiting


def test_a_stream_that_is_ahead_of_its_topic_is_told(kafka, send):
    send(0, 5_000)

    with record_times(kafka) as times, pytest.raises(StateError, match="offset 9 of partition 0, which ends at 1: was"):
        times.waiting({0: 9})


def test_a_topic_that_is_not_there_is_named(kafka):
    with (
        pytest.raises(ServerError, match="no topic 'nowhere'"),
        record_times(kafka.model_copy(update={"topic": "nowhere"})),
    ):
        pass


def test_a_broker_that_is_away_is_named():
    away = KafkaConfig(bootstrap_servers="127.0.0.1:9")
    with pytest.raises(ServerError, match=r"Kafka at 127\.0\.0\.1:9 does not answer"), record_times(away):
        pass
