"""From the table `events` to slices of time to learn from: in each, what its users did in it and what they did before.

    interactions_until   the interactions to learn from, slim
    span_of, equal_cuts  moments that cut them into slices of equally many
    given_cuts           the same at given moments
    to_timelines         … and every slice with the history that its users bring along

The same rows of `events` give the same slices, in whatever order and files they lie.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pipelines.features.definitions import Definitions
from pipelines.features.interactions import BRAND, CATEGORY, CONTEXT, learned_columns, to_interactions
from pipelines.features.profile import Ints
from pipelines.model_sections import ModelConfig

MAX_BUCKETS = 100_000  # of the histogram that the cuts are read off: what the driver holds
PARTS_OF_SAMPLE = 1_000_000
SLICE, LEARN, USER, KEY = "slice", "learn", "user_hash", "key"


@dataclass(frozen=True)
class Wanted:
    """Which interactions: event time from `since` on and before `until`, arrived by `known_by` (all UTC), of a share of users."""

    since: datetime | None = None
    until: datetime | None = None
    known_by: datetime | None = None
    share_of_users: float = 1.0


@dataclass(frozen=True)
class Span:
    """How many interactions there are, and the seconds of the first and the last; both 0 where there is none."""

    n_rows: int
    first_s: int
    last_s: int


@dataclass(frozen=True)
class Cuts:
    """Where time is cut: slice s begins at `at_s[s − 1]` and ends before `at_s[s]`."""

    at_s: Ints  # (S − 1,) epoch seconds, ascending
    n_rows: Ints  # (S,) interactions of each slice
    span: Span

    @property
    def n_slices(self) -> int:
        return len(self.n_rows)


def interactions_until(events: DataFrame, definitions: Definitions, model: ModelConfig, wanted: Wanted) -> DataFrame:
    """Take the interactions to learn from. A share of the users is by a hash of the user: whole users, always the same.

    In:   rows of the table `events`, each event once.
    Out:  user_hash, key (features/profile.py; its order is that of time), item, item_hash, time_s and `learned_columns`;
          all long but item.
    """
    bounds = [
        F.col("event_time") >= _utc(wanted.since) if wanted.since else None,
        F.col("event_time") < _utc(wanted.until) if wanted.until else None,
        F.col("ingest_time") <= _utc(wanted.known_by) if wanted.known_by else None,
        _in_sample(wanted.share_of_users) if wanted.share_of_users < 1 else None,
    ]
    for bound in bounds:
        events = events if bound is None else events.where(bound)
    rows = to_interactions(events, *learned_columns(events, definitions, model))
    told = [name for name in rows.columns if name.startswith((CATEGORY, BRAND, CONTEXT))]
    return rows.select(F.xxhash64("user").alias(USER), _key().alias(KEY), "item", "item_hash", "time_s", *told)


def span_of(interactions: DataFrame) -> Span:
    """Look at all of them once."""
    n_rows, first_s, last_s = interactions.agg(F.count("time_s"), F.min("time_s"), F.max("time_s")).collect()[0]
    return Span(n_rows, first_s or 0, last_s or 0)


def equal_cuts(interactions: DataFrame, span: Span, n_slices: int) -> Cuts:
    """Cut the interactions into slices of equally many, as nearly as whole seconds allow: where a second is long, fewer slices.

    The driver holds a histogram of at most MAX_BUCKETS buckets: no cut is finer.
    """
    width = math.ceil((span.last_s - span.first_s + 1) / MAX_BUCKETS)
    bucket = F.floor((F.col("time_s") - span.first_s) / width).alias("bucket")
    counted = interactions.groupBy(bucket).count().orderBy("bucket").toArrow()
    begin_s, n_rows = span.first_s + width * counted["bucket"].to_numpy(), counted["count"].to_numpy()
    up_to = np.cumsum(n_rows)
    wanted = np.arange(1, n_slices) * (span.n_rows / n_slices)
    at_s = np.unique(begin_s[np.searchsorted(up_to, wanted)] + width)
    at_s = at_s[at_s <= begin_s.max(initial=0)]
    rows_of = np.bincount(np.searchsorted(at_s, begin_s, side="right"), n_rows, len(at_s) + 1)
    return Cuts(at_s, rows_of.astype(np.int64), span)


def given_cuts(interactions: DataFrame, at_s: Ints) -> Cuts:
    """Cut the interactions at given moments (epoch seconds, ascending); a slice may be empty. Looks at all of them once."""
    span = span_of(interactions)
    counted = interactions.groupBy(
        _slice_of(F.col("time_s"), Cuts(at_s, np.zeros(0, np.int64), span)).alias(SLICE)
    ).count()
    n_rows = np.zeros(len(at_s) + 1, np.int64)
    for number, n in counted.collect():
        n_rows[number] = n
    return Cuts(at_s, n_rows, span)


def of_users_since(interactions: DataFrame, time_s: int) -> DataFrame:
    """All interactions of the users who have one from that second on."""
    active = interactions.where(F.col("time_s") >= time_s).select(USER).distinct()
    return interactions.join(active, USER, "left_semi")


def to_timelines(interactions: DataFrame, cuts: Cuts, reach: int, n_partitions: int) -> DataFrame:
    """Cut the interactions into slices, and copy to each the history that it needs.

    In:   as `interactions_until` gives them.
    Out:  slice (long, from 0), learn (false: a copy, history alone), then what came. All rows of a user are in one of
          `n_partitions` partitions, sorted by slice, user, time and key. Before a user's first row of a slice lie that user's
          `reach` rows before, or all there are; nothing else is copied.
    Cost: one shuffle of the interactions; at most `reach` copies for each slice and each user in it.
    """
    of_user = Window.partitionBy(USER).orderBy("time_s", KEY)
    later = F.collect_set(SLICE).over(of_user.rowsBetween(1, reach))
    rows = interactions.repartition(n_partitions, USER).withColumn(SLICE, _slice_of(F.col("time_s"), cuts))
    copied = rows.withColumn("into", F.array_union(F.array(SLICE), later)).withColumn("into", F.explode("into"))
    told = copied.select(
        F.col("into").alias(SLICE), (F.col("into") == F.col(SLICE)).alias(LEARN), *interactions.columns
    )
    return told.sortWithinPartitions(SLICE, USER, "time_s", KEY)


def _slice_of(time_s: Column, cuts: Cuts) -> Column:
    """The number of cuts at or before a second."""
    at_s = F.array(*[F.lit(int(cut)).cast("long") for cut in cuts.at_s])
    return F.size(F.filter(at_s, lambda cut: cut <= time_s)).cast("long")


def _key() -> Column:
    """As `entry_keys` makes them; beyond 2038 the sign bit is used, so sort by time_s first."""
    event = F.shiftleft(F.col("event_hash").bitwiseAND(F.lit(0xFFFFFF)), 8)
    return F.shiftleft(F.col("time_s"), 32).bitwiseOR(event).bitwiseOR(F.col("code"))


def _utc(moment: datetime) -> Column:
    """Spark would take it for a time of this machine's zone."""
    return F.lit(moment.replace(tzinfo=timezone.utc))


def _in_sample(share: float) -> Column:
    return F.pmod(F.xxhash64(F.lit("sample"), "user"), F.lit(PARTS_OF_SAMPLE)) < F.lit(round(share * PARTS_OF_SAMPLE))
