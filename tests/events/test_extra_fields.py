import pytest

from pipelines.events.extra import WHOLE_RECORD, with_extra_fields
from pipelines.events.parse import parse_records
from tests.events.builders import a_value, kafka_records

pytestmark = pytest.mark.spark

CLEAR = {
    "none": ({}, None),
    "text": ({"color": "red"}, {"color": '"red"'}),
    "number": ({"n": 1.5}, {"n": "1.5"}),
    "null": ({"n": None}, {"n": "null"}),
    "object": ({"o": {"b": [1, "x"], "a": True}}, {"o": '{"a":true,"b":[1,"x"]}'}),
    "empty name": ({"": 1}, {"": "1"}),
    "two": ({"a": 1, "b": 2}, {"a": "1", "b": "2"}),
}
UNCLEAR = {
    "name twice": b'"color":"red","color":"blue"',
    "name twice inside": b'"o":{"a":1,"a":2}',
}


def extras_of(spark, values):
    return [row.extra for row in with_extra_fields(parse_records(kafka_records(spark, values))).collect()]


def test_unknown_fields_are_kept_as_json_text(spark):
    extras = extras_of(spark, [a_value(**fields) for fields, _ in CLEAR.values()])

    assert dict(zip(CLEAR, extras, strict=True)) == {name: kept for name, (_, kept) in CLEAR.items()}


def test_a_record_whose_fields_cannot_be_told_apart_is_kept_whole(spark):
    values = [a_value()[:-1] + b"," + raw + b"}" for raw in UNCLEAR.values()]

    assert extras_of(spark, values) == [{WHOLE_RECORD: value.decode()} for value in values]


def test_a_record_that_is_not_parsed_has_none(spark):
    assert extras_of(spark, [b"{", None, a_value(price="x", color="red")]) == [None, None, None]


def test_a_value_that_json_has_not_becomes_text(spark):
    (extra,) = extras_of(spark, [a_value()[:-1] + b',"q":NaN}'])

    assert extra == {"q": '"NaN"'}


def test_many_unknown_fields_cost_no_more_than_their_number(spark):
    many = {f"f{n}": n for n in range(20_000)}

    (extra,) = extras_of(spark, [a_value(**many)])

    assert extra == {name: str(value) for name, value in many.items()}


def test_known_fields_alone_are_none_also_where_the_text_is_not_strict_json(spark):
    assert extras_of(spark, [a_value(price="@").replace(b'"@"', b"NaN")]) == [None]
