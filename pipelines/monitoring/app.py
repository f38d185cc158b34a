"""The service that Prometheus asks, and people."""

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse
from redis import Redis
from redis.exceptions import RedisError

from pipelines.http.figures import FIGURES_TYPE
from pipelines.monitoring.meanings import OF_STREAM
from pipelines.monitoring.overview import Overview
from pipelines.monitoring.page import page
from pipelines.monitoring.scrape import Scrape
from pipelines.stores.history import HistoryStore, Point


def make_app(scrape: Scrape) -> FastAPI:
    """`GET /metrics` and `GET /status` look at Redis anew; `GET /healthz` says that the service answers."""
    app = FastAPI(title="Liveshelf metrics", openapi_url=None)

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(scrape.text(), media_type=FIGURES_TYPE)

    @app.get("/")
    @app.get("/status")
    def status() -> HTMLResponse:
        overview = Overview.read(scrape.client)
        return HTMLResponse(page(overview, _histories(scrape.client) if not overview.problem else {}))

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app


def _histories(client: Redis) -> dict[str, list[Point]]:
    store = HistoryStore(client)
    try:
        return {stream: store.read(stream) for stream in OF_STREAM}
    except RedisError:  # it has just gone: the page does without curves
        return {}
