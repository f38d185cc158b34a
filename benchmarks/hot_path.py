"""What the hot path costs next to parsing alone, and how long an event takes to change a list.

One run, one machine: the broker, Valkey, the load and Spark share its cores. Backlog rates are medians over micro-batches
after a first one that warms up, the hot path's first without learning, then as it is shipped, each from an empty Redis; lags are
of the simulated shop at 1,000 events/s, learned from, after a warm-up.
"""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming.query import StreamingQuery
from redis import Redis
from rich.console import Console

from benchmarks.hot_stream import EVENTS_PER_SECOND, SHOP, hot_frame, records_of, shop_config, shop_load
from benchmarks.results import publish
from jobs._spark import job_session
from pipelines.config import Config
from pipelines.events.parse import parse_records
from pipelines.events.rules import CompiledRules, compile_rules
from pipelines.hot_path.learner import OnlineLearner
from pipelines.local.servers import EmbeddedServers
from pipelines.local.shop import Shop, ShopConfig
from pipelines.schemas import EVENT_JSON
from pipelines.sections import KafkaConfig
from pipelines.sinks.kafka import KafkaRecordSink
from pipelines.stores.connection import connect
from pipelines.stores.list_log import ListLog
from pipelines.stores.model import ModelStore
from pipelines.streams import RunningStream, start_stream

BACKLOG_EVENTS = 500_000
WARM_UP_SECONDS, MEASURED_SECONDS = 30, 60
AIMS = {
    "hot_to_parse_ratio": ">= 0.5",
    "learning_to_hot_ratio": ">= 0.7",
    "lag_p50_to_trigger_ratio": "<= 1.5",
    "redis_bytes_per_user": "<= 1,024",
}
CONSOLE = Console()
Figures = dict[str, float]


class Recorder:
    """Keeps what the hot path reports of each micro-batch."""

    def __init__(self) -> None:
        self.batches: list[Mapping[str, Any]] = []

    def __call__(self, figures: Mapping[str, Any]) -> None:
        self.batches.append(figures)

    def total(self, name: str) -> int:
        return sum(int(figures[name]) for figures in self.batches[1:])  # the first one warms up


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, EmbeddedServers(Path(folder), KafkaConfig()) as servers:
        config = shop_config(Path(folder), servers)
        spark = job_session("benchmark")
        rules = compile_rules(spark, config.validation.suite, parse_records(records_of(spark, config)).schema)
        client = connect(servers.redis_url)

        CONSOLE.print(f"writing a backlog of {BACKLOG_EVENTS:,} events …")
        _send_backlog(config)
        figures: Figures = {}
        CONSOLE.print("parsing the backlog, then through the hot path …")
        figures |= _backlog(spark, config, rules, client)
        CONSOLE.print(f"{EVENTS_PER_SECOND:,} events/s: parsing alone, then the hot path …")
        figures |= _steady(spark, config, rules)
        figures["lag_p50_to_trigger_ratio"] = figures["lag_p50_ms"] / figures["noop_trigger_ms"]
        publish("hot_path", figures, AIMS)
        spark.stop()


def _send_backlog(config: Config) -> None:
    shop = Shop(ShopConfig(n_events=BACKLOG_EVENTS, **SHOP))
    with KafkaRecordSink(
        str(config.kafka.bootstrap_servers), config.kafka.topic, config.kafka.max_record_bytes
    ) as sink:
        for sent in shop.records():
            sink.send(sent.record)


def _parsed_only(records: DataFrame) -> DataFrame:
    """Kafka → from_json: the least that any consumer of the topic does."""
    return records.select(F.from_json(F.col("value").cast("string"), EVENT_JSON).alias("event")).select("event.*")


