"""Make the features from the events: tables of current values in Delta, ranks and fallback lists in Redis.

    liveshelf build_features
    spark-submit --properties-file conf/spark-defaults.conf --py-files dist/pyfiles.zip jobs/build_features.py

\b
Reads   {lake_root}/events; the definitions in conf/features.yaml
Writes  {lake_root}/features/v{version}/{entity}_features  one current row per key
        Redis rank:{name} and fallback:{segment}           made from the tables after each micro-batch
State   {checkpoint_root}/build_features/v{version}        the version of the definitions
"""

import sys
from functools import partial
from typing import Any

import click

from jobs._options import config_option, once_option
from jobs._ranks import RankPublisher
from jobs._spark import job_session
from pipelines.config import Config
from pipelines.features.aggregates import entity_states, merged_columns
from pipelines.features.definitions import Definitions, load_definitions
from pipelines.features.ranking import check_ranked
from pipelines.features.tables import table_name, table_path, table_schema
from pipelines.local.addresses import with_running_redis
from pipelines.sinks.feature_tables import FeatureTable, FeatureTables
from pipelines.sources.delta import read_stream
from pipelines.stores.connection import connect
from pipelines.stores.heartbeat import HeartbeatStore
from pipelines.stores.ranks import RankStore
from pipelines.streams import start_stream
from pipelines.tally import Tally

JOB = "build_features"


@click.command(help=__doc__)
@config_option
@once_option
def main(config: Config, once: bool) -> None:
    definitions = load_definitions(config.features.definitions)
    check_ranked(definitions)
    config = with_running_redis(config)
    client = connect(str(config.redis.url))
    heartbeats, tally = HeartbeatStore(client), Tally()
    spark = job_session(JOB)

    events = read_stream(
        spark,
        config.table("events"),
        "events",
        config.events.contract.events,
        max_bytes_per_trigger=config.features.max_bytes_per_trigger,
    )
    store = RankStore(client, ttl_seconds=round(config.features.ranks_ttl_hours * 3600))
    ranks = RankPublisher(spark, config.table, definitions, store)

    def publish(figures: dict[str, Any]) -> None:
        sizes = {"features_version": definitions.version, "table_rows": figures.pop("table_rows")}
        heartbeats.beat(JOB, {**tally.add(figures), **sizes, **ranks.publish()})

    tables = FeatureTables(_tables(config, definitions), definitions.meaning, publish)
    tables.check_definitions(spark)
    stream = start_stream(
        events,
        tables,
        name=JOB,
        checkpoint=config.checkpoint(JOB, f"v{definitions.version}"),
        once=once,
        trigger_seconds=config.features.trigger_seconds,
    )
    heartbeats.beat(JOB, {"state": "started", "features_version": definitions.version})
    stream.wait()


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


if __name__ == "__main__":
    sys.exit(main())
