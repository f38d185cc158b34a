"""The collector's HTTP service."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi_offline import FastAPIOffline

from pipelines import __version__
from pipelines.collecting import described
from pipelines.collecting.bodies import BodyReader
from pipelines.collecting.gate import SHOPIFY_TOPIC_HEADER, Gate
from pipelines.collecting.intake import Intake, Producer, Sender, Verdicts
from pipelines.collecting.metrics import Metrics
from pipelines.collecting.pixel import GIF, event_of
from pipelines.collecting.requests import events_of, value_of
from pipelines.collector_sections import CollectorConfig
from pipelines.events.adapters import ADAPTERS, PayloadError
from pipelines.http.answers import json_answer
from pipelines.http.figures import FIGURES_TYPE
from pipelines.http.openapi import HEALTHZ, METRICS
from pipelines.http.refusals import RefusedError
from pipelines.logs.trouble import Tallied

TRACKER = Path(__file__).parent / "static" / "tracker.min.js"
TRACKER_CACHE_SECONDS = 3_600
CONTACT_SECONDS = 3.0  # less than uvicorn gives a worker that takes the place of another (5 s)


class Collector:
    """The routes, over what they need. `app` is the ASGI application."""

    def __init__(
        self,
        config: CollectorConfig,
        gate: Gate,
        bodies: BodyReader,
        intake: Intake,
        producer: Producer,
        metrics: Metrics,
    ) -> None:
        self._config, self._gate, self._bodies, self._intake = config, gate, bodies, intake
        self._producer, self._metrics = producer, metrics
        self._refusals = Tallied("requests_refused", "by_kind")
        self.app = self._make_app()

    async def post_events(self, request: Request) -> Response:
        self._gate.check_origin(request)
        site = self._gate.site(request)
        body = self._unpack(await self._bodies.read(request), request)
        events = events_of(body, request.headers.get("content-type", ""), self._config.max_events)
        del body
        self._gate.count(site, len(events))
        verdicts = await self._intake.take(events, self._gate.sender(request, site, "events"))
        return json_answer(200, verdicts.as_json())

    async def get_pixel(self, request: Request) -> Response:
        """Always an image; the status and a header say what became of the event."""
        try:
            verdicts = await self._take_pixel(request)
        except RefusedError as error:
            self._count(request, error)
            return _image(error.status, error.text, error.headers)
        if verdicts.rejected:
            fault = verdicts.rejected[0]
            return _image(400, f"rejected: {fault['field']}: {fault['reason']}")
        return _image(200, "dropped" if verdicts.dropped else "accepted")

    async def post_webhook(self, request: Request) -> Response:
        vendor = request.path_params["vendor"]
        if vendor not in ADAPTERS:
            raise RefusedError(404, "vendor", f"there is no webhook '{vendor[:40]}': expected {', '.join(ADAPTERS)}")
        self._gate.check_origin(request)
        packed = await self._bodies.read(request)
        body = self._unpack(packed, request)
        site = self._gate.webhook_site(request, vendor, packed)
        try:
            adapted = ADAPTERS[vendor](_payload(vendor, request, value_of(body)))
        except PayloadError as error:
            raise RefusedError(400, "payload", str(error)) from error
        if len(adapted.events) > self._config.max_events:
            text = f"the payload makes {len(adapted.events):,} events: expected at most {self._config.max_events}"
            raise RefusedError(413, "count", text)
        self._gate.count(site, len(adapted.events))
        self._metrics.ignored.labels(vendor).inc(len(adapted.ignored))
        verdicts = await self._intake.take(
            adapted.events, Sender(site, vendor)
        )  # the headers are the vendor's server's
        ignored = [{"name": part.name, "reason": part.reason} for part in adapted.ignored]
        return json_answer(202, {**verdicts.as_json(), "ignored": ignored})

    async def get_tracker(self) -> Response:
        if not TRACKER.exists():
            raise RefusedError(404, "tracker", "this installation has no tracker.js: `make tracker` makes it")
        headers = {"Cache-Control": f"public, max-age={TRACKER_CACHE_SECONDS}", "Access-Control-Allow-Origin": "*"}
        return Response(TRACKER.read_bytes(), media_type="text/javascript", headers=headers)

    async def healthz(self) -> Response:
        return json_answer(200, {"status": "alive"})

    async def readyz(self) -> Response:
        reason = await asyncio.to_thread(self._producer.why_not_ready)
        return (
            json_answer(503, {"status": "not ready", "reason": reason})
            if reason
            else json_answer(200, {"status": "ready"})
        )

    async def get_metrics(self) -> Response:
        return Response(self._metrics.render(), media_type=FIGURES_TYPE)

    async def _take_pixel(self, request: Request) -> Verdicts:
        site = self._gate.site(request)
        self._gate.count(site, 1)
        event = event_of(request.query_params, request.headers.get("referer", ""))
        return await self._intake.take([event], self._gate.sender(request, site, "pixel"))

    def _unpack(self, body: bytes, request: Request) -> bytes:
        return self._bodies.unpack(body, request.headers.get("content-encoding", "").strip().lower())

    def _count(self, request: Request, error: RefusedError) -> None:
        route = getattr(request.scope.get("route"), "name", "other")
        self._metrics.refused.labels(route, error.kind).inc()
        self._refusals.add(error.kind)

    async def _refuse(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, RefusedError)
        self._count(request, error)
        return json_answer(error.status, {"error": error.text}, error.headers)

    def _make_app(self) -> FastAPI:
        @asynccontextmanager
        async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
            # Only then does it listen: until there is contact it could but refuse what another worker would take.
            await asyncio.to_thread(self._producer.wait_connected, CONTACT_SECONDS)
            yield
            await asyncio.to_thread(self._producer.close, self._config.delivery_timeout_seconds)

        app = FastAPIOffline(
            redoc_url=None,
            title="Liveshelf collector",
            version=__version__,
            description=described.SERVICE,
            lifespan=lifespan,
        )
        app.add_exception_handler(RefusedError, self._refuse)
        app.add_middleware(
            CORSMiddleware,
            allow_origins=self._config.allowed_origins,
            allow_methods=["POST", "GET"],
            allow_headers=["Content-Type", "Content-Encoding", "X-Write-Key"],
            expose_headers=["Retry-After"],
            max_age=86_400,
        )
        app.post("/v1/events", name="events", **described.EVENTS)(self.post_events)
        app.get("/v1/pixel.gif", name="pixel", **described.PIXEL)(self.get_pixel)
        app.post("/v1/webhooks/{vendor}", name="webhooks", **described.WEBHOOKS)(self.post_webhook)
        app.get("/tracker.js", name="tracker", **described.TRACKER)(self.get_tracker)
        app.get("/healthz", name="healthz", **HEALTHZ)(self.healthz)
        app.get("/readyz", name="readyz", **described.READYZ)(self.readyz)
        app.get("/metrics", name="metrics", **METRICS)(self.get_metrics)
        return app


def _payload(vendor: str, request: Request, value: Any) -> Any:
    if vendor != "shopify":
        return value
    if topic := request.headers.get(SHOPIFY_TOPIC_HEADER, ""):
        return {"topic": topic, "payload": value}
    if isinstance(value, dict) and "topic" in value:
        raise RefusedError(400, "payload", f"topic: an order comes signed, with its topic in {SHOPIFY_TOPIC_HEADER}")
    return value


def _image(status: int, verdict: str, headers: dict[str, str] | None = None) -> Response:
    told = verdict.encode("ascii", "replace").decode()[:300]
    return Response(GIF, status, {"Cache-Control": "no-store", "X-Verdict": told, **(headers or {})}, "image/gif")
