"""What becomes of a message of a queue, before Kafka."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.events.adapters import ADAPTERS, Adapted, Ignored
from pipelines.events.adapters.values import WELL_FORMED_ID
from pipelines.events.messages import bridged, derived_event_id
from tests.events.adapters.cases import payload_of
from tests.events.builders import a_value

SENT_MS = 1_717_243_196_000


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({}, b"u-1"),
        ({"user_id": None}, b"a-1"),
        ({"user_id": ""}, b"a-1"),
        ({"user_id": 7}, b"7"),
        ({"user_id": "Zoë"}, "Zoë".encode()),
        ({"user_id": ..., "anonymous_id": ...}, None),
        ({"user_id": [1], "anonymous_id": ...}, None),
    ],
)
def test_an_event_goes_on_as_it_is_under_the_key_of_its_user(changes, key):
    body = a_value(**changes)

    assert bridged(body, None, SENT_MS).records == [(key, body)]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe{}", b"[]", b"null", b'"text"', b"[" * 100_000, b'{"a":' + b"9" * 5_000 + b"}"]
)
def test_what_is_no_event_goes_on_as_it_is(body):
    result = bridged(body, "m-1", SENT_MS)

    assert result.records == [(None, body)]
    assert not result.is_readable


@given(st.binary() | st.text().map(str.encode), st.none() | st.text(), st.sampled_from([None, *ADAPTERS.values()]))
def test_no_message_is_lost_and_none_fails(body, message_id, adapter):
    result = bridged(body, message_id, SENT_MS, adapter)

    assert result.records or result.ignored or adapter


FIELDS = st.dictionaries(st.text(), st.none() | st.integers() | st.floats() | st.text(), max_size=5)


@given(FIELDS, st.sampled_from([b"", b" \n"]))
@example({"event_id": None}, b"")
@example({"event_id": "", "price": 1.10}, b"\n")
def test_an_event_without_id_gets_one_and_nothing_else_changes(fields, blanks):
    event = {**fields, "event_id": fields.get("event_id") or None}
    body = json.dumps(event).encode() + blanks
    ((_, value),) = bridged(body, None, SENT_MS).records

    expected = {**event, "event_id": event["event_id"] or derived_event_id(body, None)}
    assert repr(json.loads(value)) == repr(json.loads(json.dumps(expected)))


@pytest.mark.parametrize("body", [b"{}", b" { } \n"])
def test_an_event_of_nothing_gets_an_id(body):
    ((_, value),) = bridged(body, None, SENT_MS).records

    assert json.loads(value) == {"event_id": derived_event_id(body, None)}


def test_the_number_of_a_price_is_not_written_anew():
    ((_, value),) = bridged(b'{"price": 1.10, "n": 12345678901234567890}', None, SENT_MS).records

    assert value.startswith(b'{"price": 1.10, "n": 12345678901234567890,"event_id":"rabbitmq-')


def test_a_derived_id_is_of_message_and_bytes():
    ids = [derived_event_id(*of) for of in ((b"a", "1"), (b"a", "2"), (b"b", "1"), (b"a", None), (b'"\na', ""))]

    assert len(set(ids)) == 5
    assert ids[0] == derived_event_id(b"a", "1") == "rabbitmq-4570003980b8cb0435a02a5fefbe3e2c"
    assert all(WELL_FORMED_ID.match(event_id) for event_id in ids)


def test_a_payload_of_a_vendor_becomes_its_events_with_the_time_of_the_message():
    payload = payload_of("ga4", "no time: the receiver knows when it came")
    result = bridged(json.dumps(payload).encode(), None, SENT_MS, ADAPTERS["ga4"])

    assert [key for key, _ in result.records] == [b"1789.1717243196"] * 2
    assert [json.loads(value)["event_time"] for _, value in result.records] == [SENT_MS] * 2


def test_a_payload_of_another_vendor_goes_on_as_it_is():
    body = a_value()

    assert bridged(body, None, SENT_MS, ADAPTERS["segment"]).records == [(None, body)]


def test_what_has_no_counterpart_is_told():
    nothing = Adapted(ignored=[Ignored("refund", "no type")])

    assert bridged(b"{}", None, SENT_MS, lambda _: nothing).ignored == nothing.ignored
