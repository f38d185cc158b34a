"""The collector's check and the stream's rules say the same of thousands of generated events, judged by Spark in one batch."""

import asyncio
import json
import random
from datetime import timezone
from typing import Any

import pytest
from pyspark.sql.types import BooleanType, DoubleType, LongType, StringType, StructField

from pipelines.collecting.checks import RULES, EventCheck
from pipelines.collecting.intake import Intake, Sender
from pipelines.collecting.json_text import loads
from pipelines.collecting.metrics import Metrics
from pipelines.events.parse import parse_records
from pipelines.events.rules import compile_rules
from pipelines.events.suite import load_suite
from pipelines.schemas import EVENT_TYPES, Contract
from tests.collecting.builders import FakeProducer
from tests.events.builders import INGEST_TIME, SUITE, an_event, kafka_records
from tests.events.test_dirty_records import CASES

pytestmark = pytest.mark.spark

N_EVENTS = 6_000
NOW_MS = int(INGEST_TIME.replace(tzinfo=timezone.utc).timestamp() * 1000)
CONTRACT = Contract(
    (
        StructField("shelf", StringType()),
        StructField("visits", LongType()),
        StructField("weight", DoubleType()),
        StructField("is_gift", BooleanType()),
    )
)

ANYTHING = [
    *("null", "true", "false", '""', '"x"', "0", "1", "-1", "1.5", "1.0", "1e2", "-0.0", "{}", "[]", '{"a":1}', "[1]"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551617", "1e300", '"NaN"', '"1"', '[{"a":[null]}]'),
]
IDS = [
    *(json.dumps("x" * n) for n in (1, 127, 128, 129)),
    *(json.dumps("\U0001f600" * n) for n in (128, 129)),
    *(
        json.dumps(f"a{c}b")
        for c in ' \t\n\x00\x1f\x7f\x80\xa0\u1680\u200b\u200f\u2010\u2028\u202f\u2060\u3000\ufeff\ue000"\\/é'
    ),
    *(json.dumps(c) for c in ("[a", "a[", "{}", "{}x", "{x}", "{", "a{}", "'", " a", "a ")),
]
NUMBERS = [
    *("1000000", "1000001", "100000", "100001", "10000000000", "10000000000.01", "10000000001", "0.01", "-0.01"),
    *("1e10", "1.0000000001e10", "2.5e-3", "1" + "0" * 400, "-1" + "0" * 400),
]
TIMES = [
    *(str(NOW_MS + ahead) for ahead in (0, 299_999, 300_000, 300_001, 10**9)),
    *(
        "946684800000",
        "946684799999",
        "946684799999.9",
        "946684800000.5",
        "1717243198250.7",
        "253402300799999",
        "1717243198",
    ),
    *map(
        json.dumps,
        [
            *(
                "2024-06-01",
                "2024-06-01T",
                "2024-06-01T1",
                "2024-06-01 10:30",
                "2024-06-01T10:30Z",
                "2024-06-01T10:30:5Z",
            ),
            *(
                "2024-06-01T10:30:05.123Z",
                "2024-06-01T10:30:05.Z",
                "2024-06-01T10:30:05.1234567891Z",
                "2024-06-01t10:30:05Z",
            ),
            *(
                "2024-06-01T10:30:05+02:00",
                "2024-06-01T10:30:05+2",
                "2024-06-01T10:30:05+0200",
                "2024-06-01T10:30:05 +18:00",
            ),
            *(
                "2024-06-01T10:30:05+18:01",
                "2024-06-01T10:30:05-14:60",
                "2024-06-01T10:30:05 Europe/Berlin",
                "2023-02-29",
            ),
            *(
                "2024-06-01T10:30:05GMT+2",
                "2024-06-01T10:30:05UTC+0230",
                "2024-06-01T10:30:05europe/berlin",
                "2024-06-01\n",
            ),
            *(
                " 2024-06-01",
                "2024-6-1",
                "2024-06",
                "+2024-06-01",
                "0001-01-01",
                "9999-12-31T23:59:59.999Z",
                "1999-12-31",
            ),
            *("2000-01-01", "2000-01-01T00:00:00+00:01", "1999-12-31T23:59:59-01:00", "2024-06-01T12:05:00.000Z"),
            *(
                "2024-06-01T12:05:00.001Z",
                "2024-06-01T24:00:00Z",
                "2024-06-01T23:59:60Z",
                "1717243198250",
                " 1717243198250 ",
            ),
            *(
                "1.717243198250e12",
                "1717243198250d",
                "1717243198250.",
                "1,717",
                "1_717",
                "inf",
                "yesterday",
                "2024-06-01T10:30:05,5",
            ),
        ],
    ),
]
VALUES = {
    **{name: [*ANYTHING, *IDS] for name in ("event_id", "user_id", "anonymous_id", "session_id", "item_id")},
    "event_type": [*ANYTHING, *map(json.dumps, [*EVENT_TYPES, "CLICK", "click ", "wishlist"])],
    "event_time": [*ANYTHING, *TIMES],
    "price": [*ANYTHING, *NUMBERS],
    "quantity": [*ANYTHING, *NUMBERS],
    "position": [*ANYTHING, *NUMBERS],
    "currency": [*ANYTHING, *map(json.dumps, ["EUR", "eur", "EURO", "EU", "EUR\n", "ЕUR", "€", "E R", "123"])],
    "query": ANYTHING,
    "list_id": ANYTHING,
    "context": [*ANYTHING, '{"device_type":"tv","page_url":null}', '{"device_type":{"a":1}}', '{"location":7}'],
    **{name: [*ANYTHING, '"Infinity"', '"-INF"', '"+Infinity"'] for name in ("shelf", "visits", "weight", "is_gift")},
}


def generated() -> list[bytes]:
    """Events with none to three fields changed to odd values, and the dirty records of the rules' own test."""
    chance = random.Random(20)
    texts = [value for value, _ in CASES.values() if value is not None and len(value) < 500_000]
    for name, values in VALUES.items():  # every value once, by itself
        texts += [with_values({name: value}) for value in values]
    while len(texts) < N_EVENTS:
        names = chance.sample(list(VALUES), k=chance.choice([0, 1, 2, 2, 3]))
        texts.append(with_values({name: chance.choice(VALUES[name]) for name in names}, chance.choice(EVENT_TYPES)))
    return texts


def with_values(values: dict[str, str], event_type: str = "product_view") -> bytes:
    base = {name: json.dumps(value) for name, value in an_event(event_type=event_type, query="mugs").items()}
    return ("{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in {**base, **values}.items()) + "}").encode()


@pytest.fixture(scope="module")
def collected() -> tuple[list[bytes], dict[int, Any], dict[int, bytes]]:
    """(What was sent to the collector, its faults, what it sent on), by number."""
    texts, faults, sent_on = generated(), {}, {}
    check = EventCheck(CONTRACT)
    for number, text in enumerate(texts):
        try:
            event = loads(text)
        except ValueError:
            faults[number] = "record_parseable"
            continue
        fault = check(event, NOW_MS)
        if fault:
            faults[number] = fault.rule
            continue
        producer = FakeProducer()
        intake = Intake(check, producer, Metrics(), "drop_ids", 5, now_ms=lambda: NOW_MS)
        asyncio.run(intake.take([event], Sender("s", "events", "mobile", "DE")))
        ((_, sent_on[number]),) = producer.sent
    return texts, faults, sent_on


@pytest.fixture(scope="module")
def by_the_rules(spark, collected) -> tuple[list[list[str]], dict[int, tuple[list[str], str]]]:
    """(Broken rules of what was sent to the collector, broken rules and user of what it sent on)."""
    texts, _, sent_on = collected
    rules = compile_rules(spark, SUITE, CONTRACT.checked)
    rows = parse_records(kafka_records(spark, [*texts, *sent_on.values()]), CONTRACT)
    judged = {
        row.offset: (row.rules, row.user)
        for row in rows.select("offset", rules.broken_rules().alias("rules"), "user").collect()
    }
    numbers = enumerate(sent_on, start=len(texts))
    return [judged[n][0] for n in range(len(texts))], {number: judged[offset] for offset, number in numbers}


def test_there_is_enough_of_both(collected):
    texts, faults, sent_on = collected

    assert len(texts) >= N_EVENTS and len(faults) + len(sent_on) == len(texts)
    assert min(len(faults), len(sent_on)) > N_EVENTS / 5


def test_what_the_collector_sends_on_breaks_no_rule(collected, by_the_rules):
    texts, _, _ = collected

    assert {texts[number]: broken for number, (broken, _) in by_the_rules[1].items() if broken} == {}


def test_what_the_collector_rejects_breaks_the_rule_that_it_names(collected, by_the_rules):
    """In the stream a value of a wrong type makes the whole record unreadable; the collector names the field's rule.
    To the collector NaN is no JSON; to the stream it is a price out of range."""
    texts, faults, _ = collected
    broken = by_the_rules[0]

    wrong = {
        texts[n]: (rule, broken[n])
        for n, rule in faults.items()
        if rule not in broken[n] and not (broken[n] and "record_parseable" in (rule, *broken[n]))
    }

    assert wrong == {}


def test_the_record_is_keyed_by_the_user_that_the_stream_sees(collected, by_the_rules):
    _, _, sent_on = collected
    users = {number: loads(value).get("user_id") or loads(value)["anonymous_id"] for number, value in sent_on.items()}

    assert {number: user for number, (_, user) in by_the_rules[1].items()} == users


def test_every_rule_of_one_event_is_known_here():
    """A new rule of the shipped suite is to be written here too."""
    of_the_suite = {rule.name for rule in load_suite(SUITE) if rule.severity == "quarantine"}

    assert of_the_suite == set(RULES) - {"event_within_depth"}
