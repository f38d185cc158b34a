"""Parts of what an OpenAPI page says of a route."""

from collections.abc import Mapping
from typing import Any

from fastapi import Response

TEXT: dict[str, Any] = {"type": "string"}
ERROR = {"type": "object", "required": ["error"], "properties": {"error": TEXT}}
STATUS = {"type": "object", "required": ["status"], "properties": {"status": TEXT, "reason": TEXT}}
Answers = dict[int | str, dict[str, Any]]


def content(schema: dict[str, Any], kind: str = "application/json") -> dict[str, Any]:
    return {kind: {"schema": schema}}


def answers(status: int, text: str, schema: dict[str, Any], refusals: Mapping[int, str] | None = None) -> Answers:
    """What is answered: with `status` when all is well, else by the status of `refusals` and why."""
    refused: Answers = {code: {"description": why, "content": content(ERROR)} for code, why in (refusals or {}).items()}
    return {status: {"description": text, "content": content(schema)}, **refused}


def route(summary: str, answers: Answers, status: int = 200, **extra: Any) -> dict[str, Any]:
    """Arguments for FastAPI's `get` or `post`; `extra` goes into the document as it is."""
    return {
        "summary": summary,
        "responses": answers,
        "status_code": status,
        "response_class": Response,
        "openapi_extra": extra,
    }


HEALTHZ = route("Whether the process is alive", answers(200, "it is", STATUS))
METRICS = route("Figures for Prometheus", {200: {"description": "text format", "content": content(TEXT, "text/plain")}})
