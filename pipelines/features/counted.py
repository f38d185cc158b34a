"""From valid events to the rows that an entity counts: its keys, when, and what its features read of the event."""

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines.features.definitions import Definitions, Feature, Sum
from pipelines.features.entries import DistinctCount, LastValue, SessionLength

SEGMENT = "segment"  # the built-in field: an event is in several segments
EVERYBODY = "all"
AMOUNT = "amount"  # price × quantity


def counted_events(events: DataFrame, definitions: Definitions, entity: str) -> DataFrame:
    """Keep what counts for `entity`: one row per event, and per segment where that is a key.

    In:   rows of the table `events`.
    Out:  the entity's keys (string, never null), event_type, time_s (epoch seconds, floor), event_us, ingest_us, event_id,
          and the `input_column`s of the entity's features: `sum_…` (double), `last_…`, `hash_…` and `session` (long).
    """
    rows = events.where(F.col("event_type").isin(*definitions.event_types(entity)))
    keys = definitions.entities[entity]
    if SEGMENT in keys:
        rows = rows.withColumn(SEGMENT, F.explode(_segments(rows, definitions)))
    selected = {
        **{key: _key(rows, definitions, key) for key in keys},
        "event_type": F.col("event_type"),
        "time_s": F.unix_seconds("event_time"),
        "event_us": F.unix_micros("event_time"),
        "ingest_us": F.unix_micros("ingest_time"),
        "event_id": F.col("event_id"),
        **_inputs(rows, definitions, entity),
    }
    counted = rows.select(*[column.alias(name) for name, column in selected.items()])
    return counted.dropna(subset=list(keys))


def input_column(part: Sum | Feature) -> str | None:
    """The column of `counted_events` that a sum or a feature reads besides type and time; None where it needs none."""
    if isinstance(part, Sum):
        return f"sum_{part.value}" if part.value else None
    if isinstance(part.entry, LastValue):
        return f"last_{part.entry.field}"
    if isinstance(part.entry, DistinctCount):
        return f"hash_{part.entry.field}"
    return "session" if isinstance(part.entry, SessionLength) else None


def _inputs(rows: DataFrame, definitions: Definitions, entity: str) -> dict[str, Column]:
    parts: Sequence[Sum | Feature] = [*definitions.sums(entity), *definitions.of(entity)]
    return {name: _input(rows, definitions, part) for part in parts if (name := input_column(part))}


def _input(rows: DataFrame, definitions: Definitions, part: Sum | Feature) -> Column:
    if isinstance(part, Sum):
        return _number(rows, definitions, str(part.value))
    if isinstance(part.entry, LastValue):
        kind = "bigint" if part.entry.type == "long" else part.entry.type
        return field_of(rows, definitions, part.entry.field).cast(kind)
    if isinstance(part.entry, DistinctCount):
        value = field_of(rows, definitions, part.entry.field).cast("string")
        return F.when(value.isNotNull(), F.xxhash64(value))
    session = F.col("session_id")
    return F.when(session.isNotNull(), F.xxhash64(session))


def _number(rows: DataFrame, definitions: Definitions, field: str) -> Column:
    if field == AMOUNT:
        return F.col("price") * F.coalesce("quantity", F.lit(1))
    return field_of(rows, definitions, field).try_cast("double")


def field_of(rows: DataFrame, definitions: Definitions, name: str) -> Column:
    """What an event says under `name`: a column, a name of `fields`, or a field that the contract did not know.

    A field that became a column later lies in `extra` of older rows: both are looked at.
    """
    path = definitions.document.fields.get(name, name)
    unknown = F.get_json_object(F.element_at("extra", path), "$")
    if path.split(".")[0] not in rows.columns:
        return unknown
    return (
        F.col(path) if "." in path or "extra" not in rows.columns else F.coalesce(F.col(path).cast("string"), unknown)
    )


def _key(rows: DataFrame, definitions: Definitions, key: str) -> Column:
    return F.col(SEGMENT) if key == SEGMENT else field_of(rows, definitions, key).cast("string")


def _segments(rows: DataFrame, definitions: Definitions) -> Column:
    """`all`, and `name:value` of each segment field that the event has."""
    named = []
    for name in definitions.document.segments:
        value = field_of(rows, definitions, name).cast("string")
        named.append(F.when(value != "", F.concat(F.lit(f"{name}:"), value)))
    return F.array_compact(F.array(F.lit(EVERYBODY), *named))
