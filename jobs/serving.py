"""Whether personal lists are served at all: look, and switch for everybody, at once.

\b
    liveshelf serving status
    liveshelf serving fallback --reason "profiles are being rebuilt"
    liveshelf serving personal --reason "all well again"
    liveshelf serving auto

`fallback`: every list is made of what stands in (segment, category, global), until somebody says `personal`. Every service
knows it with its next request; nothing is restarted, and nothing expires. `auto`: forget what was set by hand; personal
lists, until `check_freshness` finds the data too old.
"""

import getpass
import sys
import time

import click

from jobs._ages import utc
from jobs._options import config_option
from pipelines.config import Config
from pipelines.local.addresses import with_running_redis
from pipelines.stores.connection import connect
from pipelines.stores.serving_mode import Mode, ServingMode, ServingModeStore

WATCHER = "check_freshness"  # the job that switches too


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command()
@config_option
def status(config: Config) -> None:
    """What is served, why, and since when."""
    _tell(_store(config).read())


def _switch(mode: Mode, summary: str) -> None:
    @main.command(mode, help=summary)
    @click.option("--reason", required=True, help="For whoever looks at it later.")
    @config_option
    def switch(config: Config, reason: str) -> None:
        switched = ServingMode(mode, reason, time.time_ns() // 1_000_000, _who())
        _store(config).set(switched)
        _tell(switched)


_switch("personal", "Serve personal lists.")
_switch("fallback", "Serve nobody a personal list: what stands in instead.")


@main.command()
@config_option
def auto(config: Config) -> None:
    """Let check_freshness decide again, from personal on."""
    store = _store(config)
    store.forget()
    _tell(store.read())


def _store(config: Config) -> ServingModeStore:
    return ServingModeStore(connect(str(with_running_redis(config).redis.url)))


def _tell(mode: ServingMode) -> None:
    since = f" since {utc(mode.since_ms / 1000)}" if mode.since_ms else ""
    by = f" by {mode.by}" if mode.by else ""
    click.echo(f"serving: {mode.mode}{since}{by}{': ' if mode.reason else ''}{mode.reason}")
    if mode.by not in ("", WATCHER):
        click.echo(f"{WATCHER} leaves that alone; `liveshelf serving auto` lets it decide again")


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
