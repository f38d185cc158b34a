"""Show the whole suite at work on this machine: clicks in, personal lists out.

Starts a Kafka broker, a Valkey server and the two streams, sends the simulated shop (or a log of yours) through them,
shows what happens, and proves at the end that nothing was lost or counted twice. Everything is in .liveshelf/demo.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import click
import orjson
from rich.console import Console

from jobs._options import Config, config_option
from pipelines.catalogue.parse import Rejected, parse_item
from pipelines.errors import InputError, LiveshelfError, ServerError
from pipelines.events.logs import FORMATS, KafkaRecord, log_format, read_line
from pipelines.local.demo import screen
from pipelines.local.demo.checks import Check, check_audits, check_users
from pipelines.local.demo.feed import Feed
from pipelines.local.demo.home import demo_home, written_config
from pipelines.local.demo.watch import JOBS, Watcher
from pipelines.local.processes import OwnedProcess, last_lines
from pipelines.local.servers import EmbeddedServers, ensure_topic
from pipelines.local.shop import Shop, ShopConfig
from pipelines.local.shop.items import item_records
from pipelines.sinks.kafka import KafkaRecordSink
from pipelines.sources.log_files import LogLines
from pipelines.stores.catalogue import CatalogueStore
from pipelines.stores.connection import connect

HOT_JOB = "personalize"
FAST_RATE = 500.0  # events per second of the shop's own time, when --rate is 0
START_SECONDS = 180.0
DRAIN_SECONDS = 300.0
CONSOLE = Console()


@click.command(help=__doc__)
@click.option("--events", type=click.Path(path_type=Path), help="A log to replay. Default: the simulated shop.")
@click.option("--format", "format_name", type=click.Choice(list(FORMATS)), help="What the log is.")
@click.option("--n-events", default=30_000, show_default=True, help="How much the simulated shop sends.")
@click.option("--rate", default=500.0, show_default=True, help="Events per second; 0: as fast as it goes.")
@click.option("--keep", is_flag=True, help="When all is sent and checked, keep servers and streams until Ctrl-C.")
@click.option("--resume", is_flag=True, help="Go on with the data of the last demo instead of starting anew.")
@config_option
def main(
    config: Config, events: Path | None, format_name: str | None, n_events: int, rate: float, keep: bool, resume: bool
) -> None:
    shop = None
    if events is None:
        shop = _shop_of_today(n_events, rate)
        feed = Feed(_records_of_shop(shop, format_name), rate or None)
    else:
        feed = Feed(_records_of_log(events, format_name), rate or None)
    home = demo_home(fresh=not resume)
    CONSOLE.print("starting Kafka and Valkey …")
    with EmbeddedServers(home, config.kafka, config.redis) as servers:
        config, config_path = written_config(home, config, servers.bootstrap_servers, servers.redis_url)
        ensure_topic(
            servers.bootstrap_servers, config.kafka.topic, config.kafka.partitions, config.kafka.max_record_bytes
        )
        if shop:
            _load_catalogue(config, shop)
        jobs = [OwnedProcess(job, home, port=0) for job in JOBS]
        try:
            checks = _run(config, config_path, feed, jobs)
            if keep:
                _stay(config_path, jobs, servers)
        finally:
            feed.stop()
            for job in jobs:
                job.stop()
    if not all(check.is_kept for check in checks):
        raise LiveshelfError("a promise was not kept; see above")


def _records_of_shop(shop: Shop, format_name: str | None) -> Iterator[KafkaRecord]:
    if format_name:
        raise InputError("--format says what --events holds: give both, or neither for the simulated shop")
    return (sent.record for sent in shop.records())


def _records_of_log(events: Path, format_name: str | None) -> Iterator[KafkaRecord]:
    if format_name is None:
        raise InputError(f"{events}: say with --format what it is: {', '.join(FORMATS)}")
    log = log_format(format_name)
    return (read_line(line, log) for line in LogLines(events, log.header))


def _shop_of_today(n_events: int, rate: float) -> Shop:
    """A shop whose events happen as they are sent; sent as fast as it goes, they happened just before."""
    config = ShopConfig(n_events=n_events, events_per_second=rate or FAST_RATE)
    begin_s = time.time() - (0.0 if rate else config.duration_seconds)
    return Shop(replace(config, start_ms=int(begin_s * 1000)))


def _load_catalogue(config: Config, shop: Shop) -> None:
    """Write the shop's items to Redis alone: a job of Spark more would take seconds, and nothing here reads them from Delta."""
    separator = config.catalogue.category_separator
    read = [parse_item(told, separator=separator, as_of_ms=shop.config.start_ms) for told in item_records(shop)]
    written = CatalogueStore(connect(str(config.redis.url))).write(
        item for item in read if not isinstance(item, Rejected)
    )
    CONSOLE.print(
        f"put {written.n_new:,} items of the catalogue into Redis (`load_catalogue` files a shop's in Delta too)"
    )


