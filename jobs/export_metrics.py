"""Give Prometheus the figures of all streams, as they tell them in Redis.

\b
    liveshelf export_metrics                     then scrape http://127.0.0.1:8382/metrics
    liveshelf export_metrics --textfile FILE     once, for the textfile collector of node_exporter

One service for all streams, wherever their drivers run: a stream tells what it did in its heartbeat, and that it lives every
five seconds. So the hot path pays nothing for being watched. The collector and the service of lists have a /metrics of their
own. docs/metrics.md has every figure; /status is a page for people.

\b
Reads   Redis heartbeat:{job}, queues, memory
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from jobs._files import write_whole
from jobs._notices import notice
from jobs._options import config_option
from pipelines.config import Config
from pipelines.http.server import Processes, is_loopback, listen, serve
from pipelines.local.addresses import with_running_redis
from pipelines.monitoring.services import Services
from pipelines.stores.connection import connect

TIMEOUT_SECONDS = 2.0
STOP_SECONDS = 5.0
MAX_CONNECTIONS = 100


@click.command(help=__doc__)
@config_option
@click.option("--host", help="Address to listen on. Default: monitoring.host.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port; 0: a free one. Default: monitoring.port.")
@click.option("--textfile", type=click.Path(path_type=Path, dir_okay=False), help="Write the figures to FILE, and end.")
def main(config: Config, host: str | None, port: int | None, textfile: Path | None) -> None:
    config = with_running_redis(config)
    url = str(config.redis.url)
    if textfile is not None:
        write_whole(textfile, text_of(url))
        return
    monitoring = config.monitoring
    host, port = host or monitoring.host, monitoring.port if port is None else port
    listening = listen(host, port)
    who = "" if is_loopback(host) else f"; whoever reaches {host} reads every figure"
    address = f"http://{host}:{listening.getsockname()[1]}"
    notice(f"metrics on {address}/metrics, a page on {address}/status{who}. Ctrl-C ends it.")
    serve(Processes(1, MAX_CONNECTIONS, STOP_SECONDS), listening, partial(app_of, url, Services.of(config)))


def app_of(url: str, services: Services) -> Any:
    """Make the ASGI application."""
    from pipelines.monitoring.app import make_app
    from pipelines.monitoring.scrape import Scrape

    return make_app(Scrape(connect(url, timeout_seconds=TIMEOUT_SECONDS, retries=0)), services)


def text_of(url: str) -> bytes:
    """All figures, as they are now."""
    from pipelines.monitoring.scrape import Scrape

    return Scrape(connect(url, timeout_seconds=TIMEOUT_SECONDS, retries=0)).text()


if __name__ == "__main__":
    sys.exit(main())
