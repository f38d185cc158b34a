"""What the rules cost the micro-batch that files events in Delta: compiled, and as Great Expectations would run them.

One run, one backlog in Kafka, cut into equal micro-batches; the ways of validating take turns, each with tables and
checkpoints of its own. Every figure is the median of whole micro-batches, the first ones of each turn left out.

    none        parse and file, without a rule: every record is valid in this backlog
    compiled    what `validate_events` does
    gx_spark    none, and the suite run by Great Expectations' Spark engine on the micro-batch, cached as it is
    gx_pandas   none, and the micro-batch brought to the driver and run by its pandas engine
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pyspark.sql import DataFrame, SparkSession
from rich.console import Console

from benchmarks.results import publish
from jobs._spark import job_session
from pipelines.audit.sampling import to_pandas
from pipelines.audit.validation import validate
from pipelines.config import Config, load_config
from pipelines.events.extra import with_extra_fields
from pipelines.events.parse import parse_records
from pipelines.events.rules import CompiledRules, compile_rules
from pipelines.events.verdicts import with_verdicts
from pipelines.local.servers import EmbeddedServers, ensure_topic
from pipelines.local.shop import Shop, ShopConfig
from pipelines.schemas import Contract
from pipelines.sections import KafkaConfig
from pipelines.sinks.delta import EventTables
from pipelines.sinks.kafka import KafkaRecordSink
from pipelines.sources.kafka import read_records
from pipelines.streams import start_stream

BATCH_EVENTS, N_BATCHES, WARM_UP_BATCHES = 40_000, 8, 2
ROUNDS = 3
NO_RULES = CompiledRules((), (), ())
AIMS = {"overhead_ratio": "<= 1.10"}
CONSOLE = Console()
Observe = Callable[[DataFrame, int], None]


@dataclass
class Way:
    """One way of validating, and how long its micro-batches took, in seconds."""

    rules: CompiledRules
    observe: Observe | None = None
    rounds: int = ROUNDS
    seconds: tuple[float, ...] = ()


class Nothing:
    """A sink that computes each row and keeps none."""

    def __call__(self, batch: DataFrame, batch_id: int) -> None:  # noqa: ARG002  the signature is the stream's
        batch.write.format("noop").mode("overwrite").save()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, EmbeddedServers(Path(folder), KafkaConfig()) as servers:
        config = _config(Path(folder), servers)
        spark = job_session("benchmark")
        rules = compile_rules(spark, config.validation.suite, Contract().checked)
        CONSOLE.print(f"writing a backlog of {BATCH_EVENTS * N_BATCHES:,} events …")
        _send_backlog(config)

        ways, bare = _ways(rules), {"none": Way(NO_RULES), "compiled": Way(rules)}
        for number in range(ROUNDS):
            for name, way in bare.items():
                way.seconds += _turn(spark, config, way, f"bare-{name}-{number}", Nothing())
            for name, way in ways.items():
                if number < way.rounds:
                    CONSOLE.print(f"round {number + 1} of {ROUNDS}: {name} …")
                    way.seconds += _turn(
                        spark, config, way, f"{name}-{number}", _tables(config, way, f"{name}-{number}")
                    )
        publish("validation", _figures(ways, bare), AIMS)
        spark.stop()


def _ways(rules: CompiledRules) -> dict[str, Way]:
    def by_spark(rows: DataFrame, _batch_id: int) -> None:
        validate(rows, rules.rules, "benchmark")

    def by_pandas(rows: DataFrame, _batch_id: int) -> None:
        validate(to_pandas(rows), rules.rules, "benchmark")

    return {
        "none": Way(NO_RULES),
        "compiled": Way(rules),
        "gx_spark": Way(NO_RULES, by_spark, rounds=1),
        "gx_pandas": Way(NO_RULES, by_pandas, rounds=1),
    }


def _figures(ways: dict[str, Way], bare: dict[str, Way]) -> dict[str, float]:
    seconds = {name: median(way.seconds) for name, way in ways.items()}
    figures = {f"batch_{name}_s": value for name, value in seconds.items()}
    figures["overhead_ratio"] = seconds["compiled"] / seconds["none"]
    figures["gx_spark_overhead_ratio"] = seconds["gx_spark"] / seconds["none"]
    figures["gx_pandas_overhead_ratio"] = seconds["gx_pandas"] / seconds["none"]
    figures["parse_only_overhead_ratio"] = median(bare["compiled"].seconds) / median(bare["none"].seconds)
    return figures


def _turn(spark: SparkSession, config: Config, way: Way, name: str, sink: EventTables | Nothing) -> tuple[float, ...]:
    """Run the backlog once; returns the seconds of each micro-batch after the warm-up."""
    events = parse_records(read_records(spark, config.kafka, max_offsets=BATCH_EVENTS))
    verdicts = with_verdicts(with_extra_fields(events), way.rules)
    stream = start_stream(verdicts, sink, name=name, checkpoint=config.checkpoint(name, "v1"), once=True)
    stream.wait()
    full = [p for p in stream.query.recentProgress if p.numInputRows > 0.9 * BATCH_EVENTS]  # they vary by some records
    return tuple(p.durationMs["triggerExecution"] / 1000 for p in full[WARM_UP_BATCHES:])


def _tables(config: Config, way: Way, name: str) -> EventTables:
    return EventTables(
        events_path=config.table(f"{name}/events"),
        quarantine_path=config.table(f"{name}/quarantine"),
        event_dedupe_minutes=config.validation.event_dedupe_minutes,
        quarantine_dedupe_days=config.validation.quarantine_dedupe_days,
        observe=way.observe,
    )


def _config(folder: Path, servers: EmbeddedServers) -> Config:
    config = load_config("conf/local.yaml")
    kafka = config.kafka.model_copy(update={"bootstrap_servers": servers.bootstrap_servers})
    ensure_topic(servers.bootstrap_servers, kafka.topic, kafka.partitions, kafka.max_record_bytes)
    places = {"checkpoint_root": str(folder / "checkpoints"), "lake_root": str(folder / "lake"), "kafka": kafka}
    return config.model_copy(update=places)


def _send_backlog(config: Config) -> None:
    kafka = config.kafka
    shop = Shop(ShopConfig(n_events=BATCH_EVENTS * N_BATCHES, n_users=20_000, n_items=10_000, broken_share=0))
    with KafkaRecordSink(str(kafka.bootstrap_servers), kafka.topic, kafka.max_record_bytes) as sink:
        for sent in shop.records():
            sink.send(sent.record)


if __name__ == "__main__":
    main()
