"""Confluent's wire format: a zero byte, the schema's id (4 bytes, big-endian), the payload. From there to JSON text.

The text goes the way of every event (parse.py), so that rules, limits and unknown fields mean the same in all formats.
"""

import json
from collections.abc import Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro

from pipelines.errors import SchemaError
from pipelines.events.parse import MAX_PARSED_BYTES, TEXT

Definitions = Sequence[tuple[str, str]]  # (name, definition) of what a schema refers to, then of the schema itself

HEADER_BYTES = 5
# What Spark reads behind the payload: it ends there exactly if these bytes come back.
_END = b"liveshelf"
_AVRO_OPTIONS = {"mode": "PERMISSIVE", "datetimeRebaseMode": "CORRECTED"}
_JSON_OPTIONS = {
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
    "timeZone": "UTC",
}
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def header_of(schema_id: int) -> bytes:
    """The first five bytes of a value written with the schema `schema_id`."""
    return b"\x00" + schema_id.to_bytes(4, "big")


def with_avro_text(records: DataFrame, schemas: Mapping[int, Definitions]) -> DataFrame:
    """Add TEXT: the Avro event in `value` as JSON, with every field that its writer gave it, by the writer's names.

    In:   Kafka's columns; schema id → its definitions.
    Out:  TEXT is null where `value` is null or too large, has another id, or is not one whole record of its schema: cut
          short, followed by something, not UTF-8. A field that is null is left out; timestamps are ISO 8601, enums text,
          bytes base64. Each value is decoded once, by the schema it was written with.
    Raises SchemaError for a schema that describes no record.
    """
    reads = {f"_avro_{schema_id}": _read(schema_id, definitions) for schema_id, definitions in schemas.items()}
    rows = records.select("*", *[column.alias(name) for name, column in reads.items()])
    whole = [
        F.when(F.col(name)["end"] == F.lit(_END), F.to_json(F.col(name)["event"], _JSON_OPTIONS)) for name in reads
    ]
    rows = rows.select("*", F.coalesce(*whole, F.lit(None).cast("string")).alias("_json"))
    # On the way to JSON, bytes that are no UTF-8 become U+FFFD: an id changed in silence. A U+FFFD that was sent may stay.
    is_changed = F.contains("_json", F.lit(_REPLACEMENT)) & ~F.contains("value", F.lit(_REPLACEMENT.encode()))
    return rows.select(*records.columns, F.when(~is_changed, F.col("_json")).alias(TEXT))


def _read(schema_id: int, definitions: Definitions) -> Column:
    header, defined = header_of(schema_id), bytes(len(definitions) - 1)
    is_its = (F.octet_length("value") <= MAX_PARSED_BYTES) & (F.substring("value", 1, HEADER_BYTES) == F.lit(header))
    payload = F.substring(F.col("value"), F.lit(HEADER_BYTES + 1), F.octet_length("value"))
    return from_avro(
        F.when(is_its, F.concat(F.lit(defined), payload, F.lit(_END))), _envelope(definitions), _AVRO_OPTIONS
    )


def _envelope(definitions: Definitions) -> str:
    """The schema around the event.

    A record adds no bytes of its own, so the event's are read as they are. Without it a damaged event would be one whose
    fields are all null. What the event's schema refers to is defined in fields before it, each null: one zero byte.
    """
    *referenced, event = [json.loads(definition) for _, definition in definitions]
    if not isinstance(event, dict) or event.get("type") != "record":
        raise SchemaError("it describes no record: an event has fields, by name")
    before = [{"name": f"defined_{n}", "type": ["null", kind]} for n, kind in enumerate(referenced)]
    end = {"type": "fixed", "name": "LiveshelfEnd", "size": len(_END)}
    fields = [*before, {"name": "event", "type": event}, {"name": "end", "type": end}]
    return json.dumps({"type": "record", "name": "LiveshelfEnvelope", "fields": fields})
