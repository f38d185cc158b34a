"""An event in Protobuf is the same event as in JSON; what is no event is null, whatever the bytes."""

import json
import random
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql.types import DoubleType, StringType, StructField

from pipelines.errors import SchemaError
from pipelines.events.extra import with_extra_fields
from pipelines.events.parse import MAX_PARSED_BYTES, TEXT, parse_records
from pipelines.events.protobuf import ProtobufDecoder, with_protobuf_text
from pipelines.events.rules import compile_rules
from pipelines.events.verdicts import with_verdicts
from pipelines.schemas import Contract
from tests.events.builders import SUITE, an_event, kafka_records
from tests.examples import examples
from tests.formats.protobuf_events import a_file, encoded, in_base64, protobuf_value, with_map

FILE = a_file()
GOOD = protobuf_value(7, FILE, an_event())
HEADER = GOOD[:5]
PAYLOAD = GOOD[6:]


def of(*files):
    return (*[(file.name, in_base64(file)) for file in files[:-1]], ("", in_base64(files[-1])))


DECODER = ProtobufDecoder({7: of(FILE)})


def parsed(spark, values, schemas, contract=None):
    records = with_protobuf_text(kafka_records(spark, values), {i: of(file) for i, file in schemas.items()})
    return rows_of(with_extra_fields(parse_records(records, contract), contract))


def rows_of(events):
    return [row.asDict(recursive=True) for row in events.drop("value", "value_bytes").orderBy("offset").collect()]


@pytest.mark.spark
def test_an_event_in_protobuf_equals_the_same_event_in_json(spark):
    (event,) = parsed(spark, [GOOD], {7: FILE})

    as_json = kafka_records(spark, [json.dumps(an_event()).encode()])
    assert event["is_parsed"]
    assert [event] == rows_of(with_extra_fields(parse_records(as_json)))


@pytest.mark.spark
def test_schemas_fields_of_the_configuration_and_unknown_fields(spark):
    contract = Contract((StructField("coupon", StringType()), StructField("discount", DoubleType())))
    newer = a_file(coupon="string", discount="double", color="string")
    values = [GOOD, protobuf_value(8, newer, an_event(coupon="x", discount=0.5, color="red"))]

    old, new = parsed(spark, values, {7: FILE, 8: newer}, contract)

    assert (old["coupon"], old["discount"], old["extra"]) == (None, None, None)
    assert (new["coupon"], new["discount"], new["extra"]) == ("x", 0.5, {"color": '"red"'})


@pytest.mark.parametrize(
    ("kind", "sent", "read"),
    [
        pytest.param("int64", 1_717_243_198_250, 1_717_243_198_250, id="epoch-ms"),
        pytest.param("string", "2024-06-01T11:59:58.250Z", "2024-06-01T11:59:58.250Z", id="text"),
        pytest.param(
            ".google.protobuf.Timestamp", "2024-06-01T11:59:58.25Z", "2024-06-01T11:59:58.250Z", id="timestamp"
        ),
        pytest.param(".google.protobuf.Int64Value", 1_717_243_198_250, 1_717_243_198_250, id="wrapped"),
    ],
)
def test_ways_to_write_a_time(kind, sent, read):
    file = a_file(event_time=kind)

    text = ProtobufDecoder({7: of(file)}).text(protobuf_value(7, file, an_event(event_time=sent)))

    assert json.loads(text)["event_time"] == read


def test_every_kind_of_field_comes_through():
    more = {
        "a_float": ("float", 12.1, 12.1),
        "a_bool": ("bool", True, True),
        "some_bytes": ("bytes", "AP8=", "AP8="),
        "an_enum": (".shop.Status", "OLD", "OLD"),
        "a_list": ("string", ["a", "b"], ["a", "b"]),
        "a_struct": (".google.protobuf.Struct", {"a": [1, None]}, {"a": [1, None]}),
        "not_a_number": ("double", "NaN", "NaN"),
        "endless": ("float", "-Infinity", "-Infinity"),
        "zero": ("int64", 0, 0),
    }
    file = with_map(a_file(("a_list",), **{name: kind for name, (kind, _, _) in more.items()}), "a_map")
    event = an_event(a_map={"a": 1}, **{name: sent for name, (_, sent, _) in more.items()})

    text = ProtobufDecoder({7: of(file)}).text(protobuf_value(7, file, event))

    assert json.loads(text) == {
        **an_event(event_time="2024-06-01T11:59:58.250Z"),
        "a_map": {"a": 1},
        **{name: read for name, (_, _, read) in more.items()},
    }


@pytest.mark.parametrize(
    ("indices", "message", "event"),
    [
        pytest.param(b"\x00", "shop.Event", {"event_id": "e"}, id="the first"),
        pytest.param(b"\x02\x00", "shop.Event", {"event_id": "e"}, id="the first, in full"),
        pytest.param(b"\x02\x04", "shop.Other", {"event_id": "e"}, id="the third"),
        pytest.param(b"\x04\x04\x00", "shop.Other.Inner", {"inner_id": "e"}, id="inside the third"),
    ],
)
def test_the_message_is_the_one_that_the_indices_name(indices, message, event):
    value = HEADER + indices + encoded(FILE, event, message)

    assert json.loads(DECODER.text(value)) == event


