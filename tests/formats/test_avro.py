"""An event in Avro is the same event as in JSON; what is no event is null, whatever the bytes."""

import json
import math
import random
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql.types import DoubleType, StringType, StructField

from pipelines.errors import SchemaError
from pipelines.events.extra import with_extra_fields
from pipelines.events.parse import MAX_PARSED_BYTES, TEXT, parse_records
from pipelines.events.rules import compile_rules
from pipelines.events.verdicts import with_verdicts
from pipelines.events.wire import with_avro_text
from pipelines.schemas import Contract
from tests.events.builders import SUITE, an_event, kafka_records
from tests.formats.avro_events import a_schema, avro_value, definitions, encoded, framed, optional

pytestmark = pytest.mark.spark

SENT_AT = datetime(2024, 6, 1, 11, 59, 58, 250_000, tzinfo=timezone.utc)
EPOCH_MS = 1_717_243_198_250
SCHEMA = a_schema()
GOOD = encoded(SCHEMA, an_event(event_time=SENT_AT))


def parsed(spark, values, schemas, contract=None):
    """All columns but the bytes that came, one row a value."""
    records = with_avro_text(kafka_records(spark, values), {i: definitions(schema) for i, schema in schemas.items()})
    return rows_of(with_extra_fields(parse_records(records, contract), contract))


def parsed_as_json(spark, values, contract=None):
    return rows_of(with_extra_fields(parse_records(kafka_records(spark, values), contract), contract))


def rows_of(events):
    return [row.asDict(recursive=True) for row in events.drop("value", "value_bytes").orderBy("offset").collect()]


def test_an_event_in_avro_equals_the_same_event_in_json(spark):
    (avro,) = parsed(spark, [framed(7, GOOD)], {7: SCHEMA})

    (as_json,) = parsed_as_json(spark, [json.dumps(an_event()).encode()])
    assert avro["is_parsed"]
    assert avro == as_json


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        pytest.param({"type": "long", "logicalType": "timestamp-millis"}, SENT_AT, id="timestamp-millis"),
        pytest.param({"type": "long", "logicalType": "timestamp-micros"}, SENT_AT, id="timestamp-micros"),
        pytest.param(
            {"type": "long", "logicalType": "local-timestamp-millis"}, SENT_AT.replace(tzinfo=None), id="local"
        ),
        pytest.param("long", EPOCH_MS, id="epoch-ms"),
        pytest.param("double", float(EPOCH_MS), id="epoch-ms-as-a-fraction"),
        pytest.param("string", "2024-06-01T13:59:58.250+02:00", id="text"),
        pytest.param(["null", "string"], "2024-06-01T11:59:58.250Z", id="optional-text"),
    ],
)
def test_every_way_to_write_a_time_is_the_same_instant(spark, kind, sent):
    schema = a_schema(event_time=kind)

    (event,) = parsed(spark, [avro_value(7, schema, an_event(event_time=sent))], {7: schema})

    assert event["event_time"] == SENT_AT.replace(tzinfo=None)


def test_microseconds_are_kept(spark):
    schema = a_schema(event_time={"type": "long", "logicalType": "timestamp-micros"})
    sent = SENT_AT + timedelta(microseconds=123)

    (event,) = parsed(spark, [avro_value(7, schema, an_event(event_time=sent))], {7: schema})

    assert event["event_time"] == sent.replace(tzinfo=None)


def test_every_kind_of_field_comes_through(spark):
    status = {"type": "enum", "name": "Status", "symbols": ["new", "old"]}
    kinds = {
        "an_enum": (status, "old", '"old"'),
        "some_bytes": ("bytes", b"\x00\xff", '"AP8="'),
        "a_fixed": ({"type": "fixed", "name": "Two", "size": 2}, b"ab", '"YWI="'),
        "a_decimal": ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, Decimal("1.50"), "1.5"),
        "a_date": ({"type": "int", "logicalType": "date"}, SENT_AT.date(), '"2024-06-01"'),
        "a_float": ("float", 12.1, "12.1"),
        "a_boolean": ("boolean", True, "true"),
        "a_list": ({"type": "array", "items": "string"}, ["a", "b"], '["a","b"]'),
        "a_map": ({"type": "map", "values": "long"}, {"a": 1}, '{"a":1}'),
        "a_record": ({"type": "record", "name": "R", "fields": [{"name": "n", "type": "int"}]}, {"n": 1}, '{"n":1}'),
        "not_a_number": ("double", math.nan, '"NaN"'),
        "a_null": (["null", "string"], None, None),
    }
    schema = a_schema(*[{"name": name, "type": kind} for name, (kind, _, _) in kinds.items()])
    event = an_event(event_time=SENT_AT) | {name: value for name, (_, value, _) in kinds.items()}

    (row,) = parsed(spark, [avro_value(7, schema, event)], {7: schema})

    assert row["extra"] == {name: text for name, (_, _, text) in kinds.items() if text is not None}


