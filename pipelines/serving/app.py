"""The HTTP service. Routes are plain Starlette, for speed; what FastAPI's page says of them is told apart from them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from fastapi_offline import FastAPIOffline
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from pipelines import __version__
from pipelines.http.answers import json_answer
from pipelines.http.figures import FIGURES_TYPE
from pipelines.http.openapi import HEALTHZ, METRICS
from pipelines.http.refusals import RefusedError
from pipelines.list_sections import ServingConfig
from pipelines.logs.trouble import Tallied
from pipelines.monitoring.state_page import StatePage
from pipelines.serving import described
from pipelines.serving.answers import add_details, document, is_known, tagged
from pipelines.serving.batches import NDJSON, users_of
from pipelines.serving.chain import Answer
from pipelines.serving.gate import Gate
from pipelines.serving.impressions import Impressions
from pipelines.serving.lists import ListMaker, Parts
from pipelines.serving.query import LIST_PARAMETERS, ListQuery, checked_id, parse_query

_CHUNK_USERS = 100  # read together
CACHE_CONTROL = "private, no-cache"  # a browser may keep it, and must ask whether it is still the same
_NOBODYS = tuple(name for name in LIST_PARAMETERS if name not in ("context_item", "country", "device"))
_OF_MANY = tuple(name for name in LIST_PARAMETERS if name != "context_item")
NO_TELEMETRY = {"tracing": False, "metrics": False, "logs": False}  # FastAPI would ask for it with every request


class ListService:
    """The routes, over what they need. `app` is the ASGI application."""

    def __init__(
        self,
        config: ServingConfig,
        gate: Gate,
        maker: ListMaker,
        parts: Parts,
        impressions: Impressions | None,
        state_page: StatePage | None,
        running: Callable[[], Any],
    ) -> None:
        self._config, self._gate, self._maker, self._parts = config, gate, maker, parts
        self._impressions, self._metrics, self._state_page = impressions, parts.metrics, state_page
        self._failures = Tallied("answers_failed", "by_error")
        self._refusals = Tallied("requests_refused", "by_kind")
        self._seconds = {name: parts.metrics.seconds.labels(name) for name in ("lists", "similar", "trending", "batch")}
        self.app = self._make_app(running)

    async def get_list(self, request: Request) -> Response:
        began = time.perf_counter()
        user = checked_id("user_id", request.path_params["user_id"])
        query = parse_query(request.scope["query_string"])
        self._gate.check(request, query.key)
        answer = await self._safely(self._maker.list_for(user, query), query)
        if self._impressions is not None and answer.items:
            self._impressions.log(user, answer.list_id, [told["item_id"] for told in answer.items])
        return self._answered(request, query, answer, "lists", began)

    async def get_similar(self, request: Request) -> Response:
        began = time.perf_counter()
        item = checked_id("item_id", request.path_params["item_id"])
        query = parse_query(request.scope["query_string"], _NOBODYS)
        self._gate.check(request, query.key)
        answer = await self._safely(self._maker.similar_to(item, query), query)
        return self._answered(request, query, answer, "similar", began)

    async def get_trending(self, request: Request) -> Response:
        began = time.perf_counter()
        query = parse_query(request.scope["query_string"], _NOBODYS)
        self._gate.check(request, query.key)
        answer = await self._safely(self._maker.trending(query), query)
        return self._answered(request, query, answer, "trending", began)

    async def post_batch(self, request: Request) -> Response:
        began = time.perf_counter()
        query = parse_query(request.scope["query_string"], _OF_MANY)
        self._gate.check(request, query.key)
        users = await users_of(request)
        self._gate.check(request, query.key, len(users) - 1)
        told = []
        for first in range(0, len(users), _CHUNK_USERS):
            told += await self._told(users[first : first + _CHUNK_USERS], query)
            await asyncio.sleep(0)  # single requests come between, also while Redis is away and nothing else waits
        self._seconds["batch"].observe(time.perf_counter() - began)
        headers = {"Cache-Control": CACHE_CONTROL}
        if NDJSON in request.headers.get("accept", ""):
            return Response(b"".join(line + b"\n" for line in told), 200, headers, NDJSON)
        return Response(b'{"lists":[' + b",".join(told) + b"]}", 200, headers, "application/json")

    async def healthz(self, _request: Request) -> Response:
        return json_answer(200, {"status": "alive"})

    async def readyz(self, _request: Request) -> Response:
        """Ready is who can answer with items: from Redis, or from the file."""
        parts = self._parts
        away_s = parts.contact.away_since_s
        if away_s is None:
            await parts.reader.refresh()  # it may be away without anybody having asked
            away_s = parts.contact.away_since_s
        is_ready = away_s is None or parts.static_file.is_there
        told = {
            "status": "ready" if is_ready else "not ready",
            "redis": "answers" if away_s is None else f"away for {time.monotonic() - away_s:.0f} s",
            "static_file": "there" if parts.static_file.is_there else "missing",
            "catalogue_items": len(parts.following.copy),
            "remembered_lists": parts.reader.n_remembered,
            "similar_items": "loaded" if parts.similar and parts.similar.is_loaded else "not loaded",
            "serving": parts.reader.mode.mode,
            **({"reason": parts.reader.mode.reason} if parts.reader.mode.reason else {}),
        }
        return json_answer(200 if is_ready else 503, told)

    async def get_metrics(self, _request: Request) -> Response:
        return Response(self._metrics.render(), media_type=FIGURES_TYPE)

    async def get_status(self, request: Request) -> Response:
        """The page of the state: a reader's like a list, and made beside the answers."""
        self._gate.check(request, parse_query(request.scope["query_string"], ("key",)).key)
        if self._state_page is None:
            raise RefusedError(404, "status", "the page of the state is off here: set serving.status_page: true")
        return HTMLResponse(await asyncio.to_thread(self._state_page.html))

    async def _safely(self, making: Awaitable[Answer], query: ListQuery) -> Answer:
        """What nobody thought of is logged, and answered from the file: a shop's page has no use for an error."""
        try:
            return await making
        except Exception as error:
            self._failures.add(type(error).__name__, error=error)
            return self._maker.from_file(query)

    def _answered(self, request: Request, query: ListQuery, answer: Answer, route: str, began: float) -> Response:
        if query.details:
            add_details(answer, self._parts.following.copy)
        body, tag = tagged(document(answer), answer, self._maker.now_ms())
        headers = {"ETag": tag, "Cache-Control": CACHE_CONTROL}
        known = request.headers.get("if-none-match")
        self._seconds[route].observe(time.perf_counter() - began)
        if known is not None and is_known(tag, known):
            self._metrics.not_modified.inc()
            return Response(None, 304, headers)
        return Response(body, 200, headers, "application/json")

    async def _told(self, users: Sequence[str], query: ListQuery) -> list[bytes]:
        try:
            answers = await self._maker.lists_for(users, query)
        except Exception as error:
            self._failures.add(type(error).__name__, error=error)
            answers = [self._maker.from_file(query) for _ in users]
        if query.details:
            for answer in answers:
                add_details(answer, self._parts.following.copy)
        now_ms = self._maker.now_ms()
        return [
            tagged({"user_id": user, **document(answer)}, answer, now_ms)[0]
            for user, answer in zip(users, answers, strict=True)
        ]

    async def _refuse(self, _request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        self._metrics.refused.labels(error.kind).inc()
        self._refusals.add(error.kind)
        return json_answer(error.status, {"error": error.text}, error.headers)

    def _make_app(self, running: Callable[[], Any]) -> FastAPI:
        @asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
            async with running():
                yield
            if self._impressions is not None:
                await asyncio.to_thread(self._impressions.close, 5.0)

        app = FastAPIOffline(
            redoc_url=None, title="Liveshelf lists", version=__version__, lifespan=lifespan, telemetry=NO_TELEMETRY
        )
        app.add_exception_handler(RefusedError, self._refuse)
        if self._config.allowed_origins:
            app.add_middleware(
                CORSMiddleware,
                allow_origins=self._config.allowed_origins,
                allow_methods=["GET", "POST"],
                allow_headers=["Content-Type", "If-None-Match", "X-Api-Key"],
                expose_headers=["ETag", "Retry-After"],
                max_age=86_400,
            )
        routes: list[tuple[str, str, Callable[[Request], Awaitable[Response]], dict[str, Any]]] = [
            ("POST", "/v1/lists/batch", self.post_batch, described.BATCH),
            ("GET", "/v1/lists/{user_id}", self.get_list, described.LIST),
            ("GET", "/v1/similar/{item_id}", self.get_similar, described.SIMILAR),
            ("GET", "/v1/trending", self.get_trending, described.TRENDING),
            ("GET", "/healthz", self.healthz, HEALTHZ),
            ("GET", "/readyz", self.readyz, described.READYZ),
            ("GET", "/metrics", self.get_metrics, METRICS),
            ("GET", "/status", self.get_status, described.STATE),
        ]
        for method, path, answer, _ in reversed(routes):  # before FastAPI's own, for every route is tried in order
            app.router.routes.insert(0, Route(path.replace("_id}", "_id:path}"), answer, methods=[method]))
        app.openapi = lambda: _openapi(routes)  # type: ignore[method-assign]
        return app


def _openapi(routes: list[tuple[str, str, Callable[[Request], Awaitable[Response]], dict[str, Any]]]) -> dict[str, Any]:
    async def nothing() -> None: ...

    told = [
        APIRoute(path, nothing, methods=[method], name=answer.__name__, **about)
        for method, path, answer, about in routes
    ]
    document: dict[str, Any] = get_openapi(
        title="Liveshelf lists", version=__version__, description=described.SERVICE, routes=told
    )
    return orjson.loads(orjson.dumps(document)) if document else document
