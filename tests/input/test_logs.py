"""Lines of real logs become records; what cannot be read is sent as it is."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.events.logs import FORMATS, log_format, read_line

REES46 = log_format("rees46")
RETAIL = log_format("online-retail")
JSONL = log_format("jsonl")
ROW = b"2019-10-01 00:00:01 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d76fde"
INVOICE = b"536365,85123a, WHITE HEART ,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom"


def event_of(line: bytes, log=REES46) -> dict:
    record = read_line(line, log)
    assert not record.is_broken
    return orjson.loads(record.value)


def test_a_rees46_row_keeps_all_it_says():
    assert event_of(ROW) == {
        "event_id": read_line(ROW, REES46).event_id,
        "event_type": "product_view",
        "user_id": "541312140",
        "session_id": "72d76fde",
        "event_time": "2019-10-01T00:00:01Z",
        "item_id": "44600062",
        "price": 35.79,
        "category_id": "2103807459595387724",
        "brand": "shiseido",
    }


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (b"view", "product_view"),
        (b"cart", "add_to_cart"),
        (b"remove_from_cart", "remove_from_cart"),
        (b"purchase", "purchase"),
        (b"teleport", "teleport"),  # the rules will name it
    ],
)
def test_rees46_types_get_our_names(theirs, ours):
    assert event_of(ROW.replace(b"view", theirs))["event_type"] == ours


def test_an_invoice_line_is_a_purchase_in_pounds():
    event = event_of(INVOICE, RETAIL)

    assert len(event.pop("event_id")) == 32
    assert event == {
        "event_type": "purchase",
        "user_id": "17850",
        "session_id": "536365",
        "event_time": "2010-12-01T08:26:00Z",
        "item_id": "85123A",
        "quantity": 6,
        "price": 2.55,
        "currency": "GBP",
        "title": "WHITE HEART",
        "context": {"location": "United Kingdom"},
    }


def test_an_invoice_line_without_customer_is_sent_without_user():
    record = read_line(INVOICE.replace(b"17850.0", b""), RETAIL)

    assert record.key is None and not record.is_broken
    assert "user_id" not in orjson.loads(record.value)


def test_a_cancelled_line_keeps_its_negative_quantity():
    assert event_of(b"C" + INVOICE.replace(b",6,", b",-6,"), RETAIL)["quantity"] == -6


def test_commas_and_quotes_inside_a_description_are_read():
    line = INVOICE.replace(b" WHITE HEART ", b'"FRAME 7"" ,RED"')

    assert event_of(line, RETAIL)["title"] == 'FRAME 7" ,RED'


@pytest.mark.parametrize(
    ("log", "line"),
    [
        (REES46, ROW[:-20]),  # cut: a column is missing
        (REES46, ROW + b",more"),
        (REES46, ROW.replace(b"35.79", b"")),
        (REES46, ROW.replace(b"35.79", b"nan")),
        (REES46, ROW.replace(b" UTC", b" CET")),
        (REES46, ROW.replace(b" UTC", b"")),
        (REES46, ROW.replace(b"shiseido", b'"shi"seido')),
        (REES46, ROW.replace(b"2019-10-01", b"2019-13-01")),
        (REES46, ROW.replace(b"shiseido", b"\xff")),
        (REES46, ROW.replace(b"shiseido", b'"shiseido')),
        (RETAIL, INVOICE.replace(b",6,", b",six,")),
        (RETAIL, INVOICE.replace(b",6,", b",99999999999999999999999,")),  # no place in JSON
        (RETAIL, INVOICE.replace(b"17850.0", b"17850.5")),
        (RETAIL, INVOICE.replace(b"08:26:00", b"8:26")),
        (RETAIL, INVOICE.replace(b"08:26:00", b"08:26")),
        (JSONL, b'{"event_id": "e1", '),
        (JSONL, b"[1, 2]"),
        (JSONL, b"\x00"),
    ],
)
def test_a_line_that_cannot_be_read_is_sent_byte_for_byte(log, line):
    record = read_line(line, log)

    assert (record.value, record.key, record.is_broken) == (line, None, True)


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b'{"user_id":"u1","anonymous_id":"a1"}', b"u1"),
        (b'{"anonymous_id":"a1"}', b"a1"),
        (b'{"user_id":"","anonymous_id":"a1"}', b"a1"),
        (b'{"user_id":17}', b"17"),
        ('{"user_id":"Žofie"}'.encode(), "Žofie".encode()),
        (b'{"user_id":true}', None),
        (b"{}", None),
    ],
)
def test_the_key_is_the_user_else_the_visitor(line, key):
    assert read_line(line, JSONL).key == key


@pytest.mark.parametrize(
    ("moment", "ms"),
    [
        (b'"2019-10-01T00:00:00Z"', 1_569_888_000_000),
        (b'"2019-10-01T02:00:00.5+02:00"', 1_569_888_000_500),
        (b'"2019-10-01 00:00:00"', 1_569_888_000_000),
        (b"1569888000000", 1_569_888_000_000),
        (b'"1569888000000"', 1_569_888_000_000),
        (b'"yesterday"', None),
        (b"true", None),
        (b"null", None),
    ],
)
def test_times_of_own_events_are_known_for_pacing(moment, ms):
    assert read_line(b'{"event_time":%b}' % moment, JSONL).event_time_ms == ms


def test_own_events_are_sent_byte_for_byte():
    line = b'{ "event_id" : "e1", "price": 1.50 }\r'

    assert read_line(line, JSONL).value == line


def test_equal_lines_have_one_id_and_others_another():
    ids = [read_line(line, REES46).event_id for line in (ROW, ROW, ROW + b"x")]

    assert ids[0] == ids[1] != ids[2]


def test_line_ends_do_not_change_the_id():
    assert read_line(ROW + b"\r", REES46) == read_line(ROW, REES46)


def test_the_id_of_a_row_never_changes():
    """Known from a first replay; another id would count every event of the log again."""
    assert read_line(ROW, REES46).event_id == "3feb33fcfb551e755a84b341a9b3e9b4"


@given(st.sampled_from(sorted(FORMATS)), st.binary() | st.sampled_from([ROW, INVOICE]))
def test_reading_a_line_twice_gives_identical_records(name, line):
    assert read_line(line, FORMATS[name]) == read_line(line, FORMATS[name])


def test_an_unknown_format_names_the_nearest():
    with pytest.raises(InputError, match="'rees47'; did you mean 'rees46'"):
        log_format("rees47")
