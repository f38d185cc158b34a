"""What it costs the hot path to be watched.

One stream, one run, the simulated shop at 1,000 events/s. Times of being watched and of not take turns, so that what else the
machine does falls on both: watched, the stream tells its heartbeat after each micro-batch and every five seconds, notes its
history, and Redis is asked for all figures every five seconds as Prometheus does; not watched, none of that.
"""

import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import SparkSession
from pyspark.sql.streaming.query import StreamingQuery
from redis import Redis
from rich.progress import track

from benchmarks.hot_stream import EVENTS_PER_SECOND, hot_frame, records_of, shop_config, shop_load
from benchmarks.results import publish
from jobs._spark import job_session
from pipelines.config import Config
from pipelines.events.parse import parse_records
from pipelines.events.rules import compile_rules
from pipelines.hot_path.learner import OnlineLearner
from pipelines.local.servers import EmbeddedServers
from pipelines.monitoring.scrape import Scrape
from pipelines.progress import BatchCount, progress_figures
from pipelines.sections import KafkaConfig
from pipelines.stores.connection import connect
from pipelines.stores.heartbeat import HeartbeatStore, SharedHeartbeat
from pipelines.stores.model import ModelStore
from pipelines.streams import PULSE_SECONDS, RunningStream, start_stream
from pipelines.tally import Tally

JOB = "personalize"
WARM_UP_SECONDS, TURN_SECONDS, N_PAIRS = 30, 8, 32
SETTLE_SECONDS = 1.0  # of each turn: a micro-batch that began in the turn before
AIMS = {"watched_to_unwatched_ratio": "<= 1.02", "telling_share": "<= 0.02"}


@dataclass
class Watch:
    """Tells what the stream does while `is_on`, and keeps how long that took; nothing otherwise."""

    heartbeat: SharedHeartbeat
    is_on: bool = False
    seconds: float = 0.0
    tally: Tally = field(default_factory=Tally)
    batches: BatchCount = field(default_factory=BatchCount)

    def on_batch(self, figures: Mapping[str, Any]) -> None:
        if self.is_on:
            with self._timed():
                self.heartbeat.tell_batch(self.tally.add(figures))

    def on_pulse(self, query: StreamingQuery) -> None:
        if self.is_on:
            with self._timed():
                counted = self.batches.figures(query)
                self.heartbeat.tell({"state": "running", **counted, **progress_figures(query)})

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds += time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, EmbeddedServers(Path(folder), KafkaConfig()) as servers:
        config = shop_config(Path(folder), servers)
        spark = job_session("benchmark")
        client = connect(servers.redis_url)
        watch = Watch(SharedHeartbeat(HeartbeatStore(client), JOB))
        seconds = WARM_UP_SECONDS + 2 * N_PAIRS * TURN_SECONDS
        with (
            shop_load(config, seconds + 120),
            _running(spark, config, watch) as stream,
            _looked_at(client, stream, watch),
        ):
            time.sleep(WARM_UP_SECONDS)
            pairs = [_pair(stream, watch) for _ in track(range(N_PAIRS), "watched and not, by turns")]
        publish("metrics", _figures(np.array(pairs), watch), AIMS)
        spark.stop()


@contextmanager
def _running(spark: SparkSession, config: Config, watch: Watch) -> Iterator[RunningStream]:
    rules = compile_rules(spark, config.validation.suite, parse_records(records_of(spark, config)).schema)
    learner = OnlineLearner(ModelStore(connect(str(config.redis.url))), config.model, watch.on_batch)
    frame = hot_frame(spark, config, rules, "latest")
    stream = start_stream(frame, learner, name="watched", checkpoint=config.checkpoint("hot", "watched"))
    try:
        yield stream
    finally:
        stream.stop()


@contextmanager
def _looked_at(client: Redis, stream: RunningStream, watch: Watch) -> Iterator[None]:
    """Signs of life, and all figures asked for as often as Prometheus does in `make monitor`."""
    is_over, scrape = threading.Event(), Scrape(client)

    def look() -> None:
        while not is_over.wait(PULSE_SECONDS):
            watch.on_pulse(stream.query)
            if watch.is_on:
                scrape.text()

    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(look)
        yield
        is_over.set()
        ended.result()


def _pair(stream: RunningStream, watch: Watch) -> tuple[float, float]:
    """Median milliseconds of a micro-batch, (watched, not); whichever is first takes turns too."""
    found = {}
    for is_on in (True, False) if int(time.time()) % 2 else (False, True):
        watch.is_on = is_on
        found[is_on] = _median_trigger_ms(stream)
    watch.is_on = False
    return found[True], found[False]


def _median_trigger_ms(stream: RunningStream) -> float:
    """Of the micro-batches that ended in this turn; NaN where there was none."""
    time.sleep(SETTLE_SECONDS)
    first = stream.query.lastProgress
    time.sleep(TURN_SECONDS - SETTLE_SECONDS)
    after = first.batchId if first is not None else -1
    recent = [
        progress for progress in stream.query.recentProgress if progress.batchId > after and progress.numInputRows
    ]
    return (
        float(np.median([progress.durationMs["triggerExecution"] for progress in recent])) if recent else float("nan")
    )


def _figures(pairs: np.ndarray[Any, np.dtype[np.float64]], watch: Watch) -> dict[str, float]:
    """Of (pairs, 2) medians, without pairs of which a turn saw no micro-batch end.

    The interval is the ratio's, by resampling pairs (percentile bootstrap; Efron, 1979).
    """
    pairs = pairs[~np.isnan(pairs).any(axis=1)]
    ratios = pairs[:, 0] / pairs[:, 1]
    drawn = np.random.default_rng(0).choice(ratios, (10_000, len(ratios)))
    low, high = np.percentile(np.median(drawn, axis=1), [2.5, 97.5])
    return {
        "events_per_s": EVENTS_PER_SECOND,
        "n_pairs": len(pairs),
        "watched_ms": float(np.median(pairs[:, 0])),
        "unwatched_ms": float(np.median(pairs[:, 1])),
        "watched_to_unwatched_ratio": float(np.median(ratios)),
        "ratio_low": float(low),
        "ratio_high": float(high),
        "telling_share": watch.seconds / (N_PAIRS * TURN_SECONDS),
    }


if __name__ == "__main__":
    main()
