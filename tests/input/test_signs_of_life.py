"""A stream says that it lives, micro-batches or not, how far behind it is, and how it ended."""

import threading
from types import SimpleNamespace

import pytest
from pyspark.sql.types import LongType, StructField, StructType

from pipelines import streams
from pipelines.progress import kafka_lag, progress_figures
from pipelines.streams import start_stream


def a_source(description: str, read: str | None, written: str | None) -> SimpleNamespace:
    return SimpleNamespace(description=description, endOffset=read, latestOffset=written)


@pytest.mark.parametrize(
    ("sources", "lag"),
    [
        pytest.param([("KafkaV2[Subscribe[clicks]]", '{"clicks":{"0":7,"1":4}}', '{"clicks":{"0":9,"1":4}}')], 2, id="behind"),
        pytest.param([("KafkaV2[Subscribe[clicks]]", '{"clicks":{"0":9}}', '{"clicks":{"0":9}}')], 0, id="up-to-date"),
        pytest.param([("KafkaV2[a]", '{"a":{"0":1}}', '{"a":{"0":5}}'), ("KafkaV2[b]", '{"b":{"0":1}}', '{"b":{"0":2}}')],
                     5, id="two-topics"),
        pytest.param([("KafkaV2[Subscribe[clicks]]", '{"clicks":{"0":9}}', '{"clicks":{"0":9,"1":3}}')],
                     0, id="a-new-partition-is-read-next"),
        pytest.param([("KafkaV2[Subscribe[clicks]]", '{"clicks":{"0":9}}', None)], 0, id="nothing-is-said-of-the-topic"),
        pytest.param([("DeltaSource[file:/lake/events]", '{"index":3}', '{"index":9}')], None, id="no-kafka"),
    ],
)  # fmt: skip
def test_the_lag_is_what_the_topic_has_and_the_stream_has_not_read(sources, lag):
    assert kafka_lag(SimpleNamespace(sources=[a_source(*source) for source in sources])) == lag


class Pulses:
    """Remembers what was said; waits until enough was."""

    def __init__(self) -> None:
        self.said: list[dict] = []
        self._changed = threading.Condition()

    def __call__(self, figures) -> None:
        with self._changed:
            self.said.append(dict(figures))
            self._changed.notify_all()

    def wait_for(self, wanted) -> dict:
        with self._changed:
            assert self._changed.wait_for(lambda: any(wanted(said) for said in self.said), 60), self.said
            return next(said for said in self.said if wanted(said))


@pytest.fixture
def rows(spark, tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "PULSE_SECONDS", 0.1)
    folder = tmp_path / "rows"
    spark.range(3).write.parquet(str(folder))
    return spark.readStream.schema(StructType([StructField("id", LongType())])).parquet(str(folder))


def started(rows, tmp_path, sink, pulse, **more):
    return start_stream(rows, sink, name="alive", checkpoint=str(tmp_path / "checkpoint"), pulse=pulse, **more)


def quiet(batch, _batch_id) -> None:
    batch.count()


@pytest.mark.spark
def test_an_idle_stream_says_that_it_runs_and_a_stopped_one_that_it_was_stopped(rows, tmp_path):
    pulses = Pulses()
    stream = started(rows, tmp_path, quiet, pulses)
    waiting = threading.Thread(target=stream.wait)
    waiting.start()

    last = pulses.wait_for(lambda said: said.get("stream_batch_id") == 0)
    n_before = len(pulses.said)
    pulses.wait_for(
        lambda said: pulses.said.index(said) >= n_before and said["state"] == "running"
    )  # nothing comes, and it tells
    stream._requests.stop.set()
    waiting.join(60)

    assert last["state"] == "running" and last["kafka_lag"] is None and last["trigger_ms"]["triggerExecution"] >= 0
    assert pulses.said[-1]["state"] == "stopped" and not stream.query.isActive


@pytest.mark.spark
def test_a_stream_that_fails_says_so(rows, tmp_path):
    def fail(_batch, _batch_id):
        raise ValueError("no room")

    pulses = Pulses()
    stream = started(rows, tmp_path, fail, pulses)

    with pytest.raises(Exception, match="no room"):
        stream.wait()
    assert pulses.said[-1] == {"state": "failed"}


@pytest.mark.spark
def test_nobody_to_tell_is_no_reason_to_end(rows, tmp_path, caplog):
    def away(_figures):
        raise ConnectionError("Redis is away")

    stream = started(rows, tmp_path, quiet, away, once=True)
    stream.wait()

    assert progress_figures(stream.query)["stream_rows"] == 3
    assert "Redis is away" in caplog.text