def _backlog(spark: SparkSession, config: Config, rules: CompiledRules, client: Redis) -> Figures:
    noop = _start_noop(_parsed_only(records_of(spark, config)), config.checkpoint("noop", "backlog"), once=True)
    noop.awaitTermination()
    parse_rate = _rows_per_second(noop)

    hot_rate, _ = _through(spark, _without_learning(config), rules, "not-learning")
    client.execute_command("FLUSHDB", "SYNC")  # type: ignore[no-untyped-call]  # else memory is given back later
    before = client.info("memory")["used_memory"]
    learning_rate, recorder = _through(spark, config, rules, "learning")
    log = ListLog(client)
    log.finish(log.plan())  # as filed: personalize does so every half minute
    cores = spark.sparkContext.defaultParallelism
    interactions = recorder.total("n_interactions")
    per_event = {
        "fold": recorder.total("fold_us"),
        "learn": recorder.total("learn_us"),
        "score": recorder.total("score_us"),
        "redis": recorder.total("read_us") + recorder.total("write_us"),
    }
    return {
        "parse_events_per_s": parse_rate,
        "hot_events_per_s": hot_rate,
        "hot_events_per_s_learning": learning_rate,
        "hot_to_parse_ratio": hot_rate / parse_rate,
        "learning_to_hot_ratio": learning_rate / hot_rate,
        "learned_share": recorder.total("n_examples") / interactions,
        "us_per_event_parse": cores * 1e6 / parse_rate,
        **{f"us_per_event_{stage}": micros / interactions for stage, micros in per_event.items()},
        "redis_bytes_per_user": (client.info("memory")["used_memory"] - before - _model_bytes(client))
        / _n_users(client),
    }


def _through(spark: SparkSession, config: Config, rules: CompiledRules, name: str) -> tuple[float, Recorder]:
    """Take the backlog through the hot path: records a second, and what it reported."""
    recorder = Recorder()
    hot = _start_hot(hot_frame(spark, config, rules), config, name, recorder, once=True)
    hot.wait()
    return _rows_per_second(hot.query), recorder


def _without_learning(config: Config) -> Config:
    guards = config.model.guards.model_copy(update={"evaluated_examples_per_task": 0})
    model = config.model.model_copy(update={"max_examples_per_second": 0, "guards": guards})
    return config.model_copy(update={"model": model})


def _steady(spark: SparkSession, config: Config, rules: CompiledRules) -> Figures:
    with shop_load(config, 2 * WARM_UP_SECONDS + 2 * MEASURED_SECONDS + 120):
        noop = _start_noop(
            _parsed_only(records_of(spark, config, "latest")), config.checkpoint("noop", "steady"), once=False
        )
        time.sleep(WARM_UP_SECONDS)
        triggers = [
            progress.durationMs["triggerExecution"] for progress in _progress_during(noop, MEASURED_SECONDS / 2)
        ]
        noop.stop()

        recorder = Recorder()
        hot = _start_hot(hot_frame(spark, config, rules, "latest"), config, "steady", recorder, once=False)
        time.sleep(WARM_UP_SECONDS)
        first = len(recorder.batches)
        time.sleep(MEASURED_SECONDS)
        lags = [lag for figures in recorder.batches[first:] for lag in figures["lag_ms"]]
        hot.stop()
    p50, p99 = np.percentile(lags, [50, 99])
    return {"noop_trigger_ms": float(np.median(triggers)), "lag_p50_ms": float(p50), "lag_p99_ms": float(p99)}


def _start_noop(frame: DataFrame, checkpoint: str, *, once: bool) -> StreamingQuery:
    writer = frame.writeStream.format("noop").option("checkpointLocation", checkpoint)
    return (writer.trigger(availableNow=True) if once else writer).start()


def _start_hot(frame: DataFrame, config: Config, name: str, recorder: Recorder, *, once: bool) -> RunningStream:
    learner = OnlineLearner(ModelStore(connect(str(config.redis.url))), config.model, recorder)
    return start_stream(frame, learner, name=f"hot-{name}", checkpoint=config.checkpoint("hot", name), once=once)


def _rows_per_second(query: StreamingQuery) -> float:
    """Median over the full micro-batches but the first."""
    full = [p for p in query.recentProgress[1:] if p.numInputRows]
    most = max(p.numInputRows for p in full)
    return float(
        np.median([p.numInputRows * 1000 / p.durationMs["triggerExecution"] for p in full if p.numInputRows > most / 2])
    )


def _progress_during(query: StreamingQuery, seconds: float) -> list[Any]:
    seen: dict[int, Any] = {}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        seen |= {p.batchId: p for p in query.recentProgress[-20:] if p.numInputRows}
        time.sleep(0.3)
    return list(seen.values())[20:]


def _n_users(client: Redis) -> int:
    return sum(1 for _ in client.scan_iter("profile:*", count=10_000))


def _model_bytes(client: Redis) -> int:
    return sum(int(client.memory_usage(key, samples=0) or 0) for key in client.scan_iter("model:*", count=10_000))


if __name__ == "__main__":
    main()
