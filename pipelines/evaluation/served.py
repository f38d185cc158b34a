"""What was really served, and what came of it: places of lists that were seen, and which of them were clicked or bought.

A place is one item of one list before one user. It counts once, however often it was seen, and only if an impression says that
it was; a click, cart or purchase counts where its event carries the list's `list_id`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines.evaluation.figures import ALL, Figure
from pipelines.evaluation.intervals import ratio_intervals

PERSONAL, SEGMENT, TRENDING, OTHER = "personal", "segment", "trending", "other"
RATES = {"click_through": "click", "cart_rate": "add_to_cart", "conversion": "purchase"}  # metric → event type
N_GROUPS = 1_000  # of users, by hash: what intervals are made of
OLDEST_LIST_DAYS = 30
BANDS = ((0, 3), (3, 10), (10, None))  # places from, and before


@dataclass(frozen=True)
class ServedFigure:
    """A rate of the lists of one source, made by one version of the model (None: by all together)."""

    version: int | None
    figure: Figure  # its ranking is the source; n: places that were seen


def served_places(events: DataFrame, lists: DataFrame, since: datetime, as_of: datetime) -> DataFrame:
    """One row for each place that was seen from `since` on and before `as_of` (UTC).

    In:   rows of the tables `events` and `lists`.
    Out:  user, source, version (long, null where the list is of no model), reason (pin, explore, boost or none; null where the
          list is not in `lists`), place (long, from 0), and 0 or 1 for each type of RATES.
    """
    told = events.where((F.col("event_time") >= since) & (F.col("event_time") < as_of))
    told = told.where(F.col("list_id").isNotNull() & F.col("item_id").isNotNull())
    kinds = ("impression", *RATES.values())
    did = [F.max((F.col("event_type") == kind).cast("long")).alias(kind) for kind in kinds]
    places = told.where(F.col("event_type").isin(*kinds)).groupBy("user", "list_id", "item_id")
    seen = places.agg(*did, F.min(F.when(F.col("event_type") == "impression", F.col("position"))).alias("position"))
    made = lists.where((F.col("made_at") >= since - timedelta(days=OLDEST_LIST_DAYS)) & (F.col("made_at") < as_of))
    made = made.select("list_id", F.col("source").alias("made_source"), "model", "items", "reasons").dropDuplicates(
        ["list_id"]
    )
    rows = seen.where("impression = 1").join(made, "list_id", "left")
    in_list = F.array_position("items", F.col("item_id")) - 1
    place = F.coalesce(F.when(in_list >= 0, in_list), "position")
    version = F.regexp_extract("model", r"^(\d+)-", 1)
    return rows.withColumn("place", place).select(
        "user",
        F.coalesce("made_source", _source_of_id(F.col("list_id"))).alias("source"),
        F.when(version != "", version).cast("long").alias("version"),
        _reason(F.col("place")).alias("reason"),
        "place",
        *RATES.values(),
    )


def grouped(places: DataFrame) -> pa.Table:
    """Sums over groups of users: at most N_GROUPS rows for each source, version and segment, so the driver may hold them.

    Out: source, version, segment, users (how many), seen, and a sum for each type of RATES.
    """
    band = F.lit(None).cast("string")
    for first, end in reversed(BANDS):
        name = f"places {first + 1}" + (f" to {end}" if end else " on")
        band = F.when(
            F.col("place") >= first if end is None else F.col("place").between(first, end - 1), name
        ).otherwise(band)
    reason = F.when(F.col("reason").isNotNull(), F.concat(F.lit("reason:"), "reason"))
    segments = F.array_compact(F.array(F.lit(ALL), reason, band))
    versions = F.array_distinct(F.array(F.col("version"), F.lit(None).cast("long")))
    sums = [F.count("user").alias("seen"), *[F.sum(kind).alias(kind) for kind in RATES.values()]]
    of_user = (
        places.withColumn("segment", F.explode(segments))
        .withColumn("version", F.explode(versions))
        .groupBy("user", "source", "version", "segment")
        .agg(*sums)
    )
    group = F.pmod(F.xxhash64("user"), F.lit(N_GROUPS))
    of_group = [F.count("user").alias("users"), *[F.sum(name).alias(name) for name in ("seen", *RATES.values())]]
    return of_user.groupBy(group.alias("of"), "source", "version", "segment").agg(*of_group).toArrow()


def served_figures(sums: pa.Table, seed: int = 0) -> list[ServedFigure]:
    """Each rate of each source, version and segment, by source, version and segment, with its interval.

    The interval is that of a bootstrap over the groups of `grouped`, which are users drawn by a hash: random groups, Wolter,
    "Introduction to Variance Estimation", 2007, chapter 2. With few users a group is a user.
    """
    rows = sums.to_pandas()
    found = []
    for (source, version, segment), own in rows.groupby(["source", "version", "segment"], dropna=False, sort=True):
        number = None if version is None or np.isnan(version) else int(version)
        found += [ServedFigure(number, figure) for figure in _rates(str(source), str(segment), own, seed)]
    return found


def _rates(source: str, segment: str, own: "pa.Table", seed: int) -> Iterator[Figure]:
    own = own.sort_values("of")  # the order of the rows must not matter
    totals = own[list(RATES.values())].to_numpy(np.float64)
    seen = np.repeat(own["seen"].to_numpy(np.float64)[:, None], len(RATES), axis=1)
    n, n_users = int(own["seen"].sum()), int(own["users"].sum())
    for metric, interval in zip(RATES, ratio_intervals(totals, seen, seed=seed), strict=True):
        yield Figure(source, segment, metric, interval.mean, interval.low, interval.high, n, n_users)


def _source_of_id(list_id: Column) -> Column:
    """Of a list that is not in `lists`: those that stand in for personal ones say it in their ids; others are the shop's own."""
    is_segment, is_trending = list_id.rlike(r"^features-v\d+-\d+-"), list_id.rlike(r"^trending-\d+$")
    return F.when(is_segment, F.lit(SEGMENT)).when(is_trending, F.lit(TRENDING)).otherwise(F.lit(OTHER))


def _reason(place: Column) -> Column:
    """A place that is there for several reasons counts for the first of them."""
    found = F.when(F.col("reasons").isNull(), F.lit(None).cast("string"))
    for name in ("pin", "explore", "boost"):
        places = F.coalesce(F.col("reasons")[name], F.array().cast("array<long>"))
        found = found.when(F.array_contains(places, place), name)
    return found.otherwise("none")
