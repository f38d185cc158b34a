"""What a request for many lists holds."""

import asyncio
from typing import Any

import orjson
from starlette.requests import Request

from pipelines.http.refusals import RefusedError
from pipelines.serving.query import checked_id, wrong

MAX_USERS = 1_000
MAX_BODY_BYTES = 600_000
BODY_SECONDS = 10.0
NDJSON = "application/x-ndjson"


async def users_of(request: Request) -> list[str]:
    """Read `{"user_ids": [...]}` or an array. Raises RefusedError (400, 408, 413)."""
    body = await _body(request)
    try:
        value: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise wrong("the body", 'JSON: {"user_ids": ["u1", "u2"]}', str(error)) from error
    ids = value.get("user_ids") if isinstance(value, dict) else value
    if not isinstance(ids, list) or not ids or not all(isinstance(user, str) for user in ids):
        raise wrong("user_ids", f"1 to {MAX_USERS:,} texts", "something else")
    if len(ids) > MAX_USERS:
        raise RefusedError(
            413, "size", f"user_ids: expected at most {MAX_USERS:,}, got {len(ids):,}: send several requests"
        )
    return [checked_id("user_ids", user) for user in ids]


async def _body(request: Request) -> bytes:
    try:
        return await asyncio.wait_for(_read(request), BODY_SECONDS)
    except asyncio.TimeoutError as error:
        raise RefusedError(408, "slow", f"the body was not whole after {BODY_SECONDS:g} s") from error


async def _read(request: Request) -> bytes:
    parts, n_bytes = [], 0
    async for part in request.stream():
        n_bytes += len(part)
        if n_bytes > MAX_BODY_BYTES:
            raise RefusedError(413, "size", f"the body: expected at most {MAX_BODY_BYTES:,} bytes")
        parts.append(part)
    return b"".join(parts)
