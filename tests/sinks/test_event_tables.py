from datetime import datetime, timedelta

import pytest
from delta.tables import DeltaTable

from pipelines.schemas import Contract
from pipelines.sinks.delta import EventTables
from tests.streams import CountedSink, forget_last_commit, run_once

pytestmark = pytest.mark.spark

NOON = datetime(2024, 6, 1, 12)
VERDICTS = Contract().verdicts
RETRY_SLACK = timedelta(minutes=10)
_EMPTY = dict.fromkeys(VERDICTS.names)


def a_valid(event_id, offset=0, partition=0, event_time=NOON, ingest_time=NOON, warnings=()):
    return _EMPTY | {
        "event_id": event_id, "event_type": "page_view", "user": "u-1", "event_time": event_time, "rules": [],
        "event_date": event_time.date(), "topic": "t", "partition": partition, "offset": offset,
        "ingest_time": ingest_time, "warnings": list(warnings),
    }  # fmt: skip


def a_broken(record_id, offset=0, rules=("record_parseable",), ingest_time=NOON):
    return _EMPTY | {
        "record_id": record_id, "value": b"{", "rules": list(rules), "topic": "t", "partition": 0, "offset": offset,
        "ingest_time": ingest_time, "ingest_date": ingest_time.date(),
    }  # fmt: skip


class Lake:
    def __init__(self, spark, root):
        self.spark, self.events_path, self.quarantine_path = spark, str(root / "events"), str(root / "quarantine")
        self.reports = []
        self.shown = []
        self.sink = EventTables(
            self.events_path,
            self.quarantine_path,
            event_dedupe_minutes=RETRY_SLACK.total_seconds() / 60,
            quarantine_dedupe_days=7,
            on_batch=self.reports.append,
            observe=lambda rows, batch_id: self.shown.append((batch_id, rows.count())),
        )

    def frame(self, rows):
        return self.spark.createDataFrame([tuple(row[name] for name in VERDICTS.names) for row in rows], VERDICTS)

    def write(self, *rows):
        self.sink(self.frame(rows), 0)
        return self.reports[-1]

    def events(self):
        return sorted((r.event_id, r.partition, r.offset) for r in self._read(self.events_path))

    def quarantined(self):
        return sorted((r.record_id, r.offset) for r in self._read(self.quarantine_path))

    def n_commits(self, path):
        return DeltaTable.forPath(self.spark, path).history().count()

    def _read(self, path):
        return self.spark.read.format("delta").load(path).collect() if DeltaTable.isDeltaTable(self.spark, path) else []


@pytest.fixture
def lake(spark, tmp_path):
    return Lake(spark, tmp_path)


def test_valid_and_broken_rows_go_to_their_tables(lake):
    report = lake.write(
        a_valid("a", 0, warnings=["event_not_late"]),
        a_broken("r", 1),
        a_broken("s", 2, ["price_in_range", "user_present"]),
    )

    assert lake.events() == [("a", 0, 0)]
    assert lake.quarantined() == [("r", 1), ("s", 2)]
    assert report.pop("duration_ms") >= 0
    assert report == {
        "batch_id": 0,
        "n_rows": 3,
        "n_valid": 1,
        "n_quarantined": 2,
        "quarantined_by_rule": {"price_in_range": 1, "record_parseable": 1, "user_present": 1},
        "warned_by_rule": {"event_not_late": 1},
        "last_quarantined": {"price_in_range": "s", "record_parseable": "r", "user_present": "s"},
        "n_known_already": 0,
    }
    assert lake.write(a_valid("b", 3))["last_quarantined"] == {}
    assert lake.shown == [(0, 3), (0, 1)]


def test_what_was_known_already_is_counted(lake):
    lake.write(a_valid("a", 0), a_broken("r", 1))

    assert lake.write(a_valid("a", 2), a_valid("b", 3), a_valid("b", 4), a_broken("r", 5))["n_known_already"] == 3


def test_a_replayed_batch_changes_nothing(spark, lake, tmp_path):
    source, checkpoint, sink = tmp_path / "source", tmp_path / "checkpoint", CountedSink(lake.sink)
    lake.frame([a_valid("a", 0), a_broken("r", 1)]).write.parquet(str(source))
    run_once(spark, source, VERDICTS, sink, checkpoint)
    lake.frame([a_valid("b", 2), a_valid("a", 3), a_broken("s", 4)]).write.mode("append").parquet(str(source))
    run_once(spark, source, VERDICTS, sink, checkpoint)
    written = lake.events(), lake.quarantined()

    forgotten = forget_last_commit(checkpoint)
    run_once(spark, source, VERDICTS, sink, checkpoint)

    assert sink.batch_ids == [0, 1, 1] and forgotten == 1
    assert (lake.events(), lake.quarantined()) == written == ([("a", 0, 0), ("b", 0, 2)], [("r", 1), ("s", 4)])


