"""The stream that makes the features, as `build_features` runs it and `rebuild_profiles` catches up with it."""

from functools import partial
from typing import Any

from pyspark.sql import SparkSession

from jobs._ranks import RankPublisher
from pipelines.config import Config
from pipelines.features.aggregates import entity_states, merged_columns
from pipelines.features.definitions import Definitions
from pipelines.features.tables import table_name, table_path, table_schema
from pipelines.sinks.feature_tables import FeatureTable, FeatureTables
from pipelines.sources.delta import read_stream
from pipelines.stores.connection import connect
from pipelines.stores.heartbeat import HeartbeatStore, SharedHeartbeat
from pipelines.stores.ranks import RankStore
from pipelines.stores.trials import TrialStore
from pipelines.streams import RunningStream, start_stream
from pipelines.tally import Tally

JOB = "build_features"


def start_building(spark: SparkSession, config: Config, definitions: Definitions, *, once: bool) -> RunningStream:
    """Start `events` → feature tables → ranks and fallback lists, from where its checkpoint is.

    Raises StateError where the tables of this version were made by other definitions.
    """
    client = connect(str(config.redis.url))
    heartbeat, tally = SharedHeartbeat(HeartbeatStore(client), JOB).begin(), Tally()
    bound = config.features.max_bytes_per_trigger
    schema = config.events.contract.events
    events = read_stream(spark, config.table("events"), "events", schema, max_bytes_per_trigger=bound)
    store = RankStore(client, ttl_seconds=round(config.features.ranks_ttl_hours * 3600))
    ranks = RankPublisher(spark, config.table, definitions, store, TrialStore(client))

    def publish(figures: dict[str, Any]) -> None:
        sizes = {"features_version": definitions.version, "table_rows": figures.pop("table_rows")}
        heartbeat.tell_batch({**tally.add(figures), **sizes, **ranks.publish()})

    tables = FeatureTables(_tables(config, definitions), definitions.meaning, publish)
    tables.check_definitions(spark)
    checkpoint, every = config.checkpoint(JOB, f"v{definitions.version}"), config.features.trigger_seconds
    heartbeat.tell({"features_version": definitions.version})
    return start_stream(
        events, tables, name=JOB, checkpoint=checkpoint, once=once, trigger_seconds=every, pulse=heartbeat.tell
    )


def _tables(config: Config, definitions: Definitions) -> list[FeatureTable]:
    return [
        FeatureTable(
            name=table_name(entity),
            path=config.table(table_path(definitions, entity)),
            schema=table_schema(definitions, entity),
            keys=keys,
            states=partial(entity_states, definitions=definitions, entity=entity),
            merged=merged_columns(definitions, entity),
        )
        for entity, keys in definitions.entities.items()
        if definitions.of(entity)
    ]
