"""Puts rows in order by a feature: what the ranks and the fallback lists in Redis are made of.

A decayed sum s as of T is ranked by its log form, z = T + h · log2(s), the instant at which it is, was or will be worth 1:
no passing of time changes it, and so the order is true for as long as no event comes. The value at t is 2^((z − t)/h).
"""

import math

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from pipelines.errors import ConfigError
from pipelines.features.aggregates import values_at
from pipelines.features.counted import SEGMENT
from pipelines.features.definitions import Definitions, Feature, Rank, sums_of
from pipelines.features.entries import DecayedCount, DecayedSum, LastTime, LastValue, Rate


def is_decayed(feature: Feature) -> bool:
    """Whether the feature is ranked by its log form."""
    return isinstance(feature.entry, DecayedSum | DecayedCount)


def check_ranked(definitions: Definitions) -> None:
    """Raise ConfigError where a rank or the fallback lists are of a feature that has no order of this kind."""
    for rank in definitions.ranks:
        entry, keys = rank.feature.entry, definitions.entities[rank.feature.entity]
        if isinstance(entry, LastTime) or (isinstance(entry, LastValue) and entry.type == "string"):
            raise ConfigError(f"features: ranks: {rank.name}: expected a number, and {rank.feature.name} is none")
        if len(keys) != 1:
            raise ConfigError(
                f"features: ranks: {rank.name}: expected an entity of one key, and {rank.feature.entity} has {', '.join(keys)}"
            )
    if definitions.exploration:
        feature = definitions.feature(definitions.exploration.feature)
        keys = definitions.entities[feature.entity]
        if not isinstance(feature.entry, Rate) or len(keys) != 1:
            raise ConfigError(
                f"features: exploration: expected a rate of an entity [item], and {feature.name} is a {feature.kind} of "
                f"[{', '.join(keys)}]"
            )
    if definitions.fallbacks:
        feature = definitions.feature(definitions.fallbacks.feature)
        keys = definitions.entities[feature.entity]
        if not is_decayed(feature) or len(keys) != 2 or keys[0] != SEGMENT:
            raise ConfigError(
                f"features: fallbacks: expected a decayed sum or count of an entity [{SEGMENT}, item], and {feature.name} "
                f"is a {feature.kind} of [{', '.join(keys)}]"
            )


def newest_as_of(rows: DataFrame) -> DataFrame:
    """One row: `as_of_s`, the newest `as_of` of `rows` in epoch seconds; null where there is no row."""
    return rows.agg(F.unix_seconds(F.max("as_of")).alias("as_of_s"))


def best_rows(rows: DataFrame, definitions: Definitions, rank: Rank, at_s: int) -> DataFrame:
    """Pick the rows that a rank holds.

    In:   rows of the table of the rank's entity.
    Out:  member (string), score (double); at most `rank.top` rows, best first, of equal ones the later by name.
    The score of a decayed feature is its log form, of positive values only; any other is the value at `at_s`, which makes
    the rates of all rows comparable.
    """
    feature = rank.feature
    (key,) = definitions.entities[feature.entity]
    if is_decayed(feature):
        scored = _in_log_form(rows, feature, key)
    else:
        now = values_at(rows, definitions, feature.entity, F.timestamp_seconds(F.lit(at_s)))
        scored = now.select(F.col(key).alias("member"), F.col(feature.name).cast("double").alias("score"))
    return scored.where(_is_finite("score")).orderBy(F.desc("score"), F.desc("member")).limit(rank.top)


def fallback_lists(rows: DataFrame, definitions: Definitions, at_s: int) -> DataFrame:
    """Make a list for each of the segments in which most happens.

    In:   rows of the table of the fallbacks' entity.
    Out:  segment, items (array of string), scores (array of double: the values at `at_s`); `n` items at most, best first,
          of equal ones the earlier by name. Segments without a positive value have no list.
    """
    fallbacks = definitions.fallbacks
    if fallbacks is None:
        raise ConfigError("features: no `fallbacks` in the definitions")
    feature = definitions.feature(fallbacks.feature)
    segment, item = definitions.entities[feature.entity]
    scored = _in_log_form(rows, feature, item, segment)
    value = F.pow(F.lit(2.0), (F.col("score") - at_s) / F.lit(feature.half_life_s))
    largest = (
        scored.groupBy(segment)
        .agg(F.sum(value).alias("total"))
        .orderBy(F.desc("total"), segment)
        .limit(fallbacks.max_segments)
    )
    place = F.row_number().over(Window.partitionBy(segment).orderBy(F.desc("score"), "member"))
    best = scored.withColumn("place", place).where(F.col("place") <= fallbacks.n)
    entries = F.array_sort(F.collect_list(F.struct("place", "member", value.alias("value"))))
    lists = best.join(F.broadcast(largest), segment).groupBy(segment).agg(entries.alias("entries"))
    return lists.select(
        F.col(segment).alias("segment"), F.col("entries.member").alias("items"), F.col("entries.value").alias("scores")
    )


def trial_counts(rows: DataFrame, definitions: Definitions, at_s: int) -> DataFrame:
    """Tell how items did where they were shown.

    In:   rows of the table of the exploration's entity.
    Out:  item (string), clicks, impressions (double): decayed to `at_s`, of items that were shown; at most `top`, those with the
          newest events first.
    """
    exploration = definitions.exploration
    if exploration is None:
        raise ConfigError("features: no `exploration` in the definitions")
    feature = definitions.feature(exploration.feature)
    (item,) = definitions.entities[feature.entity]
    clicks, impressions = (part.column for part in sums_of(feature))
    decay = F.pow(F.lit(2.0), (F.unix_seconds("as_of") - at_s) / F.lit(feature.half_life_s))
    counted = rows.where((F.col(impressions) > 0) & _is_finite(impressions)).orderBy(F.desc("as_of"), item)
    now = [(F.coalesce(F.col(name), F.lit(0.0)) * decay) for name in (clicks, impressions)]
    return counted.limit(exploration.top).select(
        F.col(item).alias("item"), now[0].alias("clicks"), now[1].alias("impressions")
    )


def _in_log_form(rows: DataFrame, feature: Feature, member: str, *others: str) -> DataFrame:
    """`others`, member, score: the rows whose value is positive."""
    score = F.unix_seconds("as_of") + F.lit(feature.half_life_s) * F.log2(feature.name)
    positive = rows.where((F.col(feature.name) > 0) & _is_finite(feature.name))
    return positive.select(*others, F.col(member).alias("member"), score.alias("score"))


def _is_finite(name: str) -> Column:
    """Neither null nor NaN, which Spark takes for the largest of all numbers, nor infinite."""
    return F.abs(F.col(name)) < F.lit(math.inf)
