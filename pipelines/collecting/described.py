"""What the OpenAPI page says of each route."""

from typing import Any

from pipelines.http.openapi import STATUS, TEXT, Answers, answers, content, route
from pipelines.schemas import EVENT_TYPES

SERVICE = (
    "Takes a shop's events to Kafka. A 2xx answer says that Kafka has them, on all its replicas; after any other, send the "
    "same again with the same `event_id`: repeated events are folded away. 429 and 503 carry `Retry-After` (seconds)."
)
_ID: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 128}
_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["event_id", "event_type"],
    "properties": {
        "event_id": {**_ID, "description": "made by the client, unique, the same with a retry"},
        "event_type": {"type": "string", "enum": list(EVENT_TYPES)},
        "user_id": {**_ID, "description": "the known user"},
        "anonymous_id": {**_ID, "description": "the visitor before login; one of the two is needed"},
        "session_id": _ID,
        "event_time": {
            "description": "ISO 8601 (UTC where it names no zone) or epoch milliseconds; missing: when the server got it",
            "oneOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}],
        },
        "item_id": {**_ID, "description": "needed by all types but page_view, search and identify"},
        "quantity": {"type": "integer", "minimum": 1, "maximum": 1_000_000},
        "price": {"type": "number", "minimum": 0, "maximum": 10_000_000_000, "description": "per piece"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
        "query": {"type": "string", "description": "needed by search"},
        "list_id": {"type": "string", "description": "the list that led here"},
        "position": {"type": "integer", "minimum": 0, "maximum": 100_000, "description": "rank in that list, from 0"},
        "context": {
            "type": "object",
            "properties": {"device_type": TEXT, "location": TEXT, "referrer": TEXT, "page_url": TEXT},
        },
        "consent": {"type": "boolean", "description": "false: nothing is kept that tells who did it"},
    },
    "example": {
        "event_id": "7f2c6a1e-6f0e-4a51-9a55-0b8c1d9a3c11",
        "event_type": "product_view",
        "anonymous_id": "a-41",
        "item_id": "mug-12",
        "price": 12.5,
        "currency": "EUR",
        "context": {"page_url": "https://shop.example/mug-12"},
    },
}
_REJECTED = {
    "type": "object",
    "required": ["index", "event_id", "field", "reason"],
    "properties": {
        "index": {"type": "integer", "description": "place in the request, from 0"},
        "event_id": {"type": ["string", "null"]},
        "field": {"type": "string", "description": "empty: the event as a whole"},
        "reason": TEXT,
    },
}
_VERDICTS: dict[str, Any] = {
    "type": "object",
    "required": ["accepted", "rejected", "dropped"],
    "properties": {
        "accepted": {"type": "integer", "description": "in Kafka now"},
        "rejected": {
            "type": "array",
            "items": _REJECTED,
            "description": "they break a rule; sent again, they would again",
        },
        "dropped": {"type": "integer", "description": "not kept at all, for want of consent"},
    },
}
_IGNORED = {"type": "object", "required": ["name", "reason"], "properties": {"name": TEXT, "reason": TEXT}}
_WEBHOOK_VERDICTS = {
    "type": "object",
    "required": [*_VERDICTS["required"], "ignored"],
    "properties": {**_VERDICTS["properties"], "ignored": {"type": "array", "items": _IGNORED}},
}
_KEY = [
    {"name": "X-Write-Key", "in": "header", "schema": TEXT, "description": "the site's write key"},
    {"name": "key", "in": "query", "schema": TEXT, "description": "the same, where no header can be set"},
]
_WHY = {
    400: "nothing could be read",
    401: "the write key or signature is missing or wrong",
    403: "the origin may not send events",
    404: "there is no such webhook",
    408: "the request came too slowly",
    413: "too large, unpacked too, or too many events",
    415: "an unknown Content-Encoding",
    429: "too many events for this key: send again later",
    503: "Kafka is away or slow, or too much waits: none is accepted, send all again",
}


def _answers(status: int, text: str, schema: dict[str, Any], *refusals: int) -> Answers:
    return answers(status, text, schema, {code: _WHY[code] for code in refusals})


_EVENTS_BODY = {
    "required": True,
    "content": {
        **content({"oneOf": [_EVENT, {"type": "array", "items": _EVENT, "maxItems": 500}]}),
        **content({"type": "string", "description": "one event a line"}, "application/x-ndjson"),
        **content({"type": "string", "description": "any of these, as navigator.sendBeacon sends it"}, "text/plain"),
    },
}
EVENTS = route(
    "Send events: one, an array, or one a line; gzip by Content-Encoding",
    _answers(200, "what became of each event", _VERDICTS, 400, 401, 403, 408, 413, 415, 429, 503),
    parameters=_KEY,
    requestBody=_EVENTS_BODY,
)
_IMAGE = {"content": content({"type": "string", "format": "binary"}, "image/gif")}
PIXEL = route(
    "Send one event by an image, from a page without scripts",
    {
        code: {"description": text, **_IMAGE}
        for code, text in {200: "accepted, or dropped for want of consent", 400: "rejected", **_WHY}.items()
        if code in (200, 400, 401, 429, 503)
    },
    parameters=[
        _KEY[1],
        {
            "name": "e",
            "in": "query",
            "schema": {"type": "string", "enum": list(EVENT_TYPES)},
            "description": "event_type",
        },
        *[
            {"name": name, "in": "query", "schema": TEXT}
            for name in ("item_id", "user_id", "anonymous_id", "session_id", "query", "price", "currency", "quantity")
        ],
    ],
)
WEBHOOKS = route(
    "Send what GA4, Segment, Shopify or Google Tag Manager sends",
    _answers(202, "what became of each part", _WEBHOOK_VERDICTS, 400, 401, 403, 404, 408, 413, 415, 429, 503),
    202,
    parameters=[
        {
            "name": "vendor",
            "in": "path",
            "required": True,
            "schema": {"type": "string", "enum": ["ga4", "gtm", "segment", "shopify"]},
        },
        *_KEY,
    ],
    requestBody={"required": True, "content": content({})},
)
TRACKER = route(
    "The script for a shop's pages",
    {
        200: {"description": "JavaScript", "content": content(TEXT, "text/javascript")},
        404: {"description": "not built"},
    },
)
READYZ = route(
    "Whether events can be taken",
    {
        200: {"description": "yes", "content": content(STATUS)},
        503: {"description": "no, and why", "content": content(STATUS)},
    },
)