def _run(config: Config, config_path: Path, feed: Feed, jobs: list[OwnedProcess]) -> list[Check]:
    client = connect(str(config.redis.url))
    watcher = Watcher(config, client, feed)
    _start(jobs, config_path, watcher)
    with screen.Screen(CONSOLE) as shown:
        with KafkaRecordSink(
            str(config.kafka.bootstrap_servers), config.kafka.topic, config.kafka.max_record_bytes
        ) as sink:
            feed.start(sink)
            while feed.is_running and not all(watcher.look().n_committed.values()):
                _watch_for(0.25, watcher, shown, jobs, "warming up: the first micro-batches …")
            feed.go_on()
            while feed.is_running:
                _watch_for(0.25, watcher, shown, jobs, "sending …")
        if feed.error:
            raise feed.error
        deadline = time.monotonic() + DRAIN_SECONDS
        while not watcher.all_is_committed():
            _watch_for(0.25, watcher, shown, jobs, "all is sent; the streams catch up …")
            if time.monotonic() > deadline:
                raise ServerError(f"the streams did not catch up within {DRAIN_SECONDS:g} s; see {jobs[0].log.parent}")
        shown.show(watcher.look(), "checking …")
    last = watcher.look()
    checks = [*_reconciled(config_path, feed), *check_users(config, client)]
    if config.validation.audit_seconds:
        checks.append(check_audits(watcher.look().heartbeats["validate_events"]))
    CONSOLE.print(screen.figures(last, 0.0), screen.featured(last, feed.featured_clicks), screen.verdict(checks))
    return checks


def _start(jobs: list[OwnedProcess], config_path: Path, watcher: Watcher) -> None:
    """Start both streams side by side, and wait for both: what is sent before would only wait in Kafka."""
    for job in jobs:
        command = [*_yielding(job.name), sys.executable, "-m", "jobs", job.name, "--config", str(config_path)]
        job.start(command, is_ready=lambda: True, timeout_seconds=START_SECONDS)
    deadline = time.monotonic() + START_SECONDS
    with CONSOLE.status("starting the streams (Spark, Great Expectations) …"):
        while not all(watcher.has_started(job.name) for job in jobs):
            _check_alive(jobs)
            if time.monotonic() > deadline:
                raise ServerError(f"the streams did not start within {START_SECONDS:g} s; see {jobs[0].log.parent}")
            time.sleep(0.25)


def _yielding(job: str) -> list[str]:
    """On one machine the hot path comes first: filing in Delta, in no hurry, leaves it the cores."""
    nice = shutil.which("nice")
    return [nice, "-n", "10"] if nice and job != HOT_JOB else []


def _watch_for(seconds: float, watcher: Watcher, shown: screen.Screen, jobs: list[OwnedProcess], doing: str) -> None:
    _check_alive(jobs)
    shown.show(watcher.look(), doing)
    time.sleep(seconds)


def _check_alive(jobs: list[OwnedProcess]) -> None:
    for job in jobs:
        if not job.is_running:
            raise ServerError(f"{job.name} has ended by itself. Its log {job.log} ends:\n{last_lines(job.log)}")


def _reconciled(config_path: Path, feed: Feed) -> list[Check]:
    """What `liveshelf reconcile_events` finds, against what was sent."""
    command = [sys.executable, "-m", "jobs", "reconcile_events", "--json", "--config", str(config_path)]
    with CONSOLE.status("reconciling every record of the topic with Delta …"):
        run = subprocess.run(command, capture_output=True, check=False)
    if not run.stdout:
        raise ServerError(f"reconcile_events failed:\n{run.stderr.decode(errors='replace')[-2_000:]}")
    fates = orjson.loads(run.stdout)
    n_kept = fates["n_valid"] + fates["n_quarantined"]
    sums = f"{fates['n_produced']:,} = {fates['n_valid']:,} + {fates['n_quarantined']:,} + {fates['n_duplicates']:,}"
    return [
        Check("produced = valid + quarantined + duplicates", run.returncode == 0, sums),
        Check("every record that was sent is in Kafka", fates["n_produced"] >= feed.n_sent, f"{feed.n_sent:,} sent"),
        Check(
            "each distinct record is kept once",
            n_kept >= feed.n_distinct,
            f"{n_kept:,} kept, {feed.n_distinct:,} distinct sent",
        ),
    ]


def _stay(config_path: Path, jobs: list[OwnedProcess], servers: EmbeddedServers) -> None:
    CONSOLE.print(
        f"\nIt all goes on. In another terminal:\n  export LIVESHELF_CONFIG={config_path}\n  liveshelf show list USER\n"
        "  liveshelf simulate --rate 50\n  liveshelf status\nCtrl-C ends it.",
        highlight=False,
    )
    ended: set[str] = set()
    try:
        while not servers.dead():
            ended |= _tell_ended(job for job in jobs if job.name not in ended)
            time.sleep(0.5)
        raise ServerError("; ".join(servers.dead()))
    except KeyboardInterrupt:
        CONSOLE.print("stopping …")


def _tell_ended(jobs: Iterable[OwnedProcess]) -> set[str]:
    """Say which streams have ended and how to go on: whoever tries what a death does wants all else to live."""
    ended = [job for job in jobs if not job.is_running]
    for job in ended:
        CONSOLE.print(f"{job.name} has ended: see {job.log}. To go on: liveshelf {job.name}", highlight=False)
    return {job.name for job in ended}


if __name__ == "__main__":
    main()
