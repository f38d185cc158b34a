"""A stream goes on with another plan from the same checkpoint, and does nothing of a micro-batch with the old one."""

import json
import threading
import time

import pytest
from pyspark.sql import functions as F

from jobs._parsing import TopicFormat
from pipelines.errors import SchemaError
from pipelines.events.parse import TEXT
from pipelines.sections import KafkaConfig
from pipelines.streams import StopRequestedError, start_stream
from tests.events.builders import an_event, kafka_records
from tests.formats.avro_events import a_schema, avro_value, optional
from tests.formats.protobuf_events import a_file, in_base64
from tests.registry import a_registry

pytestmark = pytest.mark.spark

SUBJECT = "clickstream-value"
NEWER = a_schema(optional("color", "string"), event_time="long")
EVENT = an_event(event_time=1_717_243_198_250)


class Numbers:
    """A stream of numbers from a folder, and what came of them; plan n multiplies by 10^n."""

    def __init__(self, spark, folder):
        self.spark, self.source, self.checkpoint = spark, str(folder / "in"), str(folder / "checkpoint")
        self.n_plans, self.seen = 0, []
        self.n_replans_wanted = 0

    def put(self, *numbers):
        rows = self.spark.createDataFrame([(n,) for n in numbers], "n long").coalesce(1)
        rows.write.mode("append").parquet(self.source)

    def plan(self):
        factor = 10**self.n_plans
        self.n_plans += 1
        return self.spark.readStream.schema("n long").parquet(self.source).select(F.col("n") * factor)

    def replan(self):
        if not self.n_replans_wanted:
            return None
        self.n_replans_wanted -= 1
        return self.plan()

    def start(self, once):
        return start_stream(
            self.plan(), self.sink, name="test", checkpoint=self.checkpoint, once=once, replan=self.replan
        )

    def sink(self, batch, batch_id):
        self.seen.append((batch_id, sorted(row[0] for row in batch.collect())))

    def wait_for(self, n_batches):
        deadline = time.monotonic() + 60
        while len(self.seen) < n_batches:
            assert time.monotonic() < deadline, self.seen
            time.sleep(0.02)


@pytest.fixture
def numbers(spark, tmp_path):
    return Numbers(spark, tmp_path)


def test_a_refused_batch_comes_again_in_the_new_plan(numbers):
    numbers.put(1, 2)
    numbers.n_replans_wanted = 1

    numbers.start(once=True).wait()

    assert numbers.seen == [(0, [10, 20])]


def test_a_stream_that_runs_for_ever_goes_on_with_the_new_plan(numbers):
    numbers.put(1)
    stream = numbers.start(once=False)
    waiting = threading.Thread(target=stream.wait)
    waiting.start()
    numbers.wait_for(1)

    numbers.n_replans_wanted = 2
    numbers.put(2)
    numbers.wait_for(2)
    numbers.put(3)
    numbers.wait_for(3)
    stream.stop()
    waiting.join(30)

    assert numbers.seen == [(0, [1]), (1, [200]), (2, [300])]
    assert not waiting.is_alive() and not stream.query.isActive


def test_a_wish_to_stop_wins_over_a_new_plan(numbers):
    numbers.put(1)
    numbers.n_replans_wanted = 1
    stream = numbers.start(once=False)
    while stream.query.isActive:  # it refused the batch; nobody waited for it yet
        time.sleep(0.02)

    first = stream.query
    stream.stop()
    stream.wait()

    assert stream.query is first
    assert (numbers.seen, stream.query.isActive) == ([], False)
    assert StopRequestedError.__name__ in str(stream.query.exception())


@pytest.fixture
def registry():
    with a_registry() as running:
        yield running


def format_of(registry, kind="avro"):
    return TopicFormat(KafkaConfig(format=kind, topic="clickstream", schema_registry_url=registry.url))


def test_a_schema_that_came_later_is_in_the_next_plan(spark, registry):
    registry.register(SUBJECT, json.dumps(a_schema(event_time="long")))
    topic_format = format_of(registry)
    unknown = kafka_records(spark, [avro_value(100_002, NEWER, EVENT)])
    replan = topic_format.following(lambda: topic_format.with_text(unknown))
    assert replan() is None
    assert topic_format.with_text(unknown).first()[TEXT] is None

    assert registry.register(SUBJECT, json.dumps(NEWER)) == 100_002

    assert json.loads(replan().first()[TEXT]) == EVENT
    assert replan() is None


def test_a_registry_that_is_down_is_told_once_and_the_stream_goes_on(registry, capsys):
    registry.register(SUBJECT, json.dumps(NEWER))
    replan = format_of(registry).following(lambda: pytest.fail("nothing is new"))
    registry.is_down = True

    assert [replan() for _ in range(3)] == [None] * 3

    told = capsys.readouterr().err
    assert told.count('"registry_failing"') == 1


def test_a_schema_that_cannot_be_used_is_told_and_the_others_are_read(spark, registry, capsys):
    usable = registry.register(SUBJECT, json.dumps(NEWER))
    registry.register(SUBJECT, '"string"')
    registry.register(SUBJECT, '{"type": "record", "name": "E", "fields": [{"name": "a", "type": "nonsense"}]}')
    registry.register(SUBJECT, in_base64(a_file()), "PROTOBUF")

    text = format_of(registry).with_text(kafka_records(spark, [avro_value(usable, NEWER, EVENT)])).first()[TEXT]

    told = capsys.readouterr().err
    assert json.loads(text) == EVENT
    assert [
        part
        for part in ("describes no record", "nonsense", "it is PROTOBUF, and kafka.format is avro")
        if part not in told
    ] == []
    assert told.count("schema_unusable") == 3


def test_a_topic_of_another_format_is_refused(spark, registry):
    registry.register(SUBJECT, json.dumps(NEWER))

    with pytest.raises(SchemaError, match=r"it is AVRO, and kafka\.format is protobuf"):
        format_of(registry, "protobuf").with_text(kafka_records(spark, []))


def test_json_needs_no_registry(spark):
    topic_format = TopicFormat(KafkaConfig())
    records = kafka_records(spark, [b"{}"])

    assert topic_format.with_text(records) is records
    assert topic_format.following(lambda: records)() is None
