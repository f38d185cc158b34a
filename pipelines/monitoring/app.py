"""The service that Prometheus asks."""

from fastapi import FastAPI, Response

from pipelines.http.figures import FIGURES_TYPE
from pipelines.monitoring.scrape import Scrape


def make_app(scrape: Scrape) -> FastAPI:
    """`GET /metrics` looks at Redis anew; `GET /healthz` says that the service answers."""
    app = FastAPI(title="Liveshelf metrics", openapi_url=None)

    @app.get("/metrics")
    def metrics() -> Response:
        return Response(scrape.text(), media_type=FIGURES_TYPE)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    return app
