"""Show how everything is, at one look: streams, lists, records, the model, and what is wrong.

\b
    liveshelf status            live in a terminal, until Ctrl-C
    liveshelf status --once     once
    liveshelf status --json     once, for a machine; like --once with exit code 3 when something is wrong

What streams and jobs tell of themselves in Redis. docs/operations.md says what to do about what is wrong.

\b
Reads   Redis heartbeat:{job}, outcome:{job}, queues, memory
"""

import json
import sys
import time
from dataclasses import asdict

import click
from redis import Redis
from rich.console import Console
from rich.live import Live

from jobs._options import config_option
from jobs._status_texts import screen
from pipelines.config import Config
from pipelines.local.addresses import with_running_redis
from pipelines.monitoring.curves import histories_of
from pipelines.monitoring.overview import Overview, troubles
from pipelines.monitoring.services import Services
from pipelines.stores.connection import connect

TIMEOUT_SECONDS = 2.0
N_POINTS = 25  # of small plots: minutes of a stream, runs of a job that ends
WRONG = 3
FILE_COLUMNS = 240  # a file has no width: what is wrong stays one line there


@click.command(help=__doc__)
@config_option
@click.option("--once", "is_once", is_flag=True, help="Print once, and end.")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON object, and end.")
@click.option("--every", "every_seconds", type=click.FloatRange(0.2), default=2.0, show_default=True, metavar="SECONDS",
              help="How often to look.")  # fmt: skip
def main(config: Config, is_once: bool, is_json: bool, every_seconds: float) -> None:
    client = connect(str(with_running_redis(config).redis.url), timeout_seconds=TIMEOUT_SECONDS, retries=0)
    console = Console()
    if not console.is_terminal:
        console.width = FILE_COLUMNS
    services = Services.of(config)
    if is_json or is_once or not console.is_terminal:
        _tell_once(client, services, console, is_json=is_json)
    else:
        _follow(client, services, console, every_seconds)


def _tell_once(client: Redis, services: Services, console: Console, *, is_json: bool) -> None:
    overview = Overview.read(client, services)
    wrong = troubles(overview)
    if is_json:
        click.echo(json.dumps({"troubles": wrong, **asdict(overview)}))
    else:
        console.print(screen(overview, histories_of(client, overview, N_POINTS)))
    if wrong:
        sys.exit(WRONG)


def _follow(client: Redis, services: Services, console: Console, every_seconds: float) -> None:
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                overview = Overview.read(client, services)
                live.update(screen(overview, histories_of(client, overview, N_POINTS)), refresh=True)
                time.sleep(every_seconds)
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    sys.exit(main())
