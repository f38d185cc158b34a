"""Take events by HTTP to Kafka: from browsers, apps and webhooks, answered when Kafka has them.

\b
    export COLLECTOR_WRITE_KEYS=myshop:$(python3 -c 'import secrets; print(secrets.token_urlsafe(24))')
    liveshelf collect_events
    curl -H "X-Write-Key: ${COLLECTOR_WRITE_KEYS#*:}" 127.0.0.1:8380/v1/events -d '
        {"event_id": "e-1", "event_type": "product_view", "anonymous_id": "a-1", "item_id": "mug-12"}'

For a trial on this machine without keys: liveshelf collect_events --without-keys

\b
Takes   POST /v1/events             an event, an array, or one event a line; gzip; up to 500 events and 1 MB
        GET  /v1/pixel.gif          for pages without scripts
        POST /v1/webhooks/VENDOR    ga4, gtm, segment, shopify
Serves  GET  /tracker.js            the script for a shop's pages
        GET  /docs                  every route, to be tried out
        GET  /healthz /readyz       alive; Kafka reachable and room in the queue
        GET  /metrics               for Prometheus
Writes  Kafka topic `clickstream`, keyed by user_id, else anonymous_id
State   none: what is not answered with 2xx is the client's to send again, with the same event_id

\b
COLLECTOR_WRITE_KEYS     site:key[,site:key]; or a file, collector.write_keys_file
SHOPIFY_WEBHOOK_SECRET   the secret that Shopify signs order webhooks with
SEGMENT_SHARED_SECRET    the same of Segment; without it, Segment needs a write key

SIGTERM: no new requests; those that came are answered when Kafka has their events. docs/collecting.md has the rest.
"""

import os
import sys
import tempfile
from functools import partial
from typing import Any

import click

from jobs._notices import notice
from jobs._options import config_option
from pipelines.collecting.secrets import KEYS_VARIABLE, Secrets, read_secrets
from pipelines.config import Config
from pipelines.errors import ConfigError
from pipelines.http.server import Processes, is_loopback, listen, serve
from pipelines.local.addresses import with_running_kafka
from pipelines.local.topics import ensure_topic
from pipelines.sinks.event_producer import Bounds, EventProducer

METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # workers share their figures by files in it
GRACE_SECONDS = 5.0


@click.command(help=__doc__)
@config_option
@click.option("--host", help="Address to listen on, instead of collector.host.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port, instead of collector.port; 0: a free one.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes, instead of collector.workers.")
@click.option("--without-keys", is_flag=True, help="Ask for no write key: for a trial, on a loopback address only.")
def main(config: Config, without_keys: bool, **given: Any) -> None:
    config = _with_options(with_running_kafka(config), without_keys, given)
    secrets = read_secrets(os.environ, config.collector.write_keys_file)
    _check(config, secrets)
    with tempfile.TemporaryDirectory(prefix="liveshelf-metrics-") as folder:
        if config.collector.workers > 1:
            os.environ[METRICS_VARIABLE] = folder  # the client of Prometheus looks at it when it is imported
        listening = listen(config.collector.host, config.collector.port)
        _tell(config, secrets, listening.getsockname()[1])
        collector = config.collector
        stop_seconds = collector.delivery_timeout_seconds + GRACE_SECONDS
        processes = Processes(collector.workers, collector.max_connections, stop_seconds)
        serve(processes, listening, partial(app_of_worker, config, secrets))


def app_of_worker(config: Config, secrets: Secrets) -> Any:
    """Make the ASGI application; called in each worker."""
    from pipelines.collecting.service import make_app

    kafka, collector = config.kafka, config.collector
    address = str(kafka.bootstrap_servers)
    bounds = Bounds(
        max_events=collector.max_pending_events,
        max_bytes=collector.max_pending_bytes,
        delivery_timeout_seconds=collector.delivery_timeout_seconds,
        linger_ms=collector.linger_ms,
    )
    make_topic = partial(ensure_topic, address, kafka.topic, kafka.partitions, kafka.max_record_bytes)
    producer = EventProducer(address, kafka.topic, bounds, make_topic)
    return make_app(collector, config.events.contract, secrets, producer)


def _with_options(config: Config, without_keys: bool, given: dict[str, Any]) -> Config:
    changes = {name: value for name, value in given.items() if value is not None}
    if without_keys:
        changes["require_write_key"] = False
    return config.model_copy(update={"collector": config.collector.model_copy(update=changes)})


def _check(config: Config, secrets: Secrets) -> None:
    """Raise ConfigError for a collector that could take nothing, or anything from anyone."""
    if config.kafka.format != "json":
        raise ConfigError(
            f"the collector sends JSON, and kafka.format of topic {config.kafka.topic} is {config.kafka.format}: every event "
            "would be quarantined. Name another topic, or set kafka.format: json"
        )
    collector = config.collector
    if collector.require_write_key and not secrets.write_keys:
        raise ConfigError(
            f"no write key: set {KEYS_VARIABLE}=site:key, or collector.write_keys_file; for a trial: --without-keys. A key is "
            "made by: python3 -c 'import secrets; print(secrets.token_urlsafe(24))'"
        )
    if not collector.require_write_key and not is_loopback(collector.host):
        raise ConfigError(
            f"without keys anyone who reaches {collector.host} could send events: listen on 127.0.0.1, or set {KEYS_VARIABLE}"
        )


def _tell(config: Config, secrets: Secrets, port: int) -> None:
    collector, kafka = config.collector, config.kafka
    sites = f"sites: {', '.join(secrets.write_keys.names)}" if collector.require_write_key else "no write key asked for"
    notice(
        f"collecting on http://{collector.host}:{port} (the routes: /docs) into topic {kafka.topic} of "
        f"{kafka.bootstrap_servers}; {sites}. Ctrl-C ends it."
    )


if __name__ == "__main__":
    sys.exit(main())