def test_what_json_would_break_survives_as_text(spark):
    odd = 'quote " brace } backslash \\ line\nend \x00 \N{REPLACEMENT CHARACTER} \N{PILE OF POO}'

    (event,) = parsed(spark, [avro_value(7, SCHEMA, an_event(event_time=SENT_AT, query=odd))], {7: SCHEMA})

    assert event["query"] == odd


def test_each_value_is_read_by_the_schema_it_was_written_with(spark):
    newer = a_schema(optional("color", "string"), {"name": "coupon", "type": "string", "default": "none"})
    values = [framed(7, GOOD), avro_value(8, newer, an_event(event_time=SENT_AT, color="red", coupon="x"))]

    old, new = parsed(spark, values, {7: SCHEMA, 8: newer})

    assert (old["extra"], new["extra"]) == (None, {"color": '"red"', "coupon": '"x"'})


def test_a_field_of_the_configuration_is_a_column(spark):
    contract = Contract((StructField("coupon", StringType()), StructField("discount", DoubleType())))
    schema = a_schema(optional("coupon", "string"), optional("discount", "double"), optional("color", "string"))
    event = an_event(event_time=SENT_AT, coupon="x", discount=0.5, color="red")

    (row,) = parsed(spark, [avro_value(7, schema, event)], {7: schema}, contract)

    assert (row["coupon"], row["discount"], row["extra"]) == ("x", 0.5, {"color": '"red"'})


def test_a_type_defined_in_another_subject_is_found(spark):
    place = {"type": "record", "name": "Place", "namespace": "shop", "fields": [{"name": "city", "type": "string"}]}
    schema = a_schema({"name": "place", "type": "shop.Place"})
    whole = a_schema({"name": "place", "type": place})
    value = avro_value(7, whole, an_event(event_time=SENT_AT, place={"city": "Ulm"}))
    records = with_avro_text(kafka_records(spark, [value]), {7: (("place", json.dumps(place)), *definitions(schema))})

    (row,) = with_extra_fields(parse_records(records)).collect()

    assert row.extra == {"place": '{"city":"Ulm"}'}


