"""Watch the suite on this machine: Prometheus with the alert rules, Alertmanager and Grafana, until Ctrl-C.

\b
    liveshelf monitor
    liveshelf monitor --webhook http://127.0.0.1:9000/alerts   and tell somebody

Starts `export_metrics`, Prometheus, and Alertmanager and Grafana where they are installed, each on a free loopback port, which is
told. Looks at the streams through their heartbeats, and at the collector and the service of lists from their first answer on,
where the configuration says that they listen.
On a cluster your own Prometheus does this: docs/metrics.md has what to scrape, conf/monitoring the rules and the dashboards.

\b
Needs   Debian's packages prometheus and prometheus-alertmanager; for the dashboards a Grafana on the PATH
Writes  .liveshelf/prometheus, .liveshelf/prometheus-alertmanager, .liveshelf/grafana
"""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click
import yaml

from jobs._alert_lines import AlertLines
from jobs._delivery import Delivery
from jobs._notices import notice
from jobs._options import config_option
from jobs._scraped import Scraped
from pipelines.config import Config
from pipelines.errors import ServerError
from pipelines.local import grafana
from pipelines.local.addresses import HOME, with_running_redis
from pipelines.local.observers import answers
from pipelines.local.processes import OwnedProcess, clear_the_way, exit_on_signals, free_port
from pipelines.local.prometheus import ALERTMANAGER, is_installed, scrape, start_alertmanager, start_prometheus
from pipelines.monitoring.services import Services

RULES, ALERTMANAGER_CONFIG = Path("conf/monitoring/alerts.yml"), Path("conf/monitoring/alertmanager.yml")
DASHBOARDS, PROVISIONING = Path("conf/monitoring/grafana"), Path("conf/monitoring/grafana-provisioning")
EXPORTER, START_SECONDS = "export_metrics", 30.0


@click.command(help=__doc__)
@click.option("--webhook", metavar="URL", help="Post alerts there, in place of the receiver in conf/monitoring.")
@click.option("--every", "scrape_seconds", type=click.FloatRange(1), default=5.0, show_default=True, metavar="SECONDS",
              help="How often to look.")  # fmt: skip
@config_option
def main(config: Config, webhook: str | None, scrape_seconds: float) -> None:
    try:
        with exit_on_signals(), _running(config, webhook, scrape_seconds) as running:
            click.echo("Alerts are told here, too. Ctrl-C ends all; what was seen is kept for a week.")
            _tell(running)
    except KeyboardInterrupt:
        click.echo("\nstopped")


@dataclass(frozen=True)
class _Running:
    servers: Sequence[OwnedProcess]
    scraped: Scraped
    prometheus: str  # host:port
    delivery: Delivery | None  # of a webhook that was asked for


def _tell(running: _Running) -> None:
    """Say alerts, and services that have started, until one of the servers ends: raises ServerError then."""
    alerts = AlertLines(running.prometheus, lambda: running.scraped.jobs)
    while not (ended := [server.name for server in running.servers if not server.is_running]):
        delivered = running.delivery.news() if running.delivery else []
        for line in (*_watched(running.scraped), *alerts.news(), *delivered):
            click.echo(line)
        time.sleep(1)
    raise ServerError(f"{', '.join(ended)} ended: see {running.servers[0].log.parent}")


def _watched(scraped: Scraped) -> list[str]:
    return [f"{job:<15} http://{address}/metrics" for job, address in scraped.news().items()]


@contextmanager
def _running(config: Config, webhook: str | None, scrape_seconds: float) -> Iterator[_Running]:
    with ExitStack() as stack:
        servers: list[OwnedProcess] = []

        def keep(name: str, server: OwnedProcess, path: str = "") -> str:
            stack.callback(server.stop)
            servers.append(server)
            click.echo(f"{name:<15} http://127.0.0.1:{server.port}{path}")
            return f"127.0.0.1:{server.port}"

        exporter = keep("state, metrics", _exporter(config), "/status")
        scraped = Scraped(exporter, Services.of(config), partial(scrape, HOME))
        for line in _watched(scraped):
            click.echo(line)
        if scraped.missing:
            notice(f"not started yet: {', '.join(scraped.missing)}; watched from the first answer on")
        alertmanager, delivery = None, None
        if is_installed(ALERTMANAGER):
            alertmanager = keep("Alertmanager", start_alertmanager(HOME, _alertmanager_config(webhook)))
            delivery = Delivery(alertmanager, webhook, servers[-1].log) if webhook else None
        else:
            notice("no Alertmanager: alerts show here and in Prometheus alone")
        started = start_prometheus(HOME, scraped.targets, RULES, alertmanager, scrape_seconds)
        prometheus = keep("Prometheus", started, "/alerts")
        if grafana.is_installed():
            started = grafana.start_grafana(HOME, prometheus, DASHBOARDS, PROVISIONING, scrape_seconds)
            keep("Grafana", started, "/dashboards")
        else:
            notice("no Grafana: import conf/monitoring/grafana into yours")
        yield _Running(servers, scraped, prometheus, delivery)


def _exporter(config: Config) -> OwnedProcess:
    os.environ["REDIS_URL"] = str(
        with_running_redis(config).redis.url
    )  # it is a process of its own, and may hold a password
    clear_the_way(EXPORTER, HOME)
    # the same port again where it can be: to Prometheus another port is another instance, and what the one before told last
    # would count as told now for five minutes
    process = OwnedProcess(EXPORTER, HOME, free_port(config.monitoring.port))
    command = [sys.executable, "-m", "jobs", EXPORTER, "--port", str(process.port)]
    command += ["--config", str(click.get_current_context().params["config_path"])]
    process.start(command, lambda: answers(f"http://127.0.0.1:{process.port}/healthz"), START_SECONDS)
    return process


def _alertmanager_config(webhook: str | None) -> Path:
    if webhook is None:
        return ALERTMANAGER_CONFIG
    config = yaml.safe_load(ALERTMANAGER_CONFIG.read_text(encoding="utf-8"))
    config["receivers"] = [{"name": "shop", "webhook_configs": [{"url": webhook, "send_resolved": True}]}]
    path = HOME / ALERTMANAGER / "alertmanager.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
