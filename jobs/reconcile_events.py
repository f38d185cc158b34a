"""Prove that every record of the topic is valid, quarantined or a duplicate: nothing lost.

\b
    liveshelf reconcile_events
    spark-submit --properties-file conf/spark-defaults.conf --py-files dist/pyfiles.zip jobs/reconcile_events.py

Ends with code 1 when a record is in neither table, an event_id or a record is there twice, or a row is of no record.
Run it when `validate_events` has caught up: what that has not read yet counts as lost.

\b
Reads   Kafka topic `clickstream`, all that it holds; {lake_root}/events and {lake_root}/quarantine
Writes  nothing
"""

import sys

import click

from jobs._options import config_option
from jobs._outcomes import tell_figures, tells_outcome
from jobs._parsing import TopicFormat
from jobs._reconciliation import as_json, print_account, raise_if_inexact, told
from jobs._spark import job_session
from pipelines.config import Config
from pipelines.events.parse import parse_records
from pipelines.events.reconcile import reconcile, to_claims
from pipelines.local.addresses import with_running_kafka
from pipelines.sources.delta import read_table
from pipelines.sources.kafka import read_all_records
from pipelines.sources.topics import describe_topic

JOB = "reconcile_events"


@click.command(help=__doc__)
@config_option
@tells_outcome(JOB)
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object instead of a table.")
def main(config: Config, is_json: bool) -> None:
    config = with_running_kafka(config)
    describe_topic(config.kafka)  # refuses in seconds what Spark would wait for
    topic_format = TopicFormat(config.kafka)
    spark = job_session(JOB)

    records = topic_format.with_text(read_all_records(spark, config.kafka))
    claims = to_claims(parse_records(records, config.events.contract))
    events, quarantine = (read_table(spark, config.table(name), name) for name in ("events", "quarantine"))
    result = reconcile(claims, events, quarantine)

    if is_json:
        click.echo(as_json(result))
    else:
        print_account(result)
    tell_figures(told(result.account))
    raise_if_inexact(result)


if __name__ == "__main__":
    sys.exit(main())
