"""How well the lists fit that were really served: the progressive NDCG, as a series that Delta keeps.

The heartbeat of the hot path has the progressive figures of its last micro-batch only, and a registered version those of one
moment. What is filed has all of them: a list was made before the choices that came after it, so to look a choice up in the newest
list before it is to test, then train (Dawid 1984), and can be done again at any time with the same result.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

SLICE_SECONDS = 600
CHOICES = ("product_view", "click", "add_to_cart", "purchase")


def served_ndcg(events: DataFrame, lists: DataFrame, k: int) -> DataFrame:
    """Sum up NDCG@k of choices in slices of time.

    In:   the tables `events` and `lists`, of the time that is looked at.
    Out:  slice_s (epoch seconds, begin), n (choices), ndcg (sum over them). A choice is the first interaction of a user with an
          item while a list is the newest: 1 / log₂(1 + place in the list, from 1), and 0 beyond k. Who had no list chose nothing.
    """
    made = lists.select("user", F.col("made_at").alias("time"), "list_id", "items", _no_item())
    chosen = events.where(F.col("event_type").isin(*CHOICES) & F.col("item_id").isNotNull()).select(
        "user",
        F.col("event_time").alias("time"),
        F.lit(None).cast("string").alias("list_id"),
        F.lit(None).cast("array<string>").alias("items"),
        F.col("item_id").alias("chosen"),
    )
    # Of the same instant the choice is first: a list that it caused is not held against it.
    before = Window.partitionBy("user").orderBy("time", F.col("chosen").isNull(), "list_id", "chosen")
    newest = [F.last(name, ignorenulls=True).over(before).alias(name) for name in ("list_id", "items")]
    served = made.unionByName(chosen).select("user", "time", "chosen", *newest)
    first = served.where(F.col("chosen").isNotNull() & F.col("list_id").isNotNull())
    choices = first.groupBy("user", "list_id", "chosen").agg(
        F.min("time").alias("time"), F.first("items").alias("items")
    )
    slices = (F.floor(F.unix_seconds("time") / SLICE_SECONDS) * SLICE_SECONDS).cast("long").alias("slice_s")
    gains = choices.select(slices, _ndcg(k).alias("ndcg"))
    return gains.groupBy("slice_s").agg(F.count("*").alias("n"), F.sum("ndcg").alias("ndcg"))


def _no_item() -> Column:
    return F.lit(None).cast("string").alias("chosen")


def _ndcg(k: int) -> Column:
    rank = F.array_position("items", F.col("chosen"))
    return F.when((rank > 0) & (rank <= k), 1 / F.log2(rank + 1)).otherwise(F.lit(0.0))
