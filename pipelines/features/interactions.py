"""From valid events to the slim rows that the hot path folds."""

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines.schemas import INTERACTION_CODES


def to_interactions(events: DataFrame, *more: str) -> DataFrame:
    """Keep the events that say something about taste, with ids hashed to 64 bits.

    In:   valid events as `parse_records` shapes them.
    Out:  user, item (string), item_hash, event_hash (long), code, time_s (event time, epoch s), ingest_ms, partition,
          offset (all long: Arrow's int64 is not accepted for an `int`), and the columns `more` as they are.
    """
    return events.where(F.col("event_type").isin(*INTERACTION_CODES)).select(
        "user",
        F.col("item_id").alias("item"),
        F.xxhash64("item_id").alias("item_hash"),
        F.xxhash64("event_id").alias("event_hash"),
        _code_of(F.col("event_type")).alias("code"),
        F.unix_seconds("event_time").alias("time_s"),
        F.unix_millis("ingest_time").alias("ingest_ms"),
        F.col("partition").cast("long").alias("partition"),
        "offset",
        *more,
    )


def _code_of(event_type: Column) -> Column:
    first, *rest = INTERACTION_CODES.items()
    start = F.when(event_type == first[0], F.lit(first[1]).cast("long"))
    return reduce(lambda column, pair: column.when(event_type == pair[0], F.lit(pair[1]).cast("long")), rest, start)
