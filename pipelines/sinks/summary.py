"""What is in a micro-batch, in one small aggregation: counts for the report, bounds for the merges."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from typing import Any

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

TimeRange = tuple[datetime, datetime]  # first and last, both inside, UTC
MAX_RANGES = 32  # beyond, one range for all: a condition as long as a year helps nobody


@dataclass
class BatchSummary:
    """Counts and bounds of one micro-batch."""

    n_valid: int = 0
    n_quarantined: int = 0
    quarantined_by_rule: Counter[str] = field(default_factory=Counter)  # a row that breaks two rules counts for both
    warned_by_rule: Counter[str] = field(default_factory=Counter)  # of valid rows
    times_by_day: dict[date, TimeRange] = field(default_factory=dict)  # of the valid events: first and last event_time
    last_quarantined: dict[str, str] = field(default_factory=dict)  # rule → record_id of the newest that broke it
    quarantine_days: tuple[date, date] | None = None  # first and last ingest_date of the quarantined

    @property
    def n_rows(self) -> int:
        return self.n_valid + self.n_quarantined

    @property
    def event_times(self) -> list[TimeRange]:
        """The times of the valid events: a range for each day, or one for all where there are too many."""
        ranges = sorted(self.times_by_day.values())
        if len(ranges) <= MAX_RANGES:
            return ranges
        return [(ranges[0][0], max(last for _, last in ranges))]

    def figures(self) -> dict[str, Any]:
        """Give the part of it that is reported."""
        return {
            "n_rows": self.n_rows,
            "n_valid": self.n_valid,
            "n_quarantined": self.n_quarantined,
            "quarantined_by_rule": dict(sorted(self.quarantined_by_rule.items())),
            "warned_by_rule": dict(sorted(self.warned_by_rule.items())),
            "last_quarantined": dict(sorted(self.last_quarantined.items())),
        }


def summarize(rows: DataFrame) -> BatchSummary:
    """Summarise rows of Contract.verdicts: one Spark job, which also fills the batch's cache."""
    is_valid = F.size("rules") == 0
    event_us = F.unix_micros("event_time")
    of_valid = [F.when(is_valid, F.col(name)).alias(name) for name in ("event_date", "warnings")]
    groups = rows.groupBy("rules", *of_valid).agg(
        F.count("*").alias("n"),
        F.max_by("record_id", "ingest_time").alias("newest_id"),
        F.min(event_us).alias("first_us"),
        F.max(event_us).alias("last_us"),
        F.min("ingest_date").alias("first_ingest"),
        F.max("ingest_date").alias("last_ingest"),
    )
    summary = BatchSummary()
    for group in groups.collect():
        _add(summary, group)
    return summary


def _add(summary: BatchSummary, group: Row) -> None:
    if not group.rules:
        summary.n_valid += group.n
        summary.warned_by_rule.update(dict.fromkeys(group.warnings, group.n))
        first, last = _utc(group.first_us), _utc(group.last_us)
        earliest, latest = summary.times_by_day.get(group.event_date, (first, last))
        summary.times_by_day[group.event_date] = min(first, earliest), max(last, latest)
        return
    summary.n_quarantined += group.n
    summary.quarantined_by_rule.update(dict.fromkeys(group.rules, group.n))
    summary.last_quarantined.update(dict.fromkeys(group.rules, group.newest_id))
    first_day, last_day = summary.quarantine_days or (group.first_ingest, group.last_ingest)
    summary.quarantine_days = min(first_day, group.first_ingest), max(last_day, group.last_ingest)


def _utc(epoch_us: int) -> datetime:
    seconds, micros = divmod(epoch_us, 1_000_000)
    return datetime.fromtimestamp(seconds, timezone.utc).replace(microsecond=micros)
