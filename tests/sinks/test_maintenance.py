"""Maintenance beside streams: the same rows in fewer files, whole days deleted, no row read twice."""

import json
import os
import time
from datetime import date, datetime, timedelta, timezone

import pyarrow as pa
import pytest
import yaml
from click.testing import CliRunner
from deltalake import DeltaTable, write_deltalake

from jobs import maintain_tables
from pipelines.errors import ConflictError
from pipelines.schemas import PARTITION_COLUMNS
from pipelines.sinks.maintenance import SMALL_BYTES, Rules, Size, Upkeep, find_tables, maintain
from pipelines.sources.delta import read_stream
from pipelines.streams import start_stream

pytestmark = pytest.mark.spark

TODAY = date(2024, 6, 10)
OLD, YESTERDAY, TOMORROW = (TODAY + timedelta(days=n) for n in (-2, -1, 1))
ROWS = {
    "a1": OLD,
    "a2": OLD,
    "b1": YESTERDAY,
    "b2": YESTERDAY,
    "b3": YESTERDAY,
    "c1": TODAY,
    "c2": TODAY,
    "d1": TOMORROW,
}
KEPT = {event_id: day for event_id, day in ROWS.items() if day >= YESTERDAY}
RULES = Rules(TODAY, {"events": 1, "audits": 1, "quarantine": None}, vacuum_hours=169)


class Lake:
    def __init__(self, spark, root):
        self.spark, self.root, self.read = spark, root, []

    def path(self, name):
        return str(self.root / "lake" / name)

    def write(self, name, **columns):
        table = pa.table({column: [value] for column, value in columns.items()})
        write_deltalake(self.path(name), table, mode="append", partition_by=PARTITION_COLUMNS.get(name))

    def maintain(self, name, **rules):
        return maintain(self.spark, name, self.path(name), Rules(**(vars(RULES) | rules)))

    def rows(self, name):
        return {tuple(row.values()) for row in DeltaTable(self.path(name)).to_pyarrow_dataset().to_table().to_pylist()}

    def n_files_by_day(self):
        days = [path.split("/")[0].removeprefix("event_date=") for path in self._files()]
        return {day: days.count(str(day)) for day in (OLD, YESTERDAY, TODAY, TOMORROW)}

    def all_files(self, name="events"):
        return sorted(str(path) for path in (self.root / "lake" / name).rglob("*"))

    def stream(self):
        """Read what `events` has that was not read before."""
        frame = read_stream(self.spark, self.path("events"), "events", max_bytes_per_trigger="64m")
        self.read.append([])

        def take(batch, batch_id):
            self.read[-1] += sorted(row.event_id for row in batch.select("event_id").collect())

        start_stream(frame, take, name="reader", checkpoint=str(self.root / "checkpoint"), once=True).wait()

    def _files(self):
        return DeltaTable(self.path("events")).get_add_actions(flatten=True)["path"].to_pylist()


def an_unneeded_file(lake, day, hours_old):
    path = lake.root / "lake/events" / f"event_date={day}" / f"left-over-{hours_old}.parquet"
    path.write_bytes(b"0123456789")
    moment = time.time() - hours_old * 3600
    os.utime(path, (moment, moment))
    return path


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory):
    lake = Lake(spark, tmp_path_factory.mktemp("maintenance"))
    for event_id, day in ROWS.items():
        lake.write("events", event_id=event_id, event_date=day)
    for hour in (-1, 0):  # the last hour of the day that is deleted, the first of the one that is kept
        as_of = datetime(2024, 6, 9, tzinfo=timezone.utc) + timedelta(hours=hour)
        lake.write("audits", audit_id=f"{hour}", as_of=as_of)
    for item in "xy":
        lake.write("features/v1/item_features", item_id=item)
    (lake.root / "lake/_scratch/_delta_log").mkdir(parents=True)
    return lake


@pytest.fixture(scope="module")
def events(lake):
    """`events`, looked after between two readings of a stream: what was said before, then what was done."""
    lake.stream()
    unneeded = [an_unneeded_file(lake, YESTERDAY, hours) for hours in (170, 160)]
    before = lake.all_files()
    said = lake.maintain("events", is_dry_run=True)
    is_unchanged = lake.all_files() == before
    done = lake.maintain("events")
    lake.write("events", event_id="new", event_date=YESTERDAY)
    lake.stream()
    return said, is_unchanged, done, [path.exists() for path in unneeded]


