"""What each kind of dirt is called. All cases go through Spark as one frame."""

import gzip
import json

import pytest

from pipelines.events.parse import MAX_PARSED_BYTES, parse_records
from pipelines.events.rules import compile_rules
from pipelines.schemas import Contract
from tests.events.builders import SUITE, a_value, an_event, kafka_records

pytestmark = pytest.mark.spark

GOOD = a_value()
TEXT = GOOD.decode()


def with_raw(name: str, raw: str) -> bytes:
    """The event with `raw` JSON in the place of one value."""
    return a_value(**{name: "@"}).replace(b'"@"', raw.encode())


def of_size(n_bytes: int) -> bytes:
    padding = n_bytes - len(a_value(query=""))
    return a_value(query="x" * padding)


UNPARSED: dict[str, bytes | None] = {
    "not JSON": b"<html>502 Bad Gateway</html>",
    "no value (tombstone)": None,
    "nothing": b"",
    "blanks": b" \n ",
    "JSON null": b"null",
    "a number": b"42",
    "a text": b'"click"',
    "a list": f"[{TEXT}]".encode(),
    "cut off": GOOD[:-9],
    "two events, one line each": GOOD + b"\n" + GOOD,
    "two events, with a comma": GOOD + b"," + GOOD,
    "rubbish after it": GOOD + b"xx",
    "a brace too many": GOOD + b"}",
    "braces the wrong way": GOOD + b"}{",
    "null byte inside": GOOD.replace(b"u-1", b"u\x00-1"),
    "null byte after it": GOOD + b"\x00",
    "control character inside": GOOD.replace(b"u-1", b"u\x01-1"),
    "byte order mark": b"\xef\xbb\xbf" + GOOD,
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16 without mark": TEXT.encode("utf-16-le"),
    "Latin-1": a_value(query="@").replace(b"@", b"caf\xe9"),
    "UTF-16, big end first": TEXT.encode("utf-16-be"),
    "UTF-8 of too many bytes": GOOD.replace(b"u-1", b"u\xc0\xad1"),
    "half a surrogate pair": GOOD.replace(b"u-1", b"u\xed\xa0\x80"),
    "gzip": gzip.compress(GOOD),
    "single quotes": TEXT.replace('"', "'").encode(),
    "a comment": b"/* click */" + GOOD,
    "nested 5,000 deep": with_raw("more", "[" * 5000 + "]" * 5000),
    "nested and never closed": with_raw("more", "[" * 100_000),
    "a number of 2,000 digits": with_raw("price", "1" + "0" * 2000),
    "price as words": a_value(price="cheap"),
    "price as numeric text": a_value(price="12.50"),
    "quantity as text": a_value(quantity="2"),
    "position as text": a_value(position="first"),
    "price as true": a_value(price=True),
    "price as an object": a_value(price={"value": 12.5, "currency": "EUR"}),
    "price as a list": a_value(price=[1]),
    "leading zero": with_raw("price", "01.5"),
    "half a piece": a_value(quantity=1.5),
    "quantity beyond 64 bits": with_raw("quantity", "9" * 20),
    "context as text": a_value(context="mobile"),
    "context as a list": a_value(context=[]),
}
BROKEN: dict[str, tuple[bytes | None, str]] = {
    **{name: (value, "record_parseable") for name, value in UNPARSED.items()},
    "2 MB": (of_size(2_000_000), "record_within_size"),
    "2 MB that is not JSON": (b"x" * 2_000_000, "record_within_size"),
    "a byte above the limit": (of_size(MAX_PARSED_BYTES + 1), "record_within_size"),
    "an empty object": (b"{}", "event_id_present event_type_known user_present event_time_present"),
    "no event id": (a_value(event_id=...), "event_id_present"),
    "null event id": (a_value(event_id=None), "event_id_present"),
    "empty event id": (a_value(event_id=""), "event_id_present"),
    "event id of 129 characters": (a_value(event_id="x" * 129), "event_id_well_formed"),
    "blank in event id": (a_value(event_id="e 1"), "event_id_well_formed"),
    "line break after event id": (a_value(event_id="e-1\n"), "event_id_well_formed"),
    "escaped null in event id": (a_value(event_id="e-1\x00"), "event_id_well_formed"),
    "zero-width space in event id": (a_value(event_id="e\u200b1"), "event_id_well_formed"),
    "object as event id": (a_value(event_id={"id": 1}), "event_id_well_formed"),
    "list as event id": (a_value(event_id=[1]), "event_id_well_formed"),
    "unknown type": (a_value(event_type="wishlist_share"), "event_type_known"),
    "no type": (a_value(event_type=...), "event_type_known"),
    "empty type": (a_value(event_type=""), "event_type_known"),
    "type in capitals": (a_value(event_type="CLICK"), "event_type_known"),
    "type with a Cyrillic letter": (a_value(event_type="\u0441lick"), "event_type_known"),
    "type in full width": (a_value(event_type="\uff43lick"), "event_type_known"),
    "type with a blank": (a_value(event_type="click "), "event_type_known"),
    "type as a list": (a_value(event_type=["click"]), "event_type_known"),
    "no user": (a_value(user_id=..., anonymous_id=...), "user_present"),
    "empty user": (a_value(user_id="", anonymous_id=""), "user_present"),
    "blank in user": (a_value(user_id="some one"), "user_well_formed"),
    "escaped null in user": (a_value(user_id="u\x00"), "user_well_formed"),
    "no-break space in user": (a_value(user_id="u\xa01"), "user_well_formed"),
    "right-to-left mark in user": (a_value(user_id="u\u202e1"), "user_well_formed"),
    "list as user": (a_value(user_id=["u-1"]), "user_well_formed"),
    "bad anonymous id where it counts": (a_value(user_id=..., anonymous_id="a\t1"), "user_well_formed"),
    "blank in session": (a_value(session_id="s 1"), "session_id_well_formed"),
    "no time": (a_value(event_time=...), "event_time_present"),
    "time as words": (a_value(event_time="yesterday"), "event_time_present"),
    "clock without a date": (a_value(event_time="10:30"), "event_time_present"),
    "30 February": (a_value(event_time="2024-02-30T00:00:00Z"), "event_time_present"),
    "leap second": (a_value(event_time="2016-12-31T23:59:60Z"), "event_time_present"),
    "a zone 25 hours away": (a_value(event_time="2024-06-01T12:00:00+25:00"), "event_time_present"),
    "hour 25": (a_value(event_time="2024-05-01T25:00:00Z"), "event_time_present"),
    "day first": (a_value(event_time="01.06.2024 11:59"), "event_time_present"),
    "Arabic digits": (a_value(event_time="\u0662\u0660\u0662\u0664-06-01"), "event_time_present"),
    "time as an object": (a_value(event_time={"$date": 1_717_243_198_250}), "event_time_present"),
    "time beyond all numbers": (with_raw("event_time", "1e300"), "event_time_present"),
    "time as true": (a_value(event_time=True), "event_time_present"),
    "time in 2099": (a_value(event_time="2099-01-01T00:00:00Z"), "event_time_not_ahead"),
    "six minutes ahead": (a_value(event_time="2024-06-01T12:06:00Z"), "event_time_not_ahead"),
    "epoch seconds": (a_value(event_time=1_717_243_198), "event_time_not_ancient"),
    "a clock never set": (a_value(event_time="1970-01-01T00:00:00Z"), "event_time_not_ancient"),
    "before 1970": (a_value(event_time=-1), "event_time_not_ancient"),
    "cart without item": (a_value(event_type="add_to_cart", item_id=...), "item_id_present"),
    "impression without item": (a_value(event_type="impression", item_id=""), "item_id_present"),
    "quote in item": (a_value(item_id='i"1'), "item_id_well_formed"),
    "search without query": (a_value(event_type="search"), "query_present"),
    "search with empty query": (a_value(event_type="search", query=""), "query_present"),
    "negative price": (a_value(price=-0.01), "price_in_range"),
    "NaN": (with_raw("price", "NaN"), "price_in_range"),
    "NaN as text": (a_value(price="NaN"), "price_in_range"),
    "infinity": (with_raw("price", "Infinity"), "price_in_range"),
    "infinity by size": (with_raw("price", "1e999"), "price_in_range"),
    "negative infinity": (with_raw("price", "-1e999"), "price_in_range"),
    "no piece": (a_value(quantity=0), "quantity_in_range"),
    "minus two pieces": (a_value(quantity=-2), "quantity_in_range"),
    "currency in small letters": (a_value(currency="eur"), "currency_well_formed"),
    "currency and a line break": (a_value(currency="EUR\n"), "currency_well_formed"),
    "currency in Cyrillic": (a_value(currency="\u0415UR"), "currency_well_formed"),
    "currency sign": (a_value(currency="\u20ac"), "currency_well_formed"),
    "negative position": (a_value(position=-1), "position_in_range"),
    "two faults": (a_value(price=-1, event_type="x"), "event_type_known price_in_range"),
}
FINE: dict[str, bytes] = {
    "all fields": GOOD,
    "only what is needed": json.dumps(
        {"event_id": 7, "event_type": "page_view", "anonymous_id": "a", "event_time": 1_717_243_198_250}
    ).encode(),
    "blanks around it": b" \n" + GOOD + b"\r\n",
    "a byte less than too large": of_size(MAX_PARSED_BYTES),
    "id of 128 characters": a_value(event_id="x" * 128),
    "id in another script": a_value(user_id="用户一", item_id="товар-1"),
    "id in braces": a_value(event_id="{3f2504e0-4f89-11d3-9a0c-0305e82c3301}"),
    "bad anonymous id beside a user": a_value(anonymous_id="a 1"),
    "five minutes ahead": a_value(event_time="2024-06-01T12:05:00Z"),
    "years late": a_value(event_time="2003-01-01"),
    "a zone's name": a_value(event_time="2024-06-01 13:59:58 Europe/Berlin"),
    "minus zero hours": a_value(event_time="2024-06-01T11:59:58-00:00"),
    "half an hour off": a_value(event_time="2024-06-01T17:29:58+05:30"),
    "epoch ms as text": a_value(event_time="1717243198250"),
    "epoch ms as a fraction": with_raw("event_time", "1.717243198250e12"),
    "a price of nothing": a_value(price=0),
    "negative zero": with_raw("price", "-0.0"),
    "unknown fields": a_value(color="red", color_2=None),
    "key given twice": GOOD.replace(b'"price": 12.5', b'"price": -1, "price": 12.5'),
    "no item where none is needed": a_value(event_type="page_view", item_id=...),
}
CASES = {**{name: (value, "") for name, value in FINE.items()}, **BROKEN}


