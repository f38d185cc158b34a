"""A second look at quarantined records: what a corrected rule, or a fix, accepts today."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pipelines.events.rules import CompiledRules

ACCEPTED, REFUSED, LEFT_ALONE, FAILED = "accepted", "refused", "left_alone", "failed"
COORDINATES = ["topic", "partition", "offset"]


@dataclass(frozen=True)
class Example:
    """What befell how many records, and one of them."""

    what: str  # a broken rule, or the error of a fix
    n_records: int
    record_id: str


@dataclass(frozen=True)
class SecondLook:
    """How many records had which outcome, and why the others were not accepted."""

    n_by_outcome: dict[str, int]
    broken: list[Example]  # rules that refused records break now; one that breaks two counts for both
    errors: list[Example]  # what the fix raised: the most frequent

    @property
    def n_tried(self) -> int:
        return sum(self.n_by_outcome.values())

    @property
    def n_accepted(self) -> int:
        return self.n_by_outcome.get(ACCEPTED, 0)


def open_rows(quarantine: DataFrame, replays: DataFrame, rule: str, limit: int | None = None) -> DataFrame:
    """Rows of `quarantine` that broke `rule` and have no row in `replays`: the oldest `limit`, one per record_id."""
    of_rule = quarantine.where(F.array_contains("rules", rule))
    first = Window.partitionBy("record_id").orderBy("ingest_time", *COORDINATES)
    is_open = of_rule.join(replays.select("record_id"), "record_id", "left_anti")
    rows = is_open.withColumn("_rank", F.row_number().over(first)).where(F.col("_rank") == 1).drop("_rank")
    return rows if limit is None else rows.orderBy("ingest_time", *COORDINATES).limit(limit)


def with_coordinates(planned: DataFrame) -> DataFrame:
    """Give rows of `replays`, which have none yet, coordinates to be judged under: each its own."""
    return planned.withColumns({"topic": F.col("record_id"), "partition": F.lit(0), "offset": F.lit(0).cast("bigint")})


def judge_again(
    mended: DataFrame, rules: CompiledRules, parse: Callable[[DataFrame], DataFrame], now: datetime
) -> DataFrame:
    """Judge mended records by today's rules, as if they came now.

    In:   rows with record_id, coordinates, key, value and the columns of `mend`; `parse` makes of Kafka's columns what
          the rules look at (`parse_records`).
    Out:  record_id, outcome (ACCEPTED, REFUSED, LEFT_ALONE, FAILED), broken (the rules it breaks now), fix_error, event_id,
          key (the event's user, UTF-8), value (the mended bytes). One row per row of `mended`.
    """
    records = mended.select("key", F.col("fixed").alias("value"), *COORDINATES, F.lit(now).alias("timestamp"))
    user = F.col("user").cast("binary").alias("key")
    # The value is taken from here: what is sent must be the very bytes that were judged, whatever the fix does next time.
    judged = parse(records).select(*COORDINATES, "event_id", user, "value", rules.broken_rules().alias("broken"))
    tried = mended.select("record_id", *COORDINATES, "fix_error", "is_left_alone")
    outcome = (
        F.when(F.col("fix_error").isNotNull(), FAILED)
        .when(F.col("is_left_alone"), LEFT_ALONE)
        .when(F.size("broken") > 0, REFUSED)
        .otherwise(ACCEPTED)
    )
    both = tried.join(judged, COORDINATES)  # coordinates are unique: of each record there is one row
    return both.select("record_id", outcome.alias("outcome"), "broken", "fix_error", "event_id", "key", "value")


def accepted(judged: DataFrame) -> DataFrame:
    """Rows of `judge_again` that today's rules accept."""
    return judged.where(F.col("outcome") == ACCEPTED)


def summarize(judged: DataFrame, n_errors: int = 3) -> SecondLook:
    """Count rows of `judge_again`; `n_errors` kinds of error are told."""
    outcomes = {row["outcome"]: row["count"] for row in judged.groupBy("outcome").count().collect()}
    refused = judged.where(F.col("outcome") == REFUSED).select("record_id", F.explode("broken").alias("what"))
    failed = judged.where(F.col("outcome") == FAILED).select("record_id", F.col("fix_error").alias("what"))
    return SecondLook(outcomes, _examples(refused), _examples(failed, n_errors))


def _examples(rows: DataFrame, limit: int = 1_000) -> list[Example]:
    counted = rows.groupBy("what").agg(F.count("*").alias("n_records"), F.min("record_id").alias("record_id"))
    return [Example(**row.asDict()) for row in counted.orderBy(F.desc("n_records"), "what").limit(limit).collect()]
