"""What a fix and today's rules make of quarantined records."""

import json
from datetime import datetime, timedelta

import pytest
from pyspark.sql import functions as F

from examples.fixes import seconds_to_milliseconds
from pipelines.events.fixes import mend
from pipelines.events.parse import parse_records
from pipelines.events.rules import compile_rules
from pipelines.events.second_look import accepted, judge_again, open_rows, summarize, with_coordinates
from pipelines.schemas import QUARANTINE, REPLAYS, Contract
from tests.events.builders import SUITE, a_value

pytestmark = pytest.mark.spark

NOON = datetime(2024, 6, 1, 12)
SECONDS = a_value(event_time=1_717_243_198)


def a_row(record_id, value=b"{", rules=("event_time_not_ancient",), offset=0, minutes=0):
    came = NOON + timedelta(minutes=minutes)
    row = {"record_id": record_id, "rules": list(rules), "ruleset": "x", "key": b"k", "value": value, "topic": "t"}
    row |= {"partition": 0, "offset": offset, "ingest_time": came, "ingest_date": came.date()}
    return tuple(row[name] for name in QUARANTINE.names)


def quarantine(spark, *rows):
    return spark.createDataFrame(list(rows), QUARANTINE)


def replays(spark, *record_ids):
    rows = [{"record_id": record_id, "value": SECONDS, "key": b"u-1"} for record_id in record_ids]
    return spark.createDataFrame([tuple(row.get(name) for name in REPLAYS.names) for row in rows], REPLAYS)


@pytest.fixture(scope="module")
def rules(spark):
    return compile_rules(spark, SUITE, Contract().checked)


@pytest.fixture
def judge(spark, rules):
    def run(rows, fix=None, now=NOON):
        return judge_again(mend(rows, fix), rules, parse_records, now)

    return run


def test_open_are_the_first_of_each_record_that_broke_the_rule_and_was_not_replayed(spark):
    rows = quarantine(
        spark,
        a_row("a", offset=9, minutes=0),
        a_row("a", offset=1, minutes=60),
        a_row("b", offset=2, minutes=1, rules=["price_in_range", "event_time_not_ancient"]),
        a_row("c", offset=3, rules=["price_in_range"]),
        a_row("d", offset=4),
    )

    found = open_rows(rows, replays(spark, "d"), "event_time_not_ancient")

    assert sorted((row.record_id, row.offset) for row in found.collect()) == [("a", 9), ("b", 2)]
    oldest = open_rows(rows, replays(spark, "d"), "event_time_not_ancient", limit=1)
    assert [row.record_id for row in oldest.collect()] == ["a"]


def test_every_outcome_has_its_name(spark, judge):
    def fix(value):
        if b"raise" in value:
            raise ValueError("no luck\n" + "x" * 1_000)
        if b"other type" in value:
            return value.decode()
        return None if b"leave" in value else seconds_to_milliseconds(value)

    rows = quarantine(
        spark,
        a_row("accepted", SECONDS, offset=1),
        a_row("refused", a_value(event_time=1_717_243_198, price=-1, position=-1), offset=2),
        a_row("left", b"leave me", offset=3),
        a_row("tombstone", None, offset=4),
        a_row("raised", b"raise", offset=5),
        a_row("wrong", b"other type", offset=6),
    )

    judged = {row.record_id: row for row in judge(rows, fix).collect()}

    assert {name: row.outcome for name, row in judged.items()} == {
        "accepted": "accepted",
        "refused": "refused",
        "left": "left_alone",
        "tombstone": "left_alone",
        "raised": "failed",
        "wrong": "failed",
    }
    assert judged["refused"].broken == ["price_in_range", "position_in_range"]
    assert judged["raised"].fix_error.startswith("ValueError: no luck") and len(judged["raised"].fix_error) <= 300
    assert judged["wrong"].fix_error == "it returned str, expected bytes or None"
    accepted_row = judged["accepted"]
    assert json.loads(accepted_row.value)["event_time"] == 1_717_243_198_000
    assert (bytes(accepted_row.key), accepted_row.event_id) == (b"u-1", "e-1")


def test_the_summary_counts_a_record_for_each_rule_it_breaks_and_names_errors(spark, judge):
    rows = quarantine(
        spark,
        a_row("r1", a_value(price=-1, position=-1), offset=1),
        a_row("r2", a_value(price=-1), offset=2),
        a_row("ok", a_value(), offset=3),
    )

    look = summarize(judge(rows))

    assert look.n_by_outcome == {"accepted": 1, "refused": 2} and look.n_tried == 3
    assert [(e.what, e.n_records, e.record_id) for e in look.broken] == [
        ("price_in_range", 2, "r1"),
        ("position_in_range", 1, "r1"),
    ]
    errors = summarize(judge(rows, lambda value: 1 / 0)).errors
    assert [(e.what, e.n_records) for e in errors] == [("ZeroDivisionError: division by zero", 3)]


def test_a_record_is_judged_as_of_now(spark, judge):
    """Ahead of Kafka when it came, and not any more when it is sent again."""
    rows = quarantine(spark, a_row("a", a_value(event_time="2024-06-01T13:00:00Z")))

    assert [row.outcome for row in judge(rows).collect()] == ["refused"]
    assert [row.outcome for row in judge(rows, now=NOON + timedelta(hours=1)).collect()] == ["accepted"]


def test_what_is_sent_is_what_was_judged_even_if_the_fix_is_never_the_same_twice(spark, judge):
    def fix(value):
        import random

        number = random.random()
        return json.dumps(json.loads(value) | {"event_id": f"e-{number}", "price": number - 0.5}).encode()

    rows = quarantine(spark, *[a_row(f"r{n}", a_value(), offset=n) for n in range(50)])

    judged = judge(rows, fix).collect()

    assert {row.outcome for row in judged} == {"accepted", "refused"}
    for row in judged:
        event = json.loads(row.value)
        assert event["event_id"] == row.event_id
        assert (event["price"] < 0) == (row.outcome == "refused")


def test_plans_are_judged_each_for_itself(spark, judge):
    planned = replays(spark, "a", "b").withColumn(
        "value", F.when(F.col("record_id") == "a", F.lit(a_value())).otherwise(F.lit(b"{"))
    )

    assert [row.record_id for row in accepted(judge(with_coordinates(planned))).collect()] == ["a"]
