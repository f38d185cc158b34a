"""From the table `events` to the rows that profiles are rebuilt from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines.features.gathering import with_gifts
from pipelines.features.interactions import LOGIN, to_arrivals, to_interactions
from pipelines.schemas import INTERACTION_TYPES

FILED_COLUMNS = (
    "user", "item_hash", "event_hash", "code", "time_s", "source", "offset", "is_named", "is_login", "giver", "becomes",
    "since_s",
)  # fmt: skip


@dataclass(frozen=True)
class TopicPosition:
    """The topic that the hot path reads, and how far it has read."""

    name: str
    tag: int  # of the topic's Kafka id
    end_offsets: Mapping[int, int]  # what the topic holds: an offset beyond is of an earlier topic of the same name
    reached: Mapping[int, int]  # the hot path folds from here on by itself; empty where it never ran


def to_filed_interactions(
    events: DataFrame, topic: TopicPosition, n_slices: int, users: DataFrame | None = None
) -> DataFrame:
    """Take the interactions that the hot path has behind it, cut by user into slices, with what visitors gave to users.

    In:   rows of the table `events`; `users` (user): of whom alone.
    Out:  slice (0 … n_slices − 1), user, item_hash, event_hash, code, time_s, source (0: of another topic, or a gift), offset,
          since_s, all long but user; giver, becomes (string); is_named, is_login (boolean): see gathering.with_gifts. All rows
          of a user are in one slice; each partition is sorted by slice.
    """
    of_topic = F.col("topic") == topic.name
    is_ahead = of_topic & _at_or_after(topic.reached) if topic.reached else F.lit(False)
    is_known = of_topic & ~_at_or_after(topic.end_offsets)
    source = F.shiftleft(F.col("partition").cast("long"), 32).bitwiseOR(F.lit(topic.tag).cast("long"))
    filed = events.where(~is_ahead).select(
        "*", F.when(is_known, source).otherwise(F.lit(0).cast("long")).alias("source")
    )
    rows = with_gifts(to_arrivals(filed, "source"))
    if users is not None:  # and the users whom visitors among them became: a visitor and its user are rebuilt together
        became = rows.join(users.withColumnRenamed("user", "giver"), "giver", "left_semi").select("user")
        rows = rows.join(users.union(became).distinct(), "user", "left_semi")
    rows = rows.withColumn("slice", F.pmod(F.xxhash64("user"), F.lit(n_slices))).select("slice", *FILED_COLUMNS)
    return rows.repartition(n_slices, "slice").sortWithinPartitions("slice")


def active_users(events: DataFrame, since: datetime | None, until: datetime | None) -> DataFrame | None:
    """Users (user) who did something from `since` on and before `until` (event time, UTC); None: no bounds."""
    if not since and not until:
        return None
    inside = reduce(
        lambda both, one: both & one,
        [F.col("event_time") >= F.lit(since)] * bool(since) + [F.col("event_time") < F.lit(until)] * bool(until),
        F.lit(True),
    )
    return events.where(inside).select("user").distinct()


def _at_or_after(offsets: Mapping[int, int]) -> Column:
    """Rows whose offset is not below that of their partition; a partition that is not named has none below."""
    limit = F.lit(0)
    for partition, offset in offsets.items():
        limit = F.when(F.col("partition") == partition, F.lit(offset)).otherwise(limit)
    return F.col("offset") >= limit


def sample_users(events: DataFrame, n_users: int, seed: int) -> list[str]:
    """Choose at most `n_users` users with an interaction, evenly; the same ones for the same seed."""
    users = events.where(F.col("event_type").isin(*INTERACTION_TYPES)).select("user").distinct()
    chosen = users.orderBy(F.xxhash64(F.lit(seed), "user"), "user").limit(n_users)
    return [row.user for row in chosen.collect()]


def interactions_of(events: DataFrame, users: list[str]) -> DataFrame:
    """Take the interactions of `users`, as `to_interactions` shapes them, with their `topic`."""
    chosen = events.sparkSession.createDataFrame([(user,) for user in users], "user string")
    return to_interactions(events.join(F.broadcast(chosen), "user", "left_semi"), "topic")


def visitors_who_logged_in(events: DataFrame, users: list[str]) -> set[str]:
    """Those of `users` whom a login told to be somebody else."""
    chosen = events.sparkSession.createDataFrame([(user,) for user in users], "anonymous_id string")
    logins = events.where((F.col("event_type") == LOGIN) & (F.col("user_id") != F.col("anonymous_id")))
    found = logins.join(F.broadcast(chosen), "anonymous_id", "left_semi").select("anonymous_id").distinct()
    return {row.anonymous_id for row in found.collect()}