@pytest.fixture(scope="module")
def rules(spark):
    return compile_rules(spark, SUITE, Contract().checked)


@pytest.fixture(scope="module")
def verdicts(spark, rules):
    records = parse_records(kafka_records(spark, [value for value, _ in CASES.values()]))
    judged = records.select("offset", rules.broken_rules().alias("rules"), rules.is_valid.alias("is_valid")).collect()
    return {name: judged[n] for n, name in enumerate(CASES) if judged[n].offset == n}


@pytest.mark.parametrize("name", CASES)
def test_each_kind_of_dirt_breaks_exactly_its_rules(verdicts, name):
    assert verdicts[name].rules == CASES[name][1].split()
    assert verdicts[name].is_valid == (not CASES[name][1])


def test_every_rule_has_a_case(rules):
    assert {rule for _, broken in CASES.values() for rule in broken.split()} == set(rules.names)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2024-06-01T10:00:00Z", "2024-06-01T10:00:00.000"),
        ("2024-06-01T10:00:00", "2024-06-01T10:00:00.000"),
        ("2024-06-01T10:00:00+02:00", "2024-06-01T08:00:00.000"),
        ("2024-06-01T10:00:00.123456789Z", "2024-06-01T10:00:00.123"),
        ("2024-06-01", "2024-06-01T00:00:00.000"),
        (1_717_236_000_123, "2024-06-01T10:00:00.123"),
        (1_717_236_000_123.9, "2024-06-01T10:00:00.123"),
    ],
)
def test_time_is_utc_where_no_zone_is_given(spark, sent, read):
    (row,) = (
        parse_records(kafka_records(spark, [a_value(event_time=sent)])).select("event_time", "event_date").collect()
    )

    assert row.event_time.isoformat(timespec="milliseconds") == read
    assert row.event_date == row.event_time.date()


def test_the_user_is_the_known_one_and_else_the_visitor(spark):
    values = [a_value(), a_value(user_id=...), a_value(user_id="")]

    users = parse_records(kafka_records(spark, values)).select("user").collect()

    assert [row.user for row in users] == ["u-1", "a-1", "a-1"]


def test_the_shape_is_the_contract(spark):
    parsed = parse_records(kafka_records(spark, [json.dumps(an_event()).encode()]))

    assert [(f.name, f.dataType) for f in parsed.schema] == [(f.name, f.dataType) for f in Contract().checked]
