"""A stream says that it lives, micro-batches or not, how far behind it is, and how it ended."""

import threading
import time
from types import SimpleNamespace

import pytest
from pyspark.sql.types import LongType, StructField, StructType
from structlog.testing import capture_logs

from pipelines import streams
from pipelines.progress import BatchCount, kafka_lag, kafka_lags, kafka_offsets, kind_of, progress_figures
from pipelines.streams import RunningStream, start_stream


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


@pytest.mark.parametrize("untold", [None, "null", "{}"])
def test_a_source_that_has_not_looked_yet_lags_behind_nothing(untold):
    progress = SimpleNamespace(sources=[a_source("KafkaV2[Subscribe[clicks]]", untold, untold)])

    assert kafka_lag(progress) == 0 and kafka_offsets(progress) == {}


def test_offsets_and_lags_are_told_by_topic_and_partition():
    sources = [
        a_source("KafkaV2[Subscribe[clicks]]", '{"clicks":{"0":7,"1":4}}', '{"clicks":{"0":9,"1":4}}'),
        a_source("KafkaV2[Subscribe[items]]", '{"items":{"0":1}}', '{"items":{"0":2}}'),
    ]

    assert kafka_offsets(SimpleNamespace(sources=sources)) == {"clicks": {"0": 7, "1": 4}, "items": {"0": 1}}
    assert kafka_lags(SimpleNamespace(sources=sources)) == {"clicks": {"0": 2, "1": 0}, "items": {"0": 1}}


class Remembered:
    """A query, as the JVM remembers what it did last: (batch, rows, when), rows None where there was nothing to do."""

    def __init__(self, *progresses) -> None:
        self._progresses = progresses
        self._jsq = self
        self.n_asked = 0  # when one began

    def recentProgress(self):
        return [self._progress(*progress) for progress in self._progresses]

    def _progress(self, batch_id, n_rows, when="2026-11-01T06:00:00.930Z"):
        def timestamp() -> str:
            self.n_asked += 1
            return when

        durations = {"triggerExecution": 70} | ({} if n_rows is None else {"addBatch": 40})
        told = SimpleNamespace(containsKey=durations.__contains__, get=durations.get)
        return SimpleNamespace(
            batchId=lambda: batch_id,
            numInputRows=lambda: n_rows or 0,
            durationMs=lambda: told,
            timestamp=timestamp,
        )


def test_every_micro_batch_is_counted_once_however_often_it_is_asked():
    count = BatchCount()
    asked = [
        Remembered(),
        Remembered((7, 10), (8, 1)),
        Remembered((8, 1), (9, None)),
        Remembered((9, None), (9, 5), (10, 2)),
    ]

    told = [(of["n_batches"], of["n_batch_rows"]) for of in (dict(count.figures(query)) for query in asked)]

    assert told == [(0, 0), (2, 11), (2, 11), (4, 18)]
    last = count.figures(asked[-1])
    assert last["committed_batch_id"] == 10 and last["committed_ms"] == 1_793_512_801_000


def test_looks_that_found_nothing_are_walked_over_once():
    count, hour_of_looks = BatchCount(), [(9, None, f"look {number}") for number in range(101)]
    count.figures(Remembered(*hour_of_looks[:100]))
    later = Remembered(*hour_of_looks[1:])
    count.figures(later)

    assert later.n_asked == 2  # the new one, and the one that was the newest before


def test_of_micro_batches_that_spark_forgot_the_number_is_known():
    count = BatchCount()
    count.figures(Remembered((7, 10)))

    assert count.figures(Remembered((11, 1), (12, 1)))["n_batches"] == 6


class Dead:
    """A query whose JVM has died: whatever it is asked, it raises."""

    isActive = True

    def __getattr__(self, name):
        raise ConnectionRefusedError(f"{name}: the JVM is away")


class OfNoContext:
    sparkSession = SimpleNamespace(sparkContext=None)


def test_how_a_stream_ended_is_told_though_spark_cannot_say_more(monkeypatch):
    said, query = [], Dead()
    stream = RunningStream(lambda _frame: query, OfNoContext(), streams._Requests(), said.append, "alive")
    monkeypatch.setattr(streams, "PULSE_SECONDS", 0.0)
    monkeypatch.setattr(Dead, "isActive", property(lambda _self: not said))  # after the first pulse it is gone

    with capture_logs() as lines, pytest.raises(ConnectionRefusedError):
        stream.wait()

    assert said == [{"state": "running"}, {"state": "failed", "failed_of": "ConnectionRefusedError"}]
    assert [line["event"] for line in lines] == ["pulse_failing", "stream_failed"]


PROXY = """[STREAM_FAILED] Query [id = 1] terminated with exception: An exception was raised by the Python Proxy. Return Message:
Traceback (most recent call last):
  File "learner.py", line 3, in call
    raise error
redis.exceptions.ConnectionError: Error 111 connecting

During handling of the above exception, another exception occurred:

pipelines.errors.ServerError: Redis does not answer: ConnectionError: 111
 SQLSTATE: XXKST
=== Streaming Query ===
java.lang.OddException: of the plan
"""
NO_TABLE = "[STREAM_FAILED] Query terminated with exception:\norg.apache.spark.SparkException: Job aborted\n"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param(RuntimeError(PROXY), "ServerError", id="a-python-sink"),
        pytest.param(RuntimeError(NO_TABLE), "RuntimeError", id="of-spark-alone"),
        pytest.param(KeyError("x"), "KeyError", id="of-our-own"),
    ],
)
def test_an_error_is_called_by_what_was_raised(error, kind):
    assert kind_of(error) == kind


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
    assert (pulses.said[-1]["n_batches"], pulses.said[-1]["n_batch_rows"]) == (1, 3)
    assert abs(pulses.said[-1]["committed_ms"] / 1000 - time.time()) < 120


@pytest.mark.spark
def test_a_stream_that_fails_says_so(rows, tmp_path):
    def fail(_batch, _batch_id):
        raise ValueError("no room")

    pulses = Pulses()
    stream = started(rows, tmp_path, fail, pulses)

    with pytest.raises(Exception, match="no room"):
        stream.wait()
    assert pulses.said[-1] == {"state": "failed", "failed_of": "ValueError", "n_batches": 0, "n_batch_rows": 0}


@pytest.mark.spark
def test_nobody_to_tell_is_no_reason_to_end(rows, tmp_path):
    def away(_figures):
        raise ConnectionError("Redis is away")

    with capture_logs() as said:
        stream = started(rows, tmp_path, quiet, away, once=True)
        stream.wait()

    assert progress_figures(stream.query)["stream_rows"] == 3
    (told,) = [line for line in said if line["event"] == "pulse_failing"]
    assert str(told["error"]) == "Redis is away" and told["stream"] == "alive"
