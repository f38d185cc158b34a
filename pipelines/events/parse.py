"""From the bytes of a Kafka record to the columns that the rules look at. No record fails the stream."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, StringType, StructField, StructType

from pipelines.schemas import Contract

# Larger records are not parsed: JSON of any size must not cost what a size limit is there to save. The suite's rule
# record_within_size has the same figure.
MAX_PARSED_BYTES = 1_048_576

TEXT = "_text"  # the event as JSON text, a column of records whose value is not JSON itself (wire.py, protobuf.py)

_CORRUPT = "_corrupt_record"
_JSON_OPTIONS = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": _CORRUPT, "allowSingleQuotes": "false"}
_MAX_EPOCH_MS = 253_402_300_800_000.0  # the year 10000: beyond it, a cast to timestamp could overflow
# An empty text says no more than a missing field, and many clients send one for the other.
_EMPTY_IS_MISSING = ("event_id", "user_id", "anonymous_id", "session_id", "item_id", "query")


def parse_records(records: DataFrame, contract: Contract | None = None) -> DataFrame:
    """Parse Kafka records and derive what the rules need. Raises nothing for any content.

    In:   Kafka's columns: key, value, topic, partition, offset, timestamp; where the value is not JSON itself, TEXT.
    Out:  Contract.checked, one row per record, and TEXT if it was there. A record is parsed (`is_parsed`) when its text is
          one JSON object, in UTF-8, of a value of at most MAX_PARSED_BYTES, whose known fields have the contract's types;
          of any other, the event's columns are null. A parsed event without a type has the type "". Of a key given twice,
          the last counts (as in every browser). event_time is read from ISO 8601 (UTC where it names no zone) or epoch
          milliseconds, null where it is neither.
    """
    contract = contract or Contract()
    rows = records.select("*", _parsed_value(text_of(records), contract).alias("parsed"))
    is_whole = F.col("parsed.end") & F.col(f"parsed.{_CORRUPT}").isNull()
    rows = rows.select("*", F.when(is_whole, F.col("parsed.event")).alias("event"))
    rows = rows.select("*", _time_of(F.col("event.event_time")).alias("event_time"))
    derived = _derived_columns()
    columns = [derived.get(name, F.col(f"event.{name}")).alias(name) for name in contract.checked.names]
    return rows.select(*columns, *[name for name in rows.columns if name == TEXT])


def text_of(rows: DataFrame) -> Column:
    """The event as JSON text: TEXT, else the value itself."""
    return F.col(TEXT) if TEXT in rows.columns else F.col("value").cast("string")


def _parsed_value(text: Column, contract: Contract) -> Column:
    # Spark reads one JSON value and ignores what follows it: of two events in one record the second would vanish.
    # Inside an outer object the parser meets what follows and refuses it, or never comes to the end.
    wrapped = F.concat(F.lit('{"event":'), text, F.lit(',"end":true}'))
    is_readable = (F.octet_length("value") <= MAX_PARSED_BYTES) & F.is_valid_utf8(text)
    return F.when(is_readable & _barrier(), F.from_json(wrapped, _wrapped(contract), _JSON_OPTIONS))


def _wrapped(contract: Contract) -> StructType:
    fields = [("event", contract.json), ("end", BooleanType()), (_CORRUPT, StringType())]
    return StructType([StructField(name, kind) for name, kind in fields])


def _barrier() -> Column:
    """Return true. Spark moves no filter below it.

    Without it `where` on parsed columns, above all on the rules, is moved below the parse, which is then repeated in the
    filter for each mention of a column: hundreds of times a record.
    """
    return F.spark_partition_id() >= 0  # not deterministic, as far as Spark knows


def _derived_columns() -> dict[str, Column]:
    event_time, ingest_time, is_parsed = (
        F.col("event_time"),
        F.col("timestamp"),
        F.col("event").isNotNull() & _barrier(),
    )
    texts = {name: F.nullif(F.col(f"event.{name}"), F.lit("")) for name in _EMPTY_IS_MISSING}
    return {
        **texts,
        **{name: F.col(name) for name in ("key", "value", "topic", "partition", "offset", "event_time")},
        "value_bytes": F.coalesce(F.octet_length("value"), F.lit(0)).cast("long"),
        "is_parsed": is_parsed,
        "event_type": F.when(is_parsed, F.coalesce("event.event_type", F.lit(""))),
        # infinity: NaN is a missing value to some engines, and greater than any number to others
        "price": F.nanvl("event.price", F.lit(float("inf"))),
        "event_time_ms": F.unix_millis(event_time),
        "event_date": event_time.cast("date"),
        "seconds_ahead": seconds_between(ingest_time, event_time),
        "lateness_seconds": F.when(
            event_time.isNotNull(), F.greatest(seconds_between(event_time, ingest_time), F.lit(0.0))
        ),
        "user": F.coalesce(texts["user_id"], texts["anonymous_id"]),
        "ingest_time": ingest_time,
    }


def seconds_between(first: Column, then: Column) -> Column:
    """From one timestamp to another, to the microsecond; negative where the second is earlier."""
    return (F.unix_micros(then) - F.unix_micros(first)) / 1e6


def _time_of(text: Column) -> Column:
    # Spark would also read "10:30" (as of today, another instant at every replay), so the shape of a date is asked for.
    is_dated = (F.substring(text, 5, 1) == "-") & (F.substring(text, 8, 1) == "-")
    epoch_ms = text.try_cast("double")
    from_epoch = F.when(F.abs(epoch_ms) < _MAX_EPOCH_MS, F.timestamp_micros((epoch_ms * 1000).cast("long")))
    return F.when(is_dated, text.try_cast("timestamp")).otherwise(from_epoch)
