"""Judge the tables again by Great Expectations itself: verdicts, volume, shares, freshness.

\b
    liveshelf audit_events --days 1
    spark-submit --properties-file conf/spark-defaults.conf --py-files dist/pyfiles.zip jobs/audit_events.py

Runs the whole suite on Spark over what is filed, and holds its counts against the recorded verdicts of the rows that
today's rules judged; then the suite of whole hours over the last complete hours. Ends with code 1 when a count differs, a
rule could not be run, or a rule of the hours alerts; with 0 otherwise, warnings or not. Stops nothing, changes nothing.

\b
Reads   {lake_root}/events and {lake_root}/quarantine; both suites in conf/expectations
Writes  {lake_root}/audits      one row per audit and rule
        {data_docs_root}        pages, begin with index.html
"""

import sys
from datetime import datetime, timezone

import click
from pyspark.sql import DataFrame

from jobs._audits import as_json, keep_audit, print_audit, raise_if_wrong, told
from jobs._options import config_option
from jobs._outcomes import tell_figures, tells_outcome
from jobs._parsing import TopicFormat
from jobs._spark import job_session
from pipelines.audit.comparison import audit_hours, audit_tables
from pipelines.audit.hours import hourly_measures
from pipelines.audit.recorded import checked_events, checked_quarantine, filed_since, judged_by
from pipelines.audit.results import ALERT, AuditResult
from pipelines.audit.sampling import to_pandas
from pipelines.config import Config
from pipelines.events.rules import classify
from pipelines.events.suite import WARN, load_suite, ruleset_id
from pipelines.sources.delta import read_table

JOB = "audit_events"


@click.command(help=__doc__)
@config_option
@tells_outcome(JOB)
@click.option(
    "--days", type=click.FloatRange(0, min_open=True), help="Verdicts of the last so many days. Default: all."
)
@click.option("--hours", type=click.IntRange(1, 24 * 7), default=24, show_default=True, help="Complete hours to judge.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object instead of tables.")
def main(config: Config, days: float | None, hours: int, is_json: bool) -> None:
    spark, as_of = job_session(JOB), datetime.now(timezone.utc)
    events = read_table(spark, config.table("events"), "events", config.events.contract.events)
    quarantine = read_table(spark, config.table("quarantine"), "quarantine")

    results = [
        _audit_verdicts(config, events, quarantine, as_of, days),
        _audit_hours(config, events, quarantine, as_of, hours),
    ]
    pages = [keep_audit(config, result) for result in results]

    if is_json:
        click.echo(as_json(results))
    else:
        for result, page in zip(results, pages, strict=True):
            print_audit(result, page)
    tell_figures(told(results))
    raise_if_wrong(results)


def _audit_verdicts(
    config: Config, events: DataFrame, quarantine: DataFrame, as_of: datetime, days: float | None
) -> AuditResult:
    rules, batch_rules = classify(load_suite(config.validation.suite))
    ruleset = ruleset_id(rules)
    events, quarantine = (filed_since(rows, as_of, days) for rows in (events, quarantine))
    n_all = events.count() + quarantine.count()
    events, quarantine = (judged_by(rows, ruleset) for rows in (events, quarantine))
    n_others = n_all - events.count() - quarantine.count()
    when = f" of the last {days:g} days" if days else ""
    scope = f"events and quarantine{when}; left out: {n_others:,} rows that other rules judged"
    records = checked_quarantine(TopicFormat(config.kafka).with_text(quarantine), config.events.contract).persist()
    try:
        return audit_tables(
            checked_events(events),
            records,
            quarantine,
            rules,
            batch_rules,
            ruleset=ruleset,
            scope=scope,
            as_of=as_of,
        )
    finally:
        records.unpersist()


def _audit_hours(config: Config, events: DataFrame, quarantine: DataFrame, as_of: datetime, hours: int) -> AuditResult:
    rules = load_suite(config.validation.hourly_suite, severities=(WARN, ALERT))
    measures = to_pandas(hourly_measures(events, quarantine, as_of=as_of, hours=hours))
    scope = f"the last {hours} complete hours before {as_of:%Y-%m-%d %H:%M} UTC, by the time Kafka got the records"
    return audit_hours(measures, rules, ruleset=ruleset_id(rules), scope=scope, as_of=as_of)


if __name__ == "__main__":
    sys.exit(main())
