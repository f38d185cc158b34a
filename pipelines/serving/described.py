"""What the OpenAPI page says of each route."""

from typing import Any

from pipelines.http.openapi import ERROR, STATUS, TEXT, answers, content, route
from pipelines.serving.batches import MAX_USERS, NDJSON
from pipelines.serving.query import MAX_ID_CHARACTERS, MAX_N

SERVICE = (
    "Gives a shop's lists: personal ones with their age, and what stands in where there is none. A list is answered with 200 "
    "also while Redis is away; `stale` and `age_seconds` say what to think of it."
)
_ID = {"type": "string", "minLength": 1, "maxLength": MAX_ID_CHARACTERS, "pattern": r"^[A-Za-z0-9._:-]+$"}
_ITEM = {
    "type": "object",
    "required": ["item_id", "rank", "reason"],
    "properties": {
        "item_id": TEXT,
        "rank": {"type": "integer", "description": "from 0; goes back as `position` of the events it led to"},
        "reason": {
            "type": "string",
            "description": "personal, explore, pin, boost: of the user's own list; similar; popular_in_country, "
            "popular_on_device, popular_in_category, popular, trending, static: it stands in",
        },
        "score": {"type": "number", "description": "comparable within the list only"},
        "title": TEXT,
        "price": {"type": "number"},
        "image": TEXT,
        "brand": TEXT,
        "category": TEXT,
    },
}
_LIST: dict[str, Any] = {
    "type": "object",
    "required": ["items", "list_id", "as_of", "age_seconds", "source", "stale", "model_version"],
    "properties": {
        "items": {"type": "array", "items": _ITEM, "description": "best first, none twice"},
        "list_id": {"type": "string", "description": "goes back as `list_id` of the events that the list led to"},
        "as_of": {"type": ["string", "null"], "description": "when the list was made"},
        "age_seconds": {"type": ["number", "null"]},
        "source": {
            "type": "string",
            "enum": ["personal", "segment", "category", "global", "similar", "static", "none"],
            "description": "what the list begins with; the reason of each item says the rest",
        },
        "stale": {"type": "boolean", "description": "older than serving.fresh_hours, or Redis is away"},
        "model_version": TEXT,
    },
}
_BATCH = {
    "type": "object",
    "required": ["lists"],
    "properties": {
        "lists": {
            "type": "array",
            "items": {**_LIST, "properties": {"user_id": TEXT, **_LIST["properties"]}},
        }
    },
}
_WHY = {
    400: "a parameter cannot be meant: the text names it and what is expected",
    401: "the key is missing or wrong",
    413: "too many users, or too large",
    429: "too many requests: again after Retry-After seconds",
}


def _query(name: str, text: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema or {**TEXT, "minLength": 1}, "description": text}


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _ID}


_N = _query(
    "n", "items; without: as many as the shop's lists have", {"type": "integer", "minimum": 1, "maximum": MAX_N}
)
_EXCLUDE = _query(
    "exclude",
    "what is left out: `category:Shoes,tag:adult,brand:Acme`; may be given several times",
    {"type": "string", "pattern": "^(category|tag|brand):[A-Za-z]+(,(category|tag|brand):[A-Za-z]+)*$"},
)
_CATEGORY = _query("category", "only items in this category, or below it", {**TEXT, "minLength": 1, "maxLength": 1000})
_ITEMS = _query("exclude_items", "ids of items that are left out, divided by commas", TEXT)
_DETAILS = _query("details", "with title, price, image, brand, category", {"type": "boolean"})
_KEY = [
    {"name": "X-Api-Key", "in": "header", "schema": TEXT, "description": "the reader's key, where one is asked for"},
    _query("key", "the same, where no header can be set", {**TEXT, "minLength": 1, "maxLength": 300}),
]
_VISITOR = [
    _query("country", "of the visitor: what is popular there stands in", {**TEXT, "minLength": 1, "maxLength": 64}),
    _query("device", "of the visitor: mobile, desktop, …", {**TEXT, "minLength": 1, "maxLength": 64}),
]
_CONTEXT = _query("context_item", "on whose page the list is shown: it is left out, and items like it come first", _ID)
_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "schema": TEXT,
    "description": "ETag of an answer: 304 if it is the same",
}
_FILTERS = [_N, _EXCLUDE, _CATEGORY, _ITEMS, _DETAILS, *_KEY]


def _list_route(summary: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    refusals = {code: _WHY[code] for code in (400, 401, 429)}
    told = {**answers(200, "the list", _LIST, refusals), 304: {"description": "the same as before"}}
    return route(summary, told, parameters=[*parameters, _MATCH])


LIST = _list_route("The list of a user, or of a visitor", _path("user_id"), *_FILTERS, *_VISITOR, _CONTEXT)
SIMILAR = _list_route("Items like an item", _path("item_id"), *_FILTERS)
TRENDING = _list_route("What is popular now", *_FILTERS)
BATCH = route(
    f"The lists of up to {MAX_USERS:,} users",
    {
        **answers(200, "the lists, in the order of the users", _BATCH, _WHY),
        200: {
            "description": "the lists, in the order of the users; one a line where the header Accept says so",
            "content": {**content(_BATCH), **content(TEXT, NDJSON)},
        },
    },
    parameters=[*_FILTERS, *_VISITOR],
    requestBody={
        "required": True,
        "content": content(
            {
                "type": "object",
                "required": ["user_ids"],
                "additionalProperties": False,
                "properties": {"user_ids": {"type": "array", "items": _ID, "minItems": 1, "maxItems": MAX_USERS}},
            }
        ),
    },
)
STATE = route(
    "The state of everything, as a page for people",
    {
        200: {"description": "the page", "content": content(TEXT, "text/html")},
        401: {"description": _WHY[401], "content": content(ERROR)},
        404: {"description": "the page is off: serving.status_page", "content": content(ERROR)},
    },
    parameters=_KEY,
)
READYZ = route(
    "Whether lists can be answered, and which parts answer",
    {
        200: {"description": "yes", "content": content(STATUS)},
        503: {"description": "no: neither Redis nor a file is there", "content": content(STATUS)},
    },
)
