"""File the clickstream in Delta: valid events, and the broken ones with the rules they break.

\b
    liveshelf validate_events
    spark-submit --properties-file conf/spark-defaults.conf --py-files dist/pyfiles.zip jobs/validate_events.py

\b
Reads   Kafka topic `clickstream`; the rules in conf/expectations/clickstream.json
Writes  {lake_root}/events      one row per event_id
        {lake_root}/quarantine  one row per broken record, with the names of the rules it breaks
        {lake_root}/rule_sets   the rules, under the hash that both tables carry
        {lake_root}/audits      what Great Expectations itself says of a sample, every validation.audit_seconds
        {data_docs_root}        the same as pages; begin with index.html
State   {checkpoint_root}/validate_events/v1
"""

import sys
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import click
from pyspark.sql import DataFrame, SparkSession

from jobs._audits import background_audit
from jobs._notices import notice
from jobs._options import config_option, once_option
from jobs._parsing import TopicFormat
from jobs._spark import job_session
from pipelines.audit.background import BackgroundAudit
from pipelines.config import Config
from pipelines.events.extra import with_extra_fields
from pipelines.events.parse import parse_records
from pipelines.events.rules import CompiledRules, compile_rules
from pipelines.events.verdicts import with_verdicts
from pipelines.local.addresses import with_running_servers
from pipelines.sinks.delta import EventTables
from pipelines.sinks.rule_sets import record_rule_set
from pipelines.sources.kafka import read_records
from pipelines.sources.topics import describe_topic
from pipelines.stores.connection import connect
from pipelines.stores.heartbeat import HeartbeatStore, SharedHeartbeat
from pipelines.streams import start_stream
from pipelines.tally import Tally

JOB = "validate_events"
BRIEFLY: Any = {"timeout_seconds": 2.0, "retries": 1}  # filing does without Redis, and does not wait for it


@click.command(help=__doc__)
@config_option
@once_option
def main(config: Config, once: bool) -> None:
    config = with_running_servers(config)
    validation, contract = config.validation, config.events.contract
    heartbeat, tally = SharedHeartbeat(HeartbeatStore(connect(str(config.redis.url), **BRIEFLY)), JOB).begin(), Tally()
    heartbeat.tell(tally.add({"n_valid": 0, "n_quarantined": 0}))  # from 0 on, for whoever watches rates
    describe_topic(config.kafka)  # refuses in seconds what Spark would wait for
    topic_format = TopicFormat(config.kafka)
    spark = job_session(JOB)

    records = read_records(spark, config.kafka, max_offsets=validation.max_offsets_per_trigger)
    rules = compile_rules(spark, validation.suite, contract.checked)

    def verdicts() -> DataFrame:
        events = parse_records(topic_format.with_text(records), contract)
        return with_verdicts(with_extra_fields(events, contract), rules, contract)

    _remember(spark, config, rules)
    audit = background_audit(config, rules, heartbeat.tell) if validation.audit_seconds else None
    tables = _tables(config, lambda figures: heartbeat.tell_batch(tally.add(figures)), audit)
    checkpoint, every = config.checkpoint(JOB, "v1"), validation.trigger_seconds
    heartbeat.tell({"ruleset": rules.ruleset})
    stream = start_stream(
        verdicts(),
        tables,
        name=JOB,
        checkpoint=checkpoint,
        once=once,
        trigger_seconds=every,
        replan=topic_format.following(verdicts),
        pulse=heartbeat.tell,
    )
    notice(tables.guarantee)
    stream.wait()
    if audit:
        audit.stop()


def _tables(config: Config, on_batch: Callable[[dict[str, Any]], None], audit: BackgroundAudit | None) -> EventTables:
    return EventTables(
        events_path=config.table("events"),
        quarantine_path=config.table("quarantine"),
        event_dedupe_minutes=config.validation.event_dedupe_minutes,
        quarantine_dedupe_days=config.validation.quarantine_dedupe_days,
        contract=config.events.contract,
        on_batch=on_batch,
        observe=audit.offer if audit else None,
    )


def _remember(spark: SparkSession, config: Config, rules: CompiledRules) -> None:
    suite, now = config.validation.suite.read_text(encoding="utf-8"), datetime.now(timezone.utc)
    record_rule_set(spark, config.table("rule_sets"), rules.ruleset, suite, now)


if __name__ == "__main__":
    sys.exit(main())
