"""The table `replays`: planned once, sent, marked; interrupted anywhere."""

from datetime import datetime, timedelta

import pytest
from delta.tables import DeltaTable

from pipelines.sinks.replays import Replays

pytestmark = pytest.mark.spark

NOON = datetime(2024, 6, 1, 12)
LATER = NOON + timedelta(hours=1)


class Table:
    def __init__(self, spark, path):
        self.spark, self.replays = spark, Replays(spark, str(path))
        self.sent = []

    def plan(self, *record_ids, value=b"{}", now=NOON):
        rows = [(record_id, f"e-{record_id}", b"u-1", value) for record_id in record_ids]
        frame = self.spark.createDataFrame(rows, "record_id string, event_id string, key binary, value binary")
        return self.replays.plan(frame, rule="r", fix=None, ruleset="s", now=now)

    def send(self, now=NOON):
        return self.replays.send(self.replays.unsent(), self._take, now)

    def _take(self, rows):
        self.sent += sorted(bytes(row.value).decode() + row.record_id for row in rows.collect())

    def rows(self):
        stored = self.spark.read.format("delta").load(self.replays.path).orderBy("record_id").collect()
        return [(row.record_id, row.planned_at, row.sent_at) for row in stored]


@pytest.fixture
def table(spark, tmp_path):
    return Table(spark, tmp_path / "replays")


def test_what_is_planned_is_sent_and_marked(table):
    assert table.plan("a", "b") == 2
    assert table.send(LATER) == 2

    assert table.sent == ["{}a", "{}b"]
    assert table.rows() == [("a", NOON, LATER), ("b", NOON, LATER)]
    assert table.replays.unsent().isEmpty()


def test_a_plan_that_is_repeated_changes_nothing(table):
    table.plan("a", value=b"first")
    table.send()

    assert table.plan("a", value=b"second", now=LATER) == 0
    assert table.plan("a", "b", value=b"second", now=LATER) == 1
    table.send(LATER)
    assert table.sent == ["firsta", "secondb"]
    assert table.rows() == [("a", NOON, NOON), ("b", LATER, LATER)]


def test_dead_before_it_was_sent_the_same_bytes_go_later(table):
    table.plan("a", value=b"planned")

    def die(rows):
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        table.replays.send(table.replays.unsent(), die, NOON)
    assert table.rows() == [("a", NOON, None)]

    assert table.send(LATER) == 1
    assert table.sent == ["planneda"]
    assert table.rows() == [("a", NOON, LATER)]


def test_dead_before_it_was_marked_the_same_bytes_go_again(table, monkeypatch):
    table.plan("a")

    def die(*_):
        raise RuntimeError("killed")

    with monkeypatch.context() as killed:
        killed.setattr(Replays, "mark_sent", die)
        with pytest.raises(RuntimeError, match="killed"):
            table.send()
    table.send(LATER)

    assert table.sent == ["{}a", "{}a"]
    assert table.rows() == [("a", NOON, LATER)]


def test_only_what_was_sent_is_marked(table):
    """Another run may plan between the look at what is unsent and the mark."""
    table.plan("a")
    unsent = table.replays.unsent()
    table.plan("b")

    assert table.replays.send(unsent, table._take, NOON) == 1
    assert table.rows() == [("a", NOON, NOON), ("b", NOON, None)]


def test_the_mark_stays_as_it_was_first_set(table):
    table.plan("a")
    unsent = table.replays.unsent().persist()
    table.replays.mark_sent(unsent, NOON)
    table.replays.mark_sent(unsent, LATER)

    assert table.rows() == [("a", NOON, NOON)]


def test_without_a_table_there_is_nothing_unsent(table, spark):
    assert table.replays.unsent().isEmpty()
    assert not DeltaTable.isDeltaTable(spark, table.replays.path)
