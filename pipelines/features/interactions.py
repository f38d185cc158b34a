"""From valid events to the slim rows that the hot path folds."""

from functools import reduce

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField

from pipelines.features.counted import field_of
from pipelines.features.definitions import Definitions
from pipelines.features.profile import Words
from pipelines.model_sections import ModelConfig
from pipelines.schemas import INTERACTION_CODES, Contract

CATEGORY, BRAND, CONTEXT = "category_hash", "brand_hash", "context_hash"
LOGIN, IMPRESSION = "identify", "impression"  # event types
IMPRESSION_CODE = 0  # among the codes of interactions: it is none
MAX_ID_CHARS = 128  # as the rule user_well_formed has it: it looks at the user alone


def to_interactions(events: DataFrame, *more: str | Column) -> DataFrame:
    """Keep the events that say something about taste, with ids hashed to 64 bits.

    In:   valid events as `parse_records` shapes them.
    Out:  user, item (string), item_hash, event_hash (long), code, time_s (event time, epoch s), ingest_ms, partition,
          offset (all long: Arrow's int64 is not accepted for an `int`), and the columns `more` as they are.
    """
    return _shaped(events.where(F.col("event_type").isin(*INTERACTION_CODES)), *more)


def to_arrivals(events: DataFrame, *more: str | Column, with_impressions: bool = False) -> DataFrame:
    """Keep what the hot path works on: interactions, logins, which say whose a visitor is, and impressions if asked for.

    In:   valid events as `parse_records` shapes them.
    Out:  as `to_interactions`, and: is_named (whether `user` is a user_id), visitor (string: of a login the anonymous_id that
          is `user`; null of all else). A login has no item and no code, an impression IMPRESSION_CODE.
    """
    ids = F.col("user_id").isNotNull() & (F.col("user_id") != F.col("anonymous_id"))
    is_login = (F.col("event_type") == LOGIN) & ids & (F.length("anonymous_id") <= MAX_ID_CHARS)
    kept = events.where(
        F.col("event_type").isin(*INTERACTION_CODES, *([IMPRESSION] if with_impressions else [])) | is_login
    )
    visitor = F.when(F.col("event_type") == LOGIN, F.col("anonymous_id")).alias("visitor")
    return _shaped(kept, F.col("user_id").isNotNull().alias("is_named"), visitor, *more)


def _shaped(events: DataFrame, *more: str | Column) -> DataFrame:
    return events.select(
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


def learned_contract(contract: Contract, definitions: Definitions, model: ModelConfig) -> Contract:
    """Add the fields that the model reads to the contract: to be parsed with the rest, for there is no `extra` on the way."""
    paths = [definitions.document.fields.get(name, name) for name in _learned_fields(model).values() if name]
    taken = {name.lower() for name in contract.checked.names}
    more = [path for path in dict.fromkeys(paths) if path.split(".")[0].lower() not in taken]
    return Contract((*contract.optional, *(StructField(name, StringType()) for name in more)))


def _learned_fields(model: ModelConfig) -> dict[str, str | None]:
    named = {CATEGORY: model.category_field, BRAND: model.brand_field}
    return named | {f"{CONTEXT}_{number}": field for number, field in enumerate(model.context_fields)}


def learned_columns(events: DataFrame, definitions: Definitions, model: ModelConfig) -> list[Column]:
    """What a model learns from an event besides user, item, type and time, for `to_interactions`.

    category_hash, brand_hash, and context_hash_0 … for the fields under `model.context_fields`, in that order: long, 0 where
    the event does not say.
    """
    return [_hash_of(events, definitions, field).alias(name) for name, field in _learned_fields(model).items()]


def context_hashes(rows: pa.Table) -> Words:
    """(n, F) the context columns of `learned_columns`, as an array."""
    columns = [rows[name].to_numpy().view(np.uint64) for name in rows.schema.names if name.startswith(CONTEXT)]
    return np.stack(columns, axis=1) if columns else np.zeros((len(rows), 0), np.uint64)


def _hash_of(events: DataFrame, definitions: Definitions, field: str | None) -> Column:
    if field is None:
        return F.lit(0).cast("long")
    value = field_of(events, definitions, field).cast("string")
    return F.when(value.isNull() | (value == ""), F.lit(0).cast("long")).otherwise(F.xxhash64(value))


def _code_of(event_type: Column) -> Column:
    first, *rest = INTERACTION_CODES.items()
    start = F.when(event_type == first[0], F.lit(first[1]).cast("long"))
    rest = [*rest, (IMPRESSION, IMPRESSION_CODE)]
    return reduce(lambda column, pair: column.when(event_type == pair[0], F.lit(pair[1]).cast("long")), rest, start)
