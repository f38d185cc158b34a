"""How long it takes to make all profiles and all feature tables anew from what is filed.

One run, one machine: Valkey and Spark share its cores. A lake of made-up events, filled by Spark itself: users and items by
a skewed chance, a month of event times, partitions and offsets as Kafka would give them. Then

    read        the interactions read, shuffled by user and sorted, and nothing else
    profiles    `rebuild_profiles` into an empty Redis
    again       the same once more: every profile is right already, and none is written
    tables      the events aggregated to the rows of all feature tables, and not written
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from rich.console import Console

from benchmarks.results import publish
from jobs._spark import job_session
from pipelines.config import Config, load_config
from pipelines.features.aggregates import entity_states
from pipelines.features.definitions import Definitions, load_definitions
from pipelines.features.filed import TopicPosition, to_filed_interactions
from pipelines.hot_path.rebuild import RebuildReport
from pipelines.hot_path.spark import with_rebuilding
from pipelines.hot_path.worker import StageSettings
from pipelines.local.valkey import start_valkey, valkey_url
from pipelines.schemas import Contract
from pipelines.sinks.delta_tables import ensure_table
from pipelines.sources.delta import read_table

N_EVENTS, N_USERS, N_ITEMS, N_PARTITIONS = 1_000_000, 100_000, 10_000, 4
N_SLICES, TAG = 64, 1
MONTH_SECONDS = 30 * 86_400
CONSOLE = Console()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        valkey = start_valkey(Path(folder) / "valkey")
        try:
            config = load_config("conf/local.yaml").model_copy(update={"lake_root": f"{folder}/lake"})
            spark = job_session("benchmark")
            CONSOLE.print(f"filing {N_EVENTS:,} events of {N_USERS:,} users …")
            _fill(spark, config)
            publish("rebuild", _measured(spark, config, valkey_url(valkey.port)), {})
            spark.stop()
        finally:
            valkey.stop()


def _measured(spark: SparkSession, config: Config, redis_url: str) -> dict[str, float]:
    definitions = load_definitions(config.features.definitions)
    settings = StageSettings(redis_url, TAG, config.profile, config.lists, config.model, definitions.online())
    events = read_table(spark, config.table("events"), "events")
    topic = TopicPosition(config.kafka.topic, TAG, dict.fromkeys(range(N_PARTITIONS), N_EVENTS), {})
    filed = to_filed_interactions(events, topic, N_SLICES)

    read_s, _ = _timed("read", lambda: _drained(filed))
    profiles_s, report = _timed("profiles", lambda: _rebuilt(filed, settings))
    again_s, same = _timed("again", lambda: _rebuilt(filed, settings))
    assert report.n_replaced == same.n_same == report.n_users, (report, same)
    tables_s, _ = _timed("tables", lambda: _aggregated(events, definitions))
    return {
        "n_events": report.n_interactions,
        "n_users": report.n_users,
        "users_per_s": report.n_users / profiles_s,
        "events_per_s": report.n_interactions / profiles_s,
        "profiles_to_read_ratio": profiles_s / read_s,
        "again_to_profiles_ratio": again_s / profiles_s,
        "table_events_per_s": N_EVENTS / tables_s,
    }


def _timed(name: str, work: Callable[[], object]) -> tuple[float, RebuildReport]:
    CONSOLE.print(f"{name} …")
    started = time.perf_counter()
    report = work()
    return time.perf_counter() - started, report if isinstance(report, RebuildReport) else RebuildReport()


def _rebuilt(filed: DataFrame, settings: StageSettings) -> RebuildReport:
    rows = with_rebuilding(filed, settings).drop("slice").collect()
    return sum((RebuildReport(**row.asDict()) for row in rows), RebuildReport())


def _aggregated(events: DataFrame, definitions: Definitions) -> None:
    for entity in definitions.entities:
        _drained(entity_states(events, definitions, entity))


def _drained(rows: DataFrame) -> None:
    rows.write.format("noop").mode("overwrite").save()


def _fill(spark: SparkSession, config: Config) -> None:
    """A user's and an item's chance falls with the square of its number; of ten events, seven are looks."""
    drawn = [F.rand(seed).alias(f"_{name}") for seed, name in enumerate(("user", "item", "kind", "second"))]
    rows = spark.range(N_EVENTS).select("id", *drawn)
    kind = F.when(F.col("_kind") < 0.7, "product_view").when(F.col("_kind") < 0.9, "add_to_cart").otherwise("purchase")
    at = F.timestamp_seconds(F.lit(1_700_000_000) + F.floor(F.col("_second") * MONTH_SECONDS))
    user = F.concat(F.lit("user-"), F.floor(F.col("_user") ** 2 * N_USERS))
    made = {
        "event_id": F.col("id").cast("string"), "event_type": kind, "user": user, "event_time": at, "event_date": F.to_date(at),
        "item_id": F.concat(F.lit("item-"), F.floor(F.col("_item") ** 2 * N_ITEMS)), "price": F.lit(9.99), "ingest_time": at,
        "session_id": F.concat(user, F.lit("-"), F.to_date(at)), "topic": F.lit(config.kafka.topic),
        "partition": F.pmod(F.xxhash64(user), F.lit(N_PARTITIONS)), "offset": F.col("id"),
    }  # fmt: skip
    schema = Contract().events
    columns = [made.get(f.name, F.lit(None)).cast(f.dataType).alias(f.name) for f in schema]
    ensure_table(spark, config.table("events"), "events", schema)
    rows.select(*columns).write.format("delta").mode("append").save(config.table("events"))


if __name__ == "__main__":
    main()
