"""Send the events of a simulated shop to Kafka, or write them to a file."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, get_args

import click
import orjson

from jobs._kafka import open_kafka_sink
from jobs._notices import notice
from jobs._options import Config, config_option
from jobs._progress import SendingProgress
from jobs._stopping import EXIT_CODE, stop_on_signals
from pipelines.errors import InputError
from pipelines.events.logs import KafkaRecord
from pipelines.local.pacing import Pacer
from pipelines.local.shop import Plant, Shop, ShopConfig, Truth
from pipelines.local.shop.items import item_records
from pipelines.local.shop.planted import PlantKind
from pipelines.sinks.jsonl import JsonlSink

RATE_IN_A_HURRY = 500.0  # events/s of the shop's own time, when it is sent as fast as possible


class RecordSink(Protocol):
    def send(self, record: KafkaRecord) -> None: ...
    def flush(self) -> None: ...


@click.command()
@click.option("--events", "n_events", default=100_000, show_default=True, help="Distinct good events.")
@click.option("--users", "n_users", default=2_000, show_default=True, help="People, known and anonymous.")
@click.option("--items", "n_items", default=1_000, show_default=True, help="Items in the catalogue.")
@click.option("--rate", default="max", show_default=True, help="Events per second, or 'max'.")
@click.option("--seed", default=7, show_default=True, help="Another seed, another shop.")
@click.option("--start-ms", type=int, help="Time of the first event, epoch ms. Default: so that events happen now.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write this file, a record a line.")
@click.option(
    "--plant", type=click.Choice(get_args(PlantKind)), help="Let something change, for `detect_drift` to find."
)
@click.option(
    "--plant-after", default=0.8, show_default=True, type=click.FloatRange(0, 1), help="After this share of the events."
)
@click.option(
    "--catalogue",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the shop's items to this file, for `load_catalogue`, and send nothing.",
)
@config_option
def main(
    *, n_events: int, n_users: int, n_items: int, rate: str, seed: int, start_ms: int | None, out: Path | None,
    plant: PlantKind | None, plant_after: float, catalogue: Path | None, config: Config,
) -> None:  # fmt: skip
    """Send the events of a simulated shop to Kafka, or write them to a file.

    Among the good events there are retries, late ones and broken ones of every kind. The summary says what must come
    out. With --rate max the events happened just before now; the same --seed and --start-ms give the same bytes.
    """
    per_second = _parse_rate(rate)
    shop_seconds = n_events / (per_second or RATE_IN_A_HURRY)
    begin_ms = round(time.time() * 1000 - (0 if per_second else shop_seconds * 1000)) if start_ms is None else start_ms
    shop = Shop(
        ShopConfig(
            n_users=n_users, n_items=n_items, n_events=n_events, events_per_second=per_second or RATE_IN_A_HURRY,
            seed=seed, start_ms=begin_ms,
        ),
        Plant(plant, round(plant_after * n_events)) if plant else None,
    )  # fmt: skip
    if catalogue is not None:
        catalogue.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in item_records(shop)))
        click.echo(f"wrote {n_items:,} items to {catalogue}")
        return
    opened: AbstractContextManager[RecordSink] = open_kafka_sink(config) if out is None else JsonlSink(out)
    with stop_on_signals() as should_stop, opened as sink:
        truth = _send(shop, sink, Pacer(1.0 if per_second else None, should_stop), should_stop)
    _print_summary(truth)
    if should_stop():
        notice("stopped before the end; the summary is of what was sent", "yellow")
        sys.exit(EXIT_CODE)


def _send(shop: Shop, sink: RecordSink, pacer: Pacer, should_stop: Callable[[], bool]) -> Truth:
    truth = Truth(shop)
    with SendingProgress("simulate", shop.config.n_events) as bar:
        for shop_record in shop.records():
            pacer.wait_until(shop_record.send_at_ms)
            if should_stop():
                break
            sink.send(shop_record.record)
            truth.add(shop_record)
            bar.show(truth.n_sent, truth.n_good)
        sink.flush()
        bar.finish(truth.n_sent, truth.n_good)
    return truth


def _parse_rate(text: str) -> float | None:
    """None for "max". Raises InputError."""
    if text == "max":
        return None
    try:
        rate = float(text.removesuffix("/s"))
    except ValueError:
        rate = 0.0
    if rate <= 0:
        raise InputError(f"--rate: expected events per second, such as 500, or 'max', got '{text}'")
    return rate


def _print_summary(truth: Truth) -> None:
    click.echo(f"sent               {truth.n_sent:>12,}")
    click.echo(f"  good, distinct   {truth.n_good:>12,}")
    click.echo(f"  broken, distinct {truth.n_broken:>12,}")
    click.echo(f"  duplicates       {truth.n_duplicates:>12,}")
    at_least_5 = sum(n >= 5 for n in truth.interactions.values())
    click.echo(f"users              {len(truth.interactions):>12,}  {at_least_5:,} of them with 5 interactions or more")
    for rule, n in sorted(truth.broken_by_rule.items()):
        click.echo(f"  {rule:<24} {n:>6,}")


if __name__ == "__main__":
    main()