def test_a_file_of_another_subject_is_found():
    place = a_file()
    place.name, place.package = "shop/place.proto", "place"
    file = a_file(place=".place.Other")
    file.dependency.append(place.name)
    for message in place.message_type:
        for field in message.field:
            if field.HasField("type_name"):
                field.type_name = field.type_name.replace(".shop.", ".place.")

    decoder = ProtobufDecoder({7: of(place, file)})

    # an event without the field has the same bytes in both
    assert json.loads(decoder.text(GOOD))["event_id"] == "e-1"


def test_a_file_that_nobody_has_is_named():
    file = a_file()
    file.dependency.append("confluent/meta.proto")

    with pytest.raises(SchemaError, match=r"confluent/meta\.proto"):
        ProtobufDecoder({7: of(file)})


DAMAGED: dict[str, bytes | None] = {
    "no value (tombstone)": None,
    "nothing": b"",
    "header alone": HEADER,
    "JSON": json.dumps(an_event()).encode(),
    "wrong magic byte": b"\x01" + GOOD[1:],
    "unknown id": b"\x00\x00\x00\x00\x09" + GOOD[5:],
    "cut by a byte": GOOD[:-1],
    "cut in the time": GOOD[: GOOD.index(b"i-1") - 4],
    "a byte too many": GOOD + b"\x00",
    "a field that its schema does not have": GOOD + b"\xfa\x01\x01x",
    "not UTF-8": GOOD.replace(b"u-1", b"u\xff1"),
    "text of 2 GB": HEADER + b"\x00\x0a\xff\xff\xff\xff\x07abc",
    "a message that is not there": HEADER + b"\x02\x7e" + PAYLOAD,
    "a message before the first": HEADER + b"\x02\x01" + PAYLOAD,
    "fewer indices than none": HEADER + b"\x01" + PAYLOAD,
    "2^62 indices": HEADER + b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + PAYLOAD,
    "a number that does not end": HEADER + b"\xff" * 40,
    "a nested message that is not there": HEADER + b"\x04\x00\x08" + PAYLOAD,
    "larger than the limit": protobuf_value(7, FILE, an_event(query="x" * MAX_PARSED_BYTES)),
}


@pytest.mark.parametrize("name", [name for name in DAMAGED if name != "larger than the limit"])
def test_of_damaged_bytes_there_is_no_text(name):
    assert DECODER.text(DAMAGED[name]) is None


@pytest.fixture(scope="module")
def verdicts_on_damage(spark):
    records = with_protobuf_text(kafka_records(spark, list(DAMAGED.values())), {7: of(FILE)})
    rules = compile_rules(spark, SUITE, Contract().checked)
    rows = with_verdicts(with_extra_fields(parse_records(records)), rules).orderBy("offset").collect()
    return dict(zip(DAMAGED, rows, strict=True))


@pytest.mark.spark
@pytest.mark.parametrize("name", DAMAGED)
def test_every_damage_is_quarantined_with_its_bytes(verdicts_on_damage, name):
    row = verdicts_on_damage[name]

    assert row.rules == ["record_within_size" if name == "larger than the limit" else "record_parseable"]
    assert (None if row.value is None else bytes(row.value)) == DAMAGED[name]


@pytest.mark.spark
def test_what_is_too_large_is_not_decoded(spark):
    large = DAMAGED["larger than the limit"]

    assert with_protobuf_text(kafka_records(spark, [large]), {7: of(FILE)}).first()[TEXT] is None


def test_no_bytes_raise():
    chance = random.Random(5)
    texts = []
    for _ in range(20_000):
        changed = bytearray(GOOD)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(5, len(changed))] = chance.randrange(256)
        texts.append(DECODER.text(bytes(changed)))
        texts.append(DECODER.text(HEADER + chance.randbytes(chance.randint(0, 60))))

    assert None in texts and len(set(texts)) > 100


@pytest.mark.spark
def test_a_value_is_decoded_once(spark, capsys):
    events = parse_records(with_protobuf_text(kafka_records(spark, [GOOD]), {7: of(FILE)}))
    rules = compile_rules(spark, SUITE, Contract().checked)
    verdicts = with_verdicts(with_extra_fields(events), rules)

    for frame in (verdicts, events.where(rules.is_valid).where("event_type = 'click'").select("user", "item_id")):
        frame.explain()
        assert capsys.readouterr().out.count("ArrowEvalPython [protobuf_text(") == 1


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
EVENTS = st.fixed_dictionaries(
    {"event_id": TEXTS, "event_time": st.integers(-(2**40), 2**43)},
    optional={
        **dict.fromkeys(("user_id", "item_id", "query"), TEXTS),
        "quantity": st.integers(-(2**63), 2**63 - 1),
        "price": st.floats(allow_nan=False, allow_infinity=False),
        "position": st.integers(-(2**31), 2**31 - 1),
        "context": st.fixed_dictionaries({}, optional={"device_type": TEXTS}),
    },
)
IN_MS = a_file(event_time="int64")
DECODER_IN_MS = ProtobufDecoder({7: of(IN_MS)})


@settings(max_examples=examples(300), deadline=None, suppress_health_check=list(HealthCheck))
@given(EVENTS)
def test_any_event_is_the_same_in_json(event):
    assert json.loads(DECODER_IN_MS.text(protobuf_value(7, IN_MS, event))) == event


def test_the_reading_of_a_time_keeps_its_milliseconds():
    read = json.loads(DECODER.text(GOOD))["event_time"]

    assert datetime.fromisoformat(read.replace("Z", "+00:00")).microsecond == 250_000