def test_a_crash_between_the_two_commits_heals(spark, lake, tmp_path, monkeypatch):
    source, checkpoint, sink = tmp_path / "source", tmp_path / "checkpoint", CountedSink(lake.sink)
    lake.frame([a_valid("a", 0), a_broken("r", 1)]).write.parquet(str(source))

    def crash(*_):
        raise RuntimeError("killed")

    with monkeypatch.context() as killed:
        killed.setattr(EventTables, "_insert_quarantine", crash)
        with pytest.raises(Exception, match="killed"):
            run_once(spark, source, VERDICTS, sink, checkpoint)
    assert (lake.events(), lake.quarantined()) == ([("a", 0, 0)], [])

    run_once(spark, source, VERDICTS, sink, checkpoint)

    assert sink.batch_ids == [0, 0]
    assert (lake.events(), lake.quarantined()) == ([("a", 0, 0)], [("r", 1)])


def test_reading_all_again_with_a_new_checkpoint_changes_nothing(spark, lake, tmp_path):
    source = tmp_path / "source"
    lake.frame([a_valid("a", 0), a_valid("a", 1), a_broken("r", 2)]).write.parquet(str(source))
    for checkpoint in ("first", "second"):
        run_once(spark, source, VERDICTS, lake.sink, tmp_path / checkpoint)

    assert len(lake.reports) == 2
    assert (lake.events(), lake.quarantined()) == ([("a", 0, 0)], [("r", 2)])


def test_of_duplicates_in_a_batch_the_first_by_partition_and_offset_stays(lake):
    lake.write(
        a_valid("a", 9, partition=1), a_valid("a", 7, partition=0), a_valid("a", 3, partition=1), a_valid("a", 8),
        a_broken("r", 6), a_broken("r", 5),
    )  # fmt: skip

    assert (lake.events(), lake.quarantined()) == ([("a", 0, 7)], [("r", 5)])


def test_a_retry_days_later_is_known(lake):
    lake.write(a_valid("a", 0, event_time=NOON))
    lake.write(a_valid("b", 1, event_time=NOON + timedelta(days=9)))
    lake.write(a_valid("a", 2, event_time=NOON), a_valid("c", 3, event_time=NOON + timedelta(days=9)))

    assert lake.events() == [("a", 0, 0), ("b", 0, 1), ("c", 0, 3)]


def test_a_retry_with_a_new_time_soon_after_is_known_also_over_midnight(lake):
    before_midnight = datetime(2024, 6, 1, 23, 55)
    lake.write(a_valid("a", 0, event_time=before_midnight))
    lake.write(a_valid("a", 1, event_time=before_midnight + RETRY_SLACK))

    assert lake.events() == [("a", 0, 0)]


@pytest.mark.parametrize(("minutes_later", "is_another_event"), [(10, False), (11, True)])
def test_the_guarantee_reaches_as_far_as_the_sink_says(lake, minutes_later, is_another_event):
    lake.write(a_valid("a", 0, event_time=NOON))
    lake.write(a_valid("a", 1, event_time=NOON + timedelta(minutes=minutes_later)))

    assert len(lake.events()) == (2 if is_another_event else 1)
    assert "at most 10 minutes apart" in lake.sink.guarantee and "once in 7 days" in lake.sink.guarantee


def test_files_of_other_times_are_not_read(spark, lake, tmp_path):
    lake.write(a_valid("morning", 0, event_time=NOON - timedelta(hours=5)))
    lake.write(a_valid("other day", 1, event_time=NOON - timedelta(days=1)))
    for data in (tmp_path / "events").rglob("*.parquet"):
        data.write_bytes(b"unreadable")

    lake.write(a_valid("noon", 2, event_time=NOON))

    assert lake.n_commits(lake.events_path) == 4


def test_events_of_more_days_than_the_condition_lists_are_still_known(lake):
    days = [NOON + timedelta(days=n) for n in range(40)]
    rows = [a_valid(f"e{n}", n, event_time=day) for n, day in enumerate(days)]
    lake.write(*rows)
    lake.write(*[row | {"offset": row["offset"] + 100} for row in rows])

    assert [offset for _, _, offset in sorted(lake.events(), key=lambda row: row[2])] == list(range(40))


@pytest.mark.parametrize(("days_later", "is_kept_again"), [(7, False), (8, True)])
def test_the_same_broken_bytes_are_kept_once_within_some_days(lake, days_later, is_kept_again):
    lake.write(a_broken("r", 0))
    lake.write(a_broken("r", 1, ingest_time=NOON + timedelta(days=days_later)))

    assert len(lake.quarantined()) == (2 if is_kept_again else 1)


def test_a_batch_without_broken_rows_leaves_quarantine_alone(lake):
    lake.write(a_valid("a"))

    assert not DeltaTable.isDeltaTable(lake.spark, lake.quarantine_path)


def test_no_batch_stays_in_memory(spark, lake):
    def kept():
        names = [str(rdd.name()) for rdd in dict(spark.sparkContext._jsc.getPersistentRDDs()).values()]
        return [name for name in names if "Delta Table State" not in name]  # Delta's own cache, one per table

    before = kept()
    for n in range(3):
        lake.write(a_valid(f"a{n}", n), a_broken(f"r{n}", n))

    assert kept() == before
