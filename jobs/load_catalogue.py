"""Load the shop's items, from a file or a Kafka topic, into Delta and Redis: hidden and sold-out ones leave every list.

\b
    liveshelf load_catalogue --file items.csv --complete     all that the shop sells
    liveshelf load_catalogue --file changes.jsonl            some of it
    liveshelf load_catalogue --topic                         follow the topic `catalogue`
    spark-submit --properties-file conf/spark-defaults.conf --py-files dist/pyfiles.zip jobs/load_catalogue.py --topic

Formats by example: docs/catalogue.md. A broken record is filed with its reasons and stops nothing. Safe to run again: an
older record never replaces a newer one.

\b
Reads   a file (CSV, TSV, JSONL or Parquet), or the Kafka topic `catalogue`, keyed by item id
Writes  {lake_root}/catalogue           one row per item
        {lake_root}/catalogue_rejected  the records that are none, with the reasons
        Redis {catalogue}:…             what serves lists and makes them
State   {checkpoint_root}/load_catalogue/v1, with --topic
"""

import sys
from datetime import datetime, timezone

import click
from pyspark.sql import SparkSession
from pyspark.storagelevel import StorageLevel

from jobs._catalogue import catalogue_tables, print_change, print_unknown_fields, renew_holds
from jobs._notices import notice
from jobs._options import config_option, once_option
from jobs._spark import job_session
from pipelines.catalogue.rows import parse_rows
from pipelines.catalogue.values import BrokenValueError, as_ms
from pipelines.config import Config
from pipelines.errors import InputError
from pipelines.local.addresses import with_running_redis, with_running_servers
from pipelines.local.topics import ensure_topic
from pipelines.sources.catalogue import FORMATS, FileFormat, column_names, format_of, from_kafka, read_file, written_ms
from pipelines.sources.kafka import read_records
from pipelines.stores.connection import connect
from pipelines.stores.heartbeat import HeartbeatStore, SharedHeartbeat
from pipelines.streams import start_stream
from pipelines.tally import Tally

JOB = "load_catalogue"


@click.command(help=__doc__)
@config_option
@click.option("--file", "path", metavar="PATH", help="The file, or a folder of files of one format; also .gz.")
@click.option("--format", "file_format", type=click.Choice(FORMATS), help="What it is. Default: by the suffix.")
@click.option("--complete", "is_complete", is_flag=True, help="What is not in the file is not sold any more.")
@click.option("--as-of", metavar="TIME", help="When the file was written, ISO 8601. Default: when it was last changed.")
@click.option(
    "--max-hidden-share", default=0.5, show_default=True, type=click.FloatRange(0, 1),
    help="Load nothing where more than this share of the items that may be shown would not be any more.",
)  # fmt: skip
@click.option("--dry-run", "is_dry_run", is_flag=True, help="Say what a file would change, and change nothing.")
@click.option("--topic", "is_stream", is_flag=True, help="Read the Kafka topic `catalogue.topic` instead of a file.")
@once_option
@click.option("--again", "is_again", is_flag=True, help="Publish what Delta has, for a Redis that lost it.")
def main(
    config: Config, path: str | None, file_format: FileFormat | None, is_complete: bool, as_of: str | None,
    max_hidden_share: float, is_dry_run: bool, is_stream: bool, once: bool, is_again: bool,
) -> None:  # fmt: skip
    if sum((path is not None, is_stream, is_again)) != 1:
        raise InputError("give one of --file PATH, --topic and --again")
    if is_stream:
        _follow(with_running_servers(config), once)
    elif is_again:
        _publish_again(with_running_redis(config))
    elif path is not None:
        kind = file_format or format_of(path)
        with _FileLoad(config, job_session(JOB), path, kind, as_of, is_complete) as load:
            load.dry_run() if is_dry_run else load.run(max_hidden_share)


class _FileLoad:
    """One file, on its way into the tables."""

    def __init__(
        self, config: Config, spark: SparkSession, path: str, file_format: FileFormat, as_of: str | None, complete: bool
    ) -> None:
        told_ms = written_ms(spark, path) if as_of is None else _ms(as_of)
        print_unknown_fields(column_names(spark, path, file_format))
        records = read_file(spark, path, file_format, told_ms)
        self._config, self._told = config, parse_rows(records, config.catalogue.category_separator)
        self._complete_at = datetime.fromtimestamp(told_ms / 1000, timezone.utc) if complete else None

    def __enter__(self) -> "_FileLoad":
        self._told = self._told.persist(StorageLevel.MEMORY_AND_DISK)
        return self

    def __exit__(self, *_: object) -> None:
        self._told.unpersist()

    def dry_run(self) -> None:
        change = catalogue_tables(self._config).change(self._told, self._complete_at, is_whole=True)
        print_change(change, self._told, "would be")

    def run(self, max_hidden_share: float) -> None:
        config = with_running_redis(self._config)
        tables = catalogue_tables(config)
        notice("reading …")
        change = tables.change(self._told, self._complete_at, is_whole=True)
        change.check_share(max_hidden_share)
        notice(f"writing {change.n_told:,} items to Delta and Redis …")
        tables.write(self._told, self._complete_at)
        renew_holds(config)
        print_change(change, self._told, "are")


def _follow(config: Config, once: bool) -> None:
    kafka = config.kafka.model_copy(update={"topic": config.catalogue.topic})
    heartbeat, tally = SharedHeartbeat(HeartbeatStore(connect(str(config.redis.url))), JOB).begin(), Tally()
    ensure_topic(str(kafka.bootstrap_servers), kafka.topic, 1, kafka.max_record_bytes)
    records = read_records(job_session(JOB), kafka, max_offsets=kafka.max_offsets_per_trigger)
    told = parse_rows(from_kafka(records), config.catalogue.category_separator)
    tables = catalogue_tables(config, on_batch=lambda figures: heartbeat.tell_batch(tally.add(figures)))
    renew_holds(config)
    checkpoint = config.checkpoint(JOB, "v1")
    stream = start_stream(told, tables, name=JOB, checkpoint=checkpoint, once=once, pulse=heartbeat.tell)
    notice(f"following the topic {kafka.topic}")
    stream.wait()


def _publish_again(config: Config) -> None:
    n_rows = catalogue_tables(config).publish_all(job_session(JOB))
    n_held = renew_holds(config)
    click.echo(f"published {n_rows:,} items, {n_held:,} held by hand")


def _ms(text: str) -> int:
    try:
        return as_ms(text)
    except BrokenValueError as error:
        raise InputError(f"--as-of: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
