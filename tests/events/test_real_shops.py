"""Two real logs, judged row by row as their dirt says: what breaks a rule is found again by reading the files another way."""

import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.events.logs import log_format, read_line
from pipelines.events.parse import parse_records
from pipelines.events.rules import compile_rules
from pipelines.schemas import Contract
from pipelines.sources.log_files import LogLines
from tests.events.builders import SUITE

DATA = Path(__file__).parents[3] / "shared/data"
NOW = datetime(2024, 6, 1)
CHUNK_ROWS = 50_000

pytestmark = pytest.mark.spark


def log_of(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"NOT TESTED on real data: {name} is not at ../shared/data")
    return path


def as_parquet(path: Path, format_name: str, folder: Path) -> None:
    """The records of a log as Kafka would hand them over; the offset is the number of the line."""
    log = log_format(format_name)
    records = (read_line(line, log) for line in LogLines(path, log.header))
    rows = [(record.key, record.value, n) for n, record in enumerate(records)]
    for start in range(0, len(rows), CHUNK_ROWS):
        keys, values, offsets = zip(*rows[start : start + CHUNK_ROWS], strict=True)
        constants = {"topic": "t", "timestamp": pa.scalar(NOW, pa.timestamp("us", "UTC"))}
        n = len(keys)
        columns = {
            "key": pa.array(keys, pa.binary()), "value": pa.array(values, pa.binary()), "offset": pa.array(offsets),
            "partition": pa.array([0] * n, pa.int32()), **{name: pa.array([v] * n) for name, v in constants.items()},
        }  # fmt: skip
        pq.write_table(pa.table(columns), folder / f"{start:09}.parquet")


def judged(spark, folder: Path) -> dict[int, tuple[str | None, tuple[str, ...]]]:
    """Line number → (event_id, broken rules)."""
    events = parse_records(spark.read.parquet(str(folder)))
    rules = compile_rules(spark, SUITE, Contract().checked)
    rows = events.select("offset", "event_id", rules.broken_rules().alias("rules")).toArrow().to_pylist()
    return {row["offset"]: (row["event_id"], tuple(row["rules"])) for row in rows}


def rows_of(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Each line as it stands, and its fields."""
    for file in [path] if path.is_file() else sorted(path.glob("*.csv.gz")):
        with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
            next(lines)
            for line in lines:
                yield line, next(csv.reader([line]))


def dirt_of_online_retail(fields: list[str]) -> tuple[str, ...]:
    _, code, _, quantity, _, price, customer, _ = fields
    return tuple(
        rule
        for rule, is_broken in (
            ("user_present", not customer),
            ("item_id_present", not code.strip()),
            ("item_id_well_formed", bool(re.search(r"\s", code.strip()))),
            ("price_in_range", float(price) < 0),
            ("quantity_in_range", not 1 <= int(quantity) <= 1_000_000),
        )
        if is_broken
    )


def test_a_year_of_online_retail_is_judged_as_its_rows_are(spark, tmp_path):
    path = log_of("online-retail")
    as_parquet(path, "online-retail", tmp_path)
    verdicts = judged(spark, tmp_path)

    lines = list(rows_of(path))
    dirt = {n: dirt_of_online_retail(fields) for n, (_, fields) in enumerate(lines)}
    assert {n: rules for n, (_, rules) in verdicts.items() if rules != dirt[n]} == {}
    assert len(verdicts) == len(lines)

    assert Counter(rule for rules in dirt.values() for rule in rules) == {
        "user_present": 114_975,  # "empty in a quarter of the rows"
        "quantity_in_range": 9_602,  # cancellations and corrections of the stock
        "item_id_well_formed": 33,  # BANK CHARGES: no id has a blank inside
        "price_in_range": 2,
    }
    accepted = [n for n, (_, rules) in verdicts.items() if not rules]
    assert (len(verdicts), len(accepted)) == (467_822, 344_818)
    assert len({verdicts[n][0] for n in accepted}) == len({lines[n][0] for n in accepted}) == 340_726


def test_three_hours_of_rees46_are_judged_as_their_rows_are(spark, tmp_path):
    path = log_of("rees46/2019-10-01.csv.gz")
    as_parquet(path, "rees46", tmp_path)
    verdicts = judged(spark, tmp_path)

    lines = [line for line, _ in rows_of(path)]
    last = len(lines) - 1  # it is cut in the middle
    assert {n: rules for n, (_, rules) in verdicts.items() if rules} == {last: ("record_parseable",)}
    assert (len(verdicts), len(set(lines[:-1])), len({verdicts[n][0] for n in range(last)})) == (17_435, 17_429, 17_429)
    assert sum(fields[6] == "0.00" for _, fields in rows_of(path)) == 19  # free of charge: the rules let them pass
