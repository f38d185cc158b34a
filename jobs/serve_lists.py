"""Answer with lists by HTTP: personal ones with their age, and what stands in where there is none.

\b
    liveshelf serve_lists
    curl '127.0.0.1:8381/v1/lists/u42?n=5&details=true'

\b
Serves  GET  /v1/lists/USER         the list of a user or visitor; ?n=&exclude=&category=&exclude_items=&context_item=
        POST /v1/lists/batch        those of up to 1,000 users, for mails
        GET  /v1/similar/ITEM       items like an item
        GET  /v1/trending           what is popular now, ?category=
        GET  /docs                  every route, to be tried out
        GET  /healthz /readyz       alive; which parts answer
        GET  /metrics               for Prometheus
        GET  /status                how everything is, for people: serving.status_page
Reads   Redis list:{user}, fallback:{segment}, the catalogue, the model (for similar items)
Writes  serving.static_file         what is served when Redis is away; Redis due:{shard}: lists to be made again
State   none

\b
SERVING_KEYS   reader:key[,reader:key], with serving.require_key: true; or a file, serving.keys_file

A list is answered with 200 also while Redis is away: from memory, then from the file. SIGTERM: no new requests; those
that came are answered. docs/serving.md has the rest.
"""

import gc
import os
import sys
import tempfile
from functools import partial
from typing import Any

import click

from jobs._notices import notice
from jobs._options import config_option
from pipelines.config import Config
from pipelines.errors import ConfigError
from pipelines.http.keys import Keys
from pipelines.http.server import Processes, is_loopback, listen, serve
from pipelines.list_sections import ServingConfig
from pipelines.local.addresses import with_running_kafka, with_running_redis
from pipelines.serving.gate import KEY_SOURCE, KEYS_VARIABLE

METRICS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # workers share their figures by files in it
STOP_SECONDS = 10.0
SLOW_SECONDS = 5.0  # for what no answer waits for: the catalogue as a whole, the model


@click.command(help=__doc__)
@config_option
@click.option("--host", help="Address to listen on, instead of serving.host.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port, instead of serving.port; 0: a free one.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes, instead of serving.workers.")
def main(config: Config, **given: Any) -> None:
    changes = {name: value for name, value in given.items() if value is not None}
    config = config.model_copy(update={"serving": config.serving.model_copy(update=changes)})
    config = with_running_redis(config)
    if config.serving.log_impressions:
        config = with_running_kafka(config)
    keys = KEY_SOURCE.read(os.environ, config.serving.keys_file)
    _check(config, keys)
    serving = config.serving
    with tempfile.TemporaryDirectory(prefix="liveshelf-metrics-") as folder:
        if serving.workers > 1:
            os.environ[METRICS_VARIABLE] = folder  # the client of Prometheus looks at it when it is imported
        listening = listen(serving.host, serving.port)
        _tell(config, keys, listening.getsockname()[1])
        processes = Processes(serving.workers, serving.max_connections, STOP_SECONDS)
        serve(processes, listening, partial(app_of_worker, config, keys))


def app_of_worker(config: Config, keys: Keys) -> Any:
    """Make the ASGI application; called in each worker."""
    from pipelines.monitoring.services import Services
    from pipelines.serving.contact import Contact
    from pipelines.serving.service import World, make_app
    from pipelines.serving.similar import SimilarItems
    from pipelines.stores.catalogue_copy import CatalogueCopy
    from pipelines.stores.connection import connect
    from pipelines.stores.due import DueStore
    from pipelines.stores.model import ModelStore

    serving, url = config.serving, str(config.redis.url)
    client = connect(url, timeout_seconds=SLOW_SECONDS, retries=0)
    similar = SimilarItems(ModelStore(client), config.model, serving.similar_seconds, serving.similar_max_bytes)
    world = World(
        partial(Contact, url, serving.redis_timeout_ms / 1000, serving.probe_seconds),
        CatalogueCopy(client),
        DueStore(client),
        similar if serving.similar else None,
        _producer(config) if serving.log_impressions else None,
        client if has_status_page(serving) else None,
        Services.of(config),
    )
    app = make_app(serving, config.lists, config.catalogue, keys, world)
    gc.collect()
    gc.freeze()  # what was imported stays: looking through it now and then would stop every request for tens of milliseconds
    return app


def has_status_page(serving: ServingConfig) -> bool:
    """Whether /status is answered: it says of a shop what a storefront's visitors need not know."""
    return is_loopback(serving.host) if serving.status_page is None else serving.status_page


def _producer(config: Config) -> Any:
    from pipelines.sinks.event_producer import Bounds, EventProducer

    bounds = Bounds(max_events=config.serving.max_pending_impressions)
    return EventProducer(str(config.kafka.bootstrap_servers), config.kafka.topic, bounds)


def _check(config: Config, keys: Keys) -> None:
    """Raise ConfigError for a service that could answer nobody, or send what would be quarantined."""
    if config.serving.require_key and not keys:
        raise ConfigError(
            f"no key: set {KEYS_VARIABLE}=reader:key, or serving.keys_file; or serving.require_key: false. A key is "
            "made by: python3 -c 'import secrets; print(secrets.token_urlsafe(24))'"
        )
    if config.serving.log_impressions and config.kafka.format != "json":
        raise ConfigError(
            f"impressions are sent as JSON, and kafka.format of topic {config.kafka.topic} is {config.kafka.format}: every one "
            "would be quarantined. Set serving.log_impressions: false"
        )


def _tell(config: Config, keys: Keys, port: int) -> None:
    serving = config.serving
    who = f"readers: {', '.join(keys.names)}" if serving.require_key else "no key asked for"
    if not serving.require_key and not is_loopback(serving.host):
        who += f": whoever reaches {serving.host} reads every list"
    notice(f"serving lists on http://{serving.host}:{port} (the routes: /docs); {who}. Ctrl-C ends it.")


if __name__ == "__main__":
    sys.exit(main())
