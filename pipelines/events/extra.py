"""Fields that the contract does not know: kept, not lost. A second look at the JSON, for the path to Delta only."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines.events.parse import TEXT, text_of
from pipelines.schemas import Contract

WHOLE_RECORD = "_record"  # the name under which a record is kept whole


def with_extra_fields(events: DataFrame, contract: Contract | None = None) -> DataFrame:
    """Add `extra`: unknown top-level fields → their values as JSON text; null where there are none.

    In:   rows of `parse_records`, with `value` and `is_parsed`; `contract` as given to it; its TEXT goes, if it was there.
    Where the fields cannot be told apart (a name given twice) there is one entry, WHOLE_RECORD, with the record's text.
    Costs a third of a parse more for each record, and two whole ones for each that has such fields.
    """
    known = (contract or Contract()).json.names
    text = text_of(events)
    # null where the value is not strict JSON
    n_unknown = F.size(F.array_except(F.json_object_keys(text), F.array(*[F.lit(name) for name in known])))
    has_unknown = F.col("is_parsed") & F.coalesce(n_unknown > 0, F.lit(True))
    rows = events.select("*", F.when(has_unknown, text).alias("_unknown_in"))
    rows = rows.select("*", F.from_json("_unknown_in", "map<string,variant>").alias("_fields"))
    unknown = F.map_filter("_fields", lambda name, _: ~name.isin(known))
    as_text = F.transform_values(unknown, lambda _, value: F.to_json(value))
    whole = F.create_map(F.lit(WHOLE_RECORD), F.col("_unknown_in"))
    kept = F.when(_is_clear(F.col("_fields")), as_text).when(F.col("_unknown_in").isNotNull(), whole)
    extra = F.when(F.size(kept) > 0, kept)  # text that is not strict JSON may still hold known fields alone
    return rows.withColumn("extra", extra).drop(TEXT, "_unknown_in", "_fields")


def _is_clear(fields: Column) -> Column:
    """Whether every name is there once, with a value (a JSON null is one)."""
    names, values = F.map_keys(fields), F.map_values(fields)
    return (F.size(F.array_distinct(names)) == F.size(names)) & ~F.exists(values, lambda value: value.isNull())
