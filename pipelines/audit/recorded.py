"""From the rows of the tables back to what the rules looked at when they judged them."""

from datetime import datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines.events.parse import TEXT, parse_records, seconds_between
from pipelines.schemas import Contract


def filed_since(rows: DataFrame, as_of: datetime, days: float | None) -> DataFrame:
    """Rows of a table that Kafka got within `days` before `as_of` (UTC); all of them where it is None."""
    return rows if days is None else rows.where(F.col("ingest_time") >= F.lit(as_of - timedelta(days=days)))


def judged_by(rows: DataFrame, ruleset: str) -> DataFrame:
    """Rows of a table that this rule set judged."""
    return rows.where(F.col("ruleset") == ruleset)


def checked_events(events: DataFrame) -> DataFrame:
    """Add what only the rules look at.

    In:   rows of the table `events`.
    Out:  the same with is_parsed, event_time_ms and seconds_ahead, as `parse_records` had them.
    """
    return events.withColumns(
        {
            "is_parsed": F.lit(True),
            "event_time_ms": F.unix_millis("event_time"),
            "seconds_ahead": seconds_between(F.col("ingest_time"), F.col("event_time")),
        }
    )


def checked_quarantine(quarantine: DataFrame, contract: Contract) -> DataFrame:
    """Parse the quarantined bytes again, under the coordinates and the time they came with.

    In:   rows of the table `quarantine`, with TEXT where `parse_records` needs it.
    Out:  Contract.checked without the raw bytes.
    """
    records = quarantine.withColumn("timestamp", F.col("ingest_time"))
    return parse_records(records, contract).drop("key", "value", TEXT)
