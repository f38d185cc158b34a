"""Rows sent to Kafka from the executors: to the partition that the other producer chooses, and failures by name."""

import pytest

from pipelines.errors import ServerError
from pipelines.sections import KafkaConfig
from pipelines.sinks import kafka_rows
from pipelines.sinks.kafka import KafkaRecordSink
from pipelines.sources.kafka import read_all_records
from tests.jobs.shop import Sent
from tests.servers import MAX_RECORD_BYTES

pytestmark = pytest.mark.spark

KEYS = [b"u-1", "用户一".encode(), b"user-00282", *[f"u{n}".encode() for n in range(50)]]


@pytest.mark.servers
def test_a_key_goes_to_the_partition_that_it_always_went_to(spark, servers, topic):
    kafka = KafkaConfig(bootstrap_servers=servers.bootstrap_servers, topic=topic)
    with KafkaRecordSink(servers.bootstrap_servers, topic, MAX_RECORD_BYTES) as sink:
        for key in KEYS:
            sink.send(Sent(key, b"from Python"))

    kafka_rows.send_rows(
        spark.createDataFrame([(key, b"from Spark") for key in KEYS], "key binary, value binary"), kafka
    )

    sent = {(bytes(r.key), bytes(r.value)): r.partition for r in read_all_records(spark, kafka).collect()}
    assert len(sent) == 2 * len(KEYS) and set(sent.values()) == {0, 1}
    assert [sent[key, b"from Spark"] for key in KEYS] == [sent[key, b"from Python"] for key in KEYS]


def test_a_broker_that_does_not_answer_is_named_without_a_traceback(spark, monkeypatch):
    monkeypatch.setattr(kafka_rows, "DELIVERY_TIMEOUT_MS", 2_000)
    rows = spark.createDataFrame([(b"k", b"v")], "key binary, value binary")

    with pytest.raises(
        ServerError, match=r"127\.0\.0\.1:9 .*'clickstream': Topic clickstream not present.* Nothing is lost"
    ):
        kafka_rows.send_rows(rows, KafkaConfig(bootstrap_servers="127.0.0.1:9"))
