"""How new a table is, without Spark; and how far a stream is that reads one."""

import json
from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from pipelines.errors import InputError
from pipelines.sources.checkpoints import next_table_version
from pipelines.sources.table_ages import ROW_TIMES, TableAge, tables_in

NOON = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


@pytest.fixture
def path(tmp_path) -> str:
    return str(tmp_path / "lake" / "events")


def write(path: str, *minutes: int, day: str = "2026-03-01", mode: str = "append") -> int:
    """Add rows of so many minutes after noon in one commit; returns when it was made, epoch ms."""
    times = pa.array([NOON + timedelta(minutes=each) for each in minutes], pa.timestamp("us", "UTC"))
    write_deltalake(
        path,
        pa.table({"ingest_time": times, "event_date": [day] * len(minutes)}),
        mode=mode,
        partition_by=["event_date"],
    )
    return DeltaTable(path).history(1)[0]["timestamp"]


def test_the_newest_row_is_one_of_the_newest_commit(path):
    write(path, 1, 9)
    write(path, 3, 5)
    write(path, 2, day="2026-02-28")

    assert TableAge(path).newest_row_ms("ingest_time") == ms(NOON + timedelta(minutes=2))


def test_of_one_commit_the_newest_row_counts_whatever_its_partition(path):
    times = pa.array([NOON, NOON + timedelta(minutes=4)], pa.timestamp("us", "UTC"))
    write_deltalake(path, pa.table({"ingest_time": times, "event_date": ["b", "a"]}), partition_by=["event_date"])

    assert TableAge(path).newest_row_ms("ingest_time") == ms(NOON + timedelta(minutes=4))


def test_compaction_makes_nothing_newer(path):
    at_ms = [write(path, minute) for minute in range(3)]
    DeltaTable(path).optimize.compact()
    DeltaTable(path).vacuum(dry_run=False)

    age = TableAge(path)
    assert [commit.at_ms for commit in age.commits] == at_ms[::-1]
    assert age.newest_row_ms(None) == at_ms[-1]


def test_without_a_column_the_commit_counts_and_a_table_without_rows_has_none(path):
    columns = pa.schema([("ingest_time", pa.timestamp("us", "UTC")), ("event_date", pa.string())])
    DeltaTable.create(path, columns, partition_by=["event_date"])
    assert TableAge(path).newest_row_ms("ingest_time") is None

    assert write(path, 1) == TableAge(path).newest_row_ms(None)


def test_commits_wait_from_the_first_that_was_not_read(path):
    at_ms = [write(path, minute) for minute in range(3)]

    age = TableAge(path)
    assert age.waiting_since_ms(1) == (2, at_ms[1])
    assert age.waiting_since_ms(3) == (0, None)


@pytest.mark.parametrize(
    "make", [lambda path: None, lambda path: (path.mkdir(parents=True), (path / "x").write_text("y"))]
)
def test_a_table_that_is_not_there_is_named(tmp_path, make):
    make(tmp_path / "gone")

    with pytest.raises(InputError, match=r"no table at .*gone"):
        TableAge(str(tmp_path / "gone"))


def test_tables_of_the_lake_are_found(tmp_path):
    for name in ("events", "features/v2/user_features"):
        write(str(tmp_path / name), 1)

    assert tables_in(str(tmp_path)) == ["events", "features/v2/user_features"]


def test_the_time_of_a_row_is_a_column_of_its_table():
    from pipelines.schemas import TABLES

    assert {name: column for name, column in ROW_TIMES.items() if column not in TABLES[name].names} == {}
    assert set(TABLES) - set(ROW_TIMES) == set()


def test_a_stream_that_has_no_checkpoint_begins_with_the_first_version(tmp_path):
    assert next_table_version(tmp_path) == 0


@pytest.mark.spark
def test_a_stream_is_so_far_in_a_table_as_spark_says(spark, tmp_path, path):
    from pipelines.sources.delta import read_stream
    from pipelines.streams import start_stream

    def run() -> None:
        rows = read_stream(spark, path, "events", max_bytes_per_trigger="64m")
        start_stream(rows, lambda batch, _: None, name="t", checkpoint=str(tmp_path / "checkpoint"), once=True).wait()

    for minute in range(3):
        write(path, minute)
    run()
    assert TableAge(path).waiting_since_ms(next_table_version(tmp_path / "checkpoint")) == (0, None)

    DeltaTable(path).optimize.compact()
    at_ms = write(path, 5)
    assert TableAge(path).waiting_since_ms(next_table_version(tmp_path / "checkpoint")) == (1, at_ms)
    run()
    assert TableAge(path).waiting_since_ms(next_table_version(tmp_path / "checkpoint")) == (0, None)
    told = (tmp_path / "checkpoint/offsets/1").read_text().splitlines()[-1]
    assert "reservoirVersion" in json.loads(told)
