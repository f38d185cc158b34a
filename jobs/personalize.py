"""Keep every active user's profile and list fresh: the hot path.

\b
    liveshelf personalize
    spark-submit --properties-file conf/spark-defaults.conf --py-files dist/pyfiles.zip jobs/personalize.py

\b
Reads   Kafka topic `clickstream`, keyed by user
Writes  Redis profile:{user} and list:{user}, the model and its patches; Delta lists, what was published and why
State   {checkpoint_root}/personalize/v1
"""

import sys
import uuid
from collections.abc import Callable
from typing import Any

import click
from pyspark.sql import DataFrame, SparkSession
from redis import Redis

from jobs._options import config_option, once_option
from jobs._parsing import TopicFormat
from jobs._spark import job_session
from jobs._versions import Versions
from pipelines.config import Config
from pipelines.events.parse import parse_records
from pipelines.events.rules import CompiledRules, compile_rules
from pipelines.features.definitions import Definitions, load_definitions
from pipelines.features.interactions import learned_columns, learned_contract, to_arrivals
from pipelines.hot_path.learner import OnlineLearner
from pipelines.hot_path.list_keeper import ListKeeper
from pipelines.hot_path.spark import with_personalization
from pipelines.hot_path.worker import StageSettings, shared_model
from pipelines.local.addresses import with_running_servers
from pipelines.sinks.lists import ListTable
from pipelines.sources.kafka import read_records
from pipelines.sources.topics import describe_topic
from pipelines.stores.connection import connect
from pipelines.stores.due import DueStore
from pipelines.stores.features_version import FeaturesVersionStore
from pipelines.stores.heartbeat import HeartbeatStore, SharedHeartbeat
from pipelines.stores.list_log import ListLog
from pipelines.stores.model import ModelStore
from pipelines.stores.renewals import RenewalStore
from pipelines.streams import start_stream
from pipelines.tally import Tally

JOB = "personalize"


@click.command(help=__doc__)
@config_option
@once_option
def main(config: Config, once: bool) -> None:
    config = with_running_servers(config)
    client = connect(str(config.redis.url))
    definitions = load_definitions(config.features.definitions)
    version = definitions.version
    heartbeat, tally = SharedHeartbeat(HeartbeatStore(client), JOB).begin(), Tally()
    heartbeat.tell(
        tally.add({"n_new": 0, "n_lists": 0})
    )  # from 0 on: one that gets nothing from the start is seen, too
    FeaturesVersionStore(client).claim(version)
    settings = _settings(config, definitions)
    topic_format = TopicFormat(config.kafka)
    spark = job_session(JOB)
    rules = compile_rules(spark, config.validation.suite, config.events.contract.checked)
    reports = _reports(spark, config, definitions, settings, rules, topic_format)
    checkpoint = config.checkpoint(JOB, "v1")
    versions = Versions(config, version, checkpoint)

    def about() -> dict[str, Any]:
        return {**versions.figures(), **keeper.figures()}

    learner = OnlineLearner(
        ModelStore(client),
        config.model,
        lambda figures: heartbeat.tell_batch({**tally.add(figures), **about()}),
        champions=versions,
        archive=versions,
    )
    keeper = _keeper(spark, config, settings, client, learner)
    heartbeat.tell({"ruleset": rules.ruleset})
    stream = start_stream(
        reports(),
        learner,
        name=JOB,
        checkpoint=checkpoint,
        once=once,
        replan=topic_format.following(reports),
        pulse=lambda progress: heartbeat.tell({**progress, **about()}),
    )
    keeper.start()
    try:
        stream.wait()
    finally:
        keeper.stop()
        versions.stop()
        heartbeat.tell(about())
        if shared := shared_model(settings):
            shared.remove()


def _settings(config: Config, definitions: Definitions) -> StageSettings:
    return StageSettings(
        str(config.redis.url),
        describe_topic(config.kafka).tag,
        config.profile,
        config.lists,
        config.model,
        definitions.online(),
        application=uuid.uuid4().hex,
        category_separator=config.catalogue.category_separator,
    )


def _reports(
    spark: SparkSession,
    config: Config,
    definitions: Definitions,
    settings: StageSettings,
    rules: CompiledRules,
    topic_format: TopicFormat,
) -> Callable[[], DataFrame]:
    """What plans the stage: again whenever the topic's format changes."""
    records = read_records(spark, config.kafka, max_offsets=config.kafka.max_offsets_per_trigger)

    def reports() -> DataFrame:
        contract = learned_contract(config.events.contract, definitions, config.model)
        valid = parse_records(topic_format.with_text(records), contract).where(rules.is_valid)
        learned = learned_columns(valid, definitions, config.model)
        arrivals = to_arrivals(valid, *learned, with_impressions=config.lists.rules.fatigue_impressions > 0)
        return with_personalization(arrivals, settings)

    return reports


def _keeper(
    spark: SparkSession, config: Config, settings: StageSettings, client: Redis, learner: OnlineLearner
) -> ListKeeper:
    due, log, renewals = DueStore(client), ListLog(client), RenewalStore(client)
    file = ListTable(config.table("lists"))
    return ListKeeper(spark, settings, due, log, renewals, file, lambda: learner.model_version)


if __name__ == "__main__":
    sys.exit(main())
