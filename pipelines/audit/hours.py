"""What each hour of the clickstream looked like, beside what the same hour of the week usually looks like."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pipelines.schemas import CONTEXT, EVENT_TYPES

HOUR_SECONDS = 3600
WEEK_SECONDS = 7 * 24 * HOUR_SECONDS
WEEKS = 4  # of history, where there are so many
_COORDINATES = ("topic", "partition", "offset", "ingest_time")


def hourly_measures(events: DataFrame, quarantine: DataFrame, *, as_of: datetime, hours: int = 24) -> DataFrame:
    """Measure the last `hours` complete hours before `as_of` (UTC), by the time that Kafka got the records.

    In:   the tables `events` and `quarantine`.
    Out:  one row per (hour, measure): hour (its start), measure, value, usual (median of the same hour of the week in up
          to WEEKS weeks before, null where none of them is known), difference (value - usual), ratio (value / usual; null
          where usual is 0), n_records (of the hour: how much the value rests on). An hour without a record, since the
          first known one, has n_records 0 and null shares.
    Measures: n_records (rows of both tables); share_quarantined; share_duplicates; share_of_type:{event_type} and
          share_null:{context field}, of the hour's events; freshness_seconds (as_of minus the newest ingest_time), in the
          newest hour only.
    """
    end = as_of.replace(minute=0, second=0, microsecond=0)
    first_judged = end - timedelta(hours=hours)
    start = first_judged - timedelta(weeks=WEEKS)
    counts = _counts_per_hour(events, quarantine, start, end)
    values = _in_long_form(_with_silent_hours(counts, end))
    judged = _with_usual(values).where(F.col("hour") >= F.lit(first_judged))
    return judged.unionByName(_freshness(events, quarantine, as_of, end - timedelta(hours=1)), allowMissingColumns=True)


def duplicates_per_hour(kept: DataFrame) -> DataFrame:
    """Count the records that are in no table, by the gaps between the offsets of those that are.

    In:   rows of both tables: topic, partition, offset, ingest_time.
    Out:  one row per hour that has any: hour, n_duplicates. A gap belongs to the hour of the row after it.
    Every record is kept or a duplicate of one that is, so a missing offset is a duplicate: exact for a topic without
    transactions and compaction, from the first row given to the last. What follows the last is not seen yet.
    """
    before = Window.partitionBy("topic", "partition").orderBy("offset")
    gap = F.greatest(F.col("offset") - F.lag("offset").over(before) - 1, F.lit(0))
    return (
        kept.select(_hour(), F.coalesce(gap, F.lit(0)).alias("gap"))
        .groupBy("hour")
        .agg(F.sum("gap").alias("n_duplicates"))
    )


def _hour() -> Column:
    return F.date_trunc("hour", "ingest_time").alias("hour")


def _counts_per_hour(events: DataFrame, quarantine: DataFrame, start: datetime, end: datetime) -> DataFrame:
    """Count what the measures need. → hour, n_events, n_quarantined, n_duplicates, n_of:{type}, n_null:{field}; null for none."""
    events, quarantine = (_between(rows, start, end) for rows in (events, quarantine))
    of_type = [F.count_if(F.col("event_type") == name).alias(f"n_of:{name}") for name in EVENT_TYPES]
    without = [F.count_if(F.col(f"context.{name}").isNull()).alias(f"n_null:{name}") for name in CONTEXT.names]
    of_events = events.groupBy(_hour()).agg(F.count("*").alias("n_events"), *of_type, *without)
    of_quarantine = quarantine.groupBy(_hour()).agg(F.count("*").alias("n_quarantined"))
    duplicates = duplicates_per_hour(events.select(*_COORDINATES).unionByName(quarantine.select(*_COORDINATES)))
    counts = of_events.join(of_quarantine, "hour", "full").join(duplicates, "hour", "full")
    return counts.where(F.col("hour") >= F.lit(start))


def _between(rows: DataFrame, start: datetime, end: datetime) -> DataFrame:
    # One hour more: the first gap needs the row before it.
    return rows.where((F.col("ingest_time") >= F.lit(start - timedelta(hours=1))) & (F.col("ingest_time") < F.lit(end)))


def _with_silent_hours(counts: DataFrame, end: datetime) -> DataFrame:
    """Add the hours that have no record, from the first that has one to `end`; all counts 0."""
    last = F.lit(end - timedelta(hours=1))
    every = counts.agg(F.min("hour").alias("first")).where(F.col("first") <= last)
    hours = every.select(F.explode(F.sequence("first", last, F.expr("interval 1 hour"))).alias("hour"))
    return hours.join(counts, "hour", "left").fillna(0)


def _in_long_form(counts: DataFrame) -> DataFrame:
    """→ hour, measure, value, n_records."""
    n_records = F.col("n_events") + F.col("n_quarantined")
    measures = {
        "n_records": n_records.cast("double"),
        "share_quarantined": _share("n_quarantined", n_records),
        "share_duplicates": _share("n_duplicates", n_records + F.col("n_duplicates")),
        **{f"share_of_type:{name}": _share(f"n_of:{name}", F.col("n_events")) for name in EVENT_TYPES},
        **{f"share_null:{name}": _share(f"n_null:{name}", F.col("n_events")) for name in CONTEXT.names},
    }
    pairs = F.array(*_pairs(measures))
    exploded = counts.select("hour", n_records.alias("n_records"), F.explode(pairs).alias("pair"))
    return exploded.select("hour", "pair.measure", "pair.value", "n_records")


def _pairs(measures: Mapping[str, Column]) -> list[Column]:
    return [F.struct(F.lit(name).alias("measure"), value.alias("value")) for name, value in measures.items()]


def _share(count: str, of: Column) -> Column:
    return F.try_divide(F.col(f"`{count}`").cast("double"), of)  # null where there is nothing to have a share of


def _with_usual(values: DataFrame) -> DataFrame:
    """Add usual, difference and ratio: each value speaks for the same hour of the WEEKS weeks after it."""
    weeks_later = [F.unix_seconds("hour") + WEEK_SECONDS * n for n in range(1, WEEKS + 1)]
    later = values.select("measure", "value", F.explode(F.array(*weeks_later)).alias("seconds"))
    history = later.select("measure", "value", F.timestamp_seconds("seconds").alias("hour"))
    usual = history.groupBy("hour", "measure").agg(F.median("value").alias("usual"))
    compared = values.join(usual, ["hour", "measure"], "left")
    difference, ratio = F.col("value") - F.col("usual"), F.try_divide("value", "usual")
    measured = compared.select("*", difference.alias("difference"), ratio.alias("ratio"))
    return measured.select("hour", "measure", "value", "usual", "difference", "ratio", "n_records")


def _freshness(events: DataFrame, quarantine: DataFrame, as_of: datetime, hour: datetime) -> DataFrame:
    newest = [rows.agg(F.max("ingest_time").alias("newest")) for rows in (events, quarantine)]
    both = newest[0].unionByName(newest[1]).agg(F.max("newest").alias("newest"))
    age = (F.lit(as_of).cast("double") - F.col("newest").cast("double")).alias("value")
    return both.select(F.lit(hour).alias("hour"), F.lit("freshness_seconds").alias("measure"), age)
