"""Start the embedded Kafka and Valkey, and keep them until Ctrl-C.

Addresses that the configuration gives are used as they are. The jobs find the embedded servers by themselves.
"""

import time

import click

from jobs._options import Config, config_option
from pipelines.errors import ServerError
from pipelines.local.addresses import HOME, without_password
from pipelines.local.servers import EmbeddedServers, ensure_topic

NEXT = """\
Next, in other terminals:
  liveshelf personalize          clicks → lists in Redis
  liveshelf validate_events      clicks → Delta, broken ones → quarantine
  liveshelf replay FILE          feed a real log
Ctrl-C stops both servers; their data stays in {home}."""


@click.command()
@config_option
def main(config: Config) -> None:
    """Start the embedded Kafka and Valkey, and keep them until Ctrl-C."""
    try:
        with EmbeddedServers(HOME, config.kafka, config.redis) as servers:
            _prepare(config, servers)
            _watch(servers)
    except KeyboardInterrupt:
        click.echo("\nstopped")


def _prepare(config: Config, servers: EmbeddedServers) -> None:
    kafka = config.kafka
    ensure_topic(servers.bootstrap_servers, kafka.topic, kafka.partitions, kafka.max_record_bytes)
    click.echo(f"Kafka   {servers.bootstrap_servers}   topic {kafka.topic}, {kafka.partitions} partitions")
    click.echo(f"Redis   {without_password(servers.redis_url)}")
    click.echo(NEXT.format(home=HOME))


def _watch(servers: EmbeddedServers) -> None:
    while not (dead := servers.dead()):
        time.sleep(0.5)
    raise ServerError("; ".join(dead))


if __name__ == "__main__":
    main()
