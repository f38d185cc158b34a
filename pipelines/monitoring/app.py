"""The service that Prometheus asks, and people."""

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse

from pipelines.http.figures import FIGURES_TYPE
from pipelines.monitoring.scrape import Scrape
from pipelines.monitoring.services import Services
from pipelines.monitoring.state_page import StatePage


def make_app(scrape: Scrape, services: Services) -> FastAPI:
    """`GET /metrics` looks at Redis anew, `GET /status` nearly so; `GET /healthz` says that the service answers."""
    app = FastAPI(title="Liveshelf metrics", openapi_url=None)
    state_page = StatePage(scrape.client, services)

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(scrape.text(), media_type=FIGURES_TYPE)

    @app.get("/")
    @app.get("/status")
    def status() -> HTMLResponse:
        return HTMLResponse(state_page.html())

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app
