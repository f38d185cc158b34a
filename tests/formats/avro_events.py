"""Events as a producer with Avro writes them; encoded by fastavro, not by Spark."""

import io
import json
from typing import Any

import fastavro

CONTEXT = {
    "type": "record",
    "name": "Context",
    "fields": [
        {"name": name, "type": ["null", "string"], "default": None}
        for name in ("device_type", "location", "referrer", "page_url")
    ],
}


def optional(name: str, kind: Any) -> dict:
    return {"name": name, "type": ["null", kind], "default": None}


FIELDS = [
    {"name": "event_id", "type": "string"},
    {"name": "event_type", "type": "string"},
    *[optional(name, "string") for name in ("user_id", "anonymous_id", "session_id")],
    {"name": "event_time", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    optional("item_id", "string"),
    optional("quantity", "long"),
    optional("price", "double"),
    *[optional(name, "string") for name in ("currency", "query", "list_id")],
    optional("position", "int"),
    optional("context", CONTEXT),
]


def a_schema(*more: dict, **changed: Any) -> dict:
    """The contract as an Avro record, with `more` fields behind it and some fields' types `changed`."""
    fields = [{"name": f["name"], "type": changed[f["name"]]} if f["name"] in changed else f for f in FIELDS]
    return {"type": "record", "name": "Event", "namespace": "shop.events", "fields": [*fields, *more]}


def encoded(schema: dict, event: dict) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), event)
    return out.getvalue()


def framed(schema_id: int, payload: bytes) -> bytes:
    return b"\x00" + schema_id.to_bytes(4, "big") + payload


def avro_value(schema_id: int, schema: dict, event: dict) -> bytes:
    return framed(schema_id, encoded(schema, event))


def definitions(schema: dict) -> tuple[tuple[str, str], ...]:
    return (("", json.dumps(schema)),)
