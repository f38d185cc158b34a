"""Answers as services give them."""

from typing import Any

import orjson
from fastapi import Response


def json_answer(status: int, value: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(value), status, headers, "application/json")