def test_a_dry_run_changes_nothing_and_says_what_will_be_done(events):
    said, is_unchanged, done, _ = events

    assert is_unchanged and said.after is None
    assert {**vars(said), "after": done.after} == vars(done)
    assert (done.before.n_files, done.after.n_files, done.compacted.n_files) == (8, 4, 3)


def test_only_whole_old_days_are_deleted_and_only_past_days_compacted(lake, events):
    done = events[2]

    assert (done.deleted_days, done.n_rows_deleted) == ([str(OLD)], 2)
    assert lake.rows("events") == {*KEPT.items(), ("new", YESTERDAY)}
    assert lake.n_files_by_day() == {OLD: 0, YESTERDAY: 2, TODAY: 2, TOMORROW: 1}


def test_a_stream_goes_on_and_reads_no_row_twice(lake, events):
    assert lake.read == [sorted(ROWS), ["new"]]


def test_only_files_that_are_old_enough_are_removed_and_the_table_says_when(lake, events):
    _, _, done, are_there = events

    assert are_there == [False, True] and done.vacuumed == Size(1, 10)
    properties = DeltaTable(lake.path("events")).metadata().configuration
    assert properties == {"delta.deletedFileRetentionDuration": "interval 169 hours"}


def test_a_table_without_partitions_loses_the_rows_of_whole_days_and_a_second_run_finds_nothing(lake):
    done = lake.maintain("audits")
    files = lake.all_files("audits")
    again = lake.maintain("audits")

    assert done.n_rows_deleted == 1 and {row[0] for row in lake.rows("audits")} == {"0"}
    assert (again.n_rows_deleted, again.compacted, again.before) == (0, Size(0, 0), done.after)
    assert lake.all_files("audits") == files


def test_what_is_planned_to_be_combined_is_what_delta_combines(spark):
    bounds = [spark.conf.get(f"spark.databricks.delta.optimize.{bound}FileSize") for bound in ("min", "max")]

    assert bounds == [str(SMALL_BYTES)] * 2


def test_the_tables_are_found_and_nothing_else(lake, spark):
    root = os.path.relpath(lake.root / "lake")  # as the shipped configuration gives it

    names = ["audits", "events", "features/v1/item_features"]
    assert find_tables(spark, root) == {name: f"{root}/{name}" for name in names}


@pytest.fixture
def command(lake, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text(yaml.safe_dump({"lake_root": str(lake.root / "lake")}))
    return lambda *arguments: CliRunner().invoke(maintain_tables.main, ["--config", str(config), *arguments])


def test_the_job_looks_after_the_chosen_tables(lake, command):
    result = command("--json", "--tables", "features/*")

    assert result.exit_code == 0, result.output
    (said,) = json.loads(result.stdout)["tables"]
    assert (said["table"], said["before"]["n_files"], said["after"]["n_files"]) == ("features/v1/item_features", 2, 1)
    assert lake.rows("features/v1/item_features") == {("x",), ("y",)}
    kept = DeltaTable(lake.path("features/v1/item_features")).metadata().configuration
    assert kept["delta.deletedFileRetentionDuration"] == "interval 24 hours"


def test_a_table_that_others_kept_changing_makes_the_job_fail_after_all_others(command, monkeypatch):
    def conflict_on_events(spark, name, path, rules):
        if name == "events":
            raise ConflictError("events: another writer")
        return Upkeep(name, Size(3, 3000), Size(1, 2000), [str(OLD)], 7, Size(2, 100), Size(0, 0))

    monkeypatch.setattr(maintain_tables, "maintain", conflict_on_events)
    result = command()

    assert result.exit_code == 1 and "events: another writer" in result.stderr
    assert "features/v1/item_features" in result.stdout and "3 → 1" in result.stdout


def test_a_table_that_is_not_there_is_named_with_those_that_are(command):
    result = command("--tables", "evnts")

    assert (
        result.exit_code == 1
        and "--tables evnts: no such table in the lake; there are: audits, events" in result.stderr
    )