@pytest.mark.parametrize(
    "definition",
    [
        pytest.param('"string"', id="no record"),
        pytest.param('["null", "string"]', id="a union"),
        pytest.param(
            '{"type": "record", "name": "E", "fields": [{"name": "a", "type": "unknown"}]}', id="unknown type"
        ),
        pytest.param(
            '{"type": "record", "name": "E", "fields": [{"name": "a", "type": ["null", "E"]}]}', id="contains itself"
        ),
        pytest.param('{"type": "record"', id="no JSON"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_before_the_stream_starts(spark, definition):
    with pytest.raises((SchemaError, PySparkException, Py4JJavaError, ValueError)):
        with_avro_text(kafka_records(spark, []), {7: (("", definition),)})


def zigzag(number: int) -> bytes:
    number = (number << 1) ^ (number >> 63)
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


LISTS = a_schema({"name": "tags", "type": {"type": "array", "items": "string"}}, {"name": "raw", "type": "bytes"})
UP_TO_THE_LISTS = encoded(LISTS, an_event(event_time=SENT_AT) | {"tags": [], "raw": b""})[:-2]
DAMAGED: dict[str, bytes | None] = {
    "no value (tombstone)": None,
    "nothing": b"",
    "a zero": b"\x00",
    "header alone": framed(7, b""),
    "JSON": json.dumps(an_event()).encode(),
    "wrong magic byte": b"\x01" + framed(7, GOOD)[1:],
    "unknown id": framed(9, GOOD),
    "negative id": b"\x00\xff\xff\xff\xff" + GOOD,
    "id of another schema": framed(8, GOOD),
    "cut by a byte": framed(7, GOOD)[:-1],
    "cut in half": framed(7, GOOD[: len(GOOD) // 2]),
    "a byte too many": framed(7, GOOD + b"\x00"),
    "twice": framed(7, GOOD + GOOD),
    "not UTF-8": framed(7, GOOD.replace(b"u-1", b"u\xff1")),
    "half a character": framed(7, GOOD.replace(b"u-1", b"u-\xc3")),
    "text of 2 GB": framed(7, zigzag(2**31 - 9) + b"abc"),
    "text of 1.5 GB": framed(7, zigzag(1_500_000_000) + b"abc"),
    "text of 2^62 bytes": framed(7, zigzag(2**62) + b"abc"),
    "text of less than nothing": framed(7, zigzag(-5) + b"abc"),
    "a number that does not end": framed(7, b"\xff" * 40),
    "branch of a union that is not there": framed(7, encoded(SCHEMA, an_event(event_time=SENT_AT))[:13] + zigzag(77)),
    "list of 2^31 texts": framed(8, UP_TO_THE_LISTS + zigzag(2**31 - 9)),
    "list of 2^62 texts": framed(8, UP_TO_THE_LISTS + zigzag(2**62)),
    "list of fewer than none": framed(8, UP_TO_THE_LISTS + zigzag(-(2**40)) + zigzag(1) + b"\x00\x00"),
    "bytes of 1.2 GB": framed(8, UP_TO_THE_LISTS + b"\x00" + zigzag(1_200_000_000) + b"abc"),
    "larger than the limit": avro_value(7, SCHEMA, an_event(event_time=SENT_AT, query="x" * MAX_PARSED_BYTES)),
}


@pytest.fixture(scope="module")
def verdicts_on_damage(spark):
    records = kafka_records(spark, list(DAMAGED.values()))
    records = with_avro_text(records, {7: definitions(SCHEMA), 8: definitions(LISTS)})
    rules = compile_rules(spark, SUITE, Contract().checked)
    rows = with_verdicts(with_extra_fields(parse_records(records)), rules).orderBy("offset").collect()
    return dict(zip(DAMAGED, rows, strict=True))


@pytest.mark.parametrize("name", DAMAGED)
def test_every_damage_is_quarantined_with_its_bytes(verdicts_on_damage, name):
    row = verdicts_on_damage[name]

    assert row.rules == ["record_within_size" if name == "larger than the limit" else "record_parseable"]
    assert (None if row.value is None else bytes(row.value)) == DAMAGED[name]


def test_what_is_too_large_is_not_decoded(spark):
    large = DAMAGED["larger than the limit"]

    assert with_avro_text(kafka_records(spark, [large]), {7: definitions(SCHEMA)}).first()[TEXT] is None


def test_a_list_in_blocks_with_their_size_is_read(spark):
    """A negative count is followed by the block's size in bytes: how some writers write long lists."""
    value = framed(8, UP_TO_THE_LISTS + zigzag(-2) + zigzag(4) + b"\x02a\x02b\x00" + b"\x00")

    (row,) = parsed(spark, [value], {8: LISTS})

    assert row["extra"] == {"tags": '["a","b"]', "raw": '""'}


def test_no_bytes_end_the_stream(spark):
    chance = random.Random(5)
    values = [framed(chance.choice((7, 8)), chance.randbytes(chance.randint(0, 80))) for _ in range(2_000)]
    for schema_id, payload in ((7, GOOD), (8, UP_TO_THE_LISTS + b"\x04\x02a\x02b\x00\x02x")):
        for _ in range(1_000):
            changed = bytearray(payload)
            for _ in range(chance.randint(1, 3)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            values.append(framed(schema_id, bytes(changed)))

    rows = parsed(spark, values, {7: SCHEMA, 8: LISTS})

    assert len(rows) == len(values)
    assert any(row["is_parsed"] for row in rows) and not all(row["is_parsed"] for row in rows)


def test_each_schema_decodes_a_value_once(spark, capsys):
    schemas = {7: definitions(SCHEMA), 8: definitions(LISTS)}
    events = parse_records(with_avro_text(kafka_records(spark, [framed(7, GOOD)]), schemas))
    rules = compile_rules(spark, SUITE, Contract().checked)
    verdicts = with_verdicts(with_extra_fields(events), rules)

    for frame in (verdicts, events.where(rules.is_valid).where("event_type = 'click'").select("user", "item_id")):
        frame.explain()
        plan = capsys.readouterr().out
        assert plan.count("from_avro(") == 2


def test_the_text_is_no_column_of_what_is_kept(spark):
    events = parse_records(with_avro_text(kafka_records(spark, [framed(7, GOOD)]), {7: definitions(SCHEMA)}))

    assert events.columns == [*Contract().checked.names, TEXT]
    assert with_extra_fields(events).columns == [*Contract().checked.names, "extra"]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
EVENTS = st.fixed_dictionaries(
    {
        "event_id": TEXTS,
        "event_type": st.sampled_from(["click", "purchase", "search", "", "x"]),
        "event_time": st.integers(-(2**40), 2**43),
    },
    optional={
        **dict.fromkeys(("user_id", "anonymous_id", "session_id", "item_id", "currency", "query", "list_id"), TEXTS),
        "quantity": st.integers(-(2**63), 2**63 - 1),
        "price": st.floats(),
        "position": st.integers(-(2**31), 2**31 - 1),
        "context": st.fixed_dictionaries({}, optional={"device_type": TEXTS, "page_url": TEXTS}),
        "color": TEXTS,
    },
)


@settings(
    max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)  # to shrink an example takes minutes
@given(st.lists(EVENTS, min_size=60, max_size=60))
def test_any_event_gives_the_same_columns_in_both_formats(spark, events):
    schema = a_schema(optional("color", "string"), event_time="long")

    avro = parsed(spark, [avro_value(7, schema, event) for event in events], {7: schema})

    as_json = parsed_as_json(spark, [json.dumps(event).encode() for event in events])
    pairs = enumerate(zip(avro, as_json, strict=True))
    differing = [(n, name, a[name], j[name]) for n, (a, j) in pairs for name in j if repr(a[name]) != repr(j[name])]
    assert differing == []
