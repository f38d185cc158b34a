"""Send a real log to Kafka, keyed by user, at any speed."""

import sys
from pathlib import Path

import click

from jobs._kafka import open_kafka_sink
from jobs._notices import notice
from jobs._options import Config, config_option
from jobs._progress import SendingProgress
from jobs._stopping import EXIT_CODE, stop_on_signals
from pipelines.events.logs import FORMATS, log_format
from pipelines.local.pacing import Pacer, parse_speed
from pipelines.local.replay import ReplaySummary, replay
from pipelines.sources.log_files import LogLines


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--format", "format_name", required=True, help=f"What the log is: {', '.join(FORMATS)}.")
@click.option("--speed", default="max", show_default=True, help="'max', or a multiple of the log's own speed: '60x'.")
@click.option("--limit", type=click.IntRange(min=1), help="Send the first so many lines. Default: all.")
@config_option
def main(file: Path, format_name: str, speed: str, limit: int | None, config: Config) -> None:
    """Send a real log to Kafka, keyed by user, at any speed.

    FILE is a log, plain or gzip, or a folder of them. Sending it again changes nothing: event ids are made from the
    content of each line. Ctrl-C stops after the record at hand, and says how far it got.
    """
    log = log_format(format_name)
    lines = LogLines(file, log.header)
    factor = parse_speed(speed)
    with stop_on_signals() as should_stop, open_kafka_sink(config) as sink:
        with SendingProgress(f"replay {file.name}", lines.total_bytes) as bar:
            summary = replay(
                lines, log, sink, Pacer(factor, should_stop), limit=limit, should_stop=should_stop,
                on_sent=lambda n_sent: bar.show(n_sent, lines.bytes_read),
            )  # fmt: skip
            bar.finish(summary.n_sent, lines.bytes_read)
        _print_summary(summary, sink.n_acknowledged)
    if summary.was_stopped:
        notice(f"stopped after line {summary.n_sent:,}; replay the file again to complete it", "yellow")
        sys.exit(EXIT_CODE)


def _print_summary(summary: ReplaySummary, n_acknowledged: int) -> None:
    click.echo(f"lines read       {summary.n_sent:>12,}")
    click.echo(f"sent, confirmed  {n_acknowledged:>12,}")
    click.echo(f"  broken lines   {summary.n_broken:>12,}  sent as they are")
    click.echo(f"  distinct       {summary.n_distinct:>12,}")
    click.echo(f"  duplicates     {summary.n_duplicates:>12,}")


if __name__ == "__main__":
    main()
