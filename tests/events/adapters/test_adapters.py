"""What becomes of each vendor's payloads."""

import base64
import hashlib
import hmac
import json
import re

import pytest

from pipelines.events.adapters import ADAPTERS, PayloadError, verify_shopify
from pipelines.events.adapters.payload import MAX_ENTRIES
from pipelines.events.adapters.values import WELL_FORMED_ID
from tests.events.adapters.cases import CASES, EACH_CASE, ids_of, payload_of
from tests.events.builders import SUITE


@pytest.mark.parametrize(("vendor", "case"), EACH_CASE)
def test_a_payload_of_the_documentation(vendor, case):
    made = ADAPTERS[vendor](case["payload"])

    assert [{name: value for name, value in event.items() if name != "event_id"} for event in made.events] == case[
        "events"
    ]
    assert [[entry.name, entry.reason] for entry in made.ignored] == case["ignored"]
    assert case["documentation"].startswith("https://")


@pytest.mark.parametrize(("vendor", "case"), EACH_CASE)
def test_the_same_payload_again_has_the_same_ids_and_each_event_its_own(vendor, case):
    ids = ids_of(vendor, case["payload"])

    assert ids == ids_of(vendor, json.loads(json.dumps(case["payload"], sort_keys=True)))
    assert len(set(ids)) == len(ids)
    assert all(WELL_FORMED_ID.match(event_id) for event_id in ids)


def test_ids_do_not_change_between_versions():
    """A webhook may be repeated for days, across an update."""
    assert ids_of("shopify", payload_of("shopify", "an order is created")) == [
        "shopify-9c4faf4c640de0e83ef3f9ce89bbc218",
        "shopify-5b9a5b36f6c1f000ac07669b9f35068d",
    ]
    assert ids_of("ga4", payload_of("ga4", "a product is viewed")) == ["ga4-d6b7849363080d0574c55819d12bb95c"]


def test_different_events_have_different_ids():
    ids = [event_id for vendor, case in CASES for event_id in set(ids_of(vendor, case["payload"]))]
    of_one_order = ids_of("shopify", payload_of("shopify", "an order is created"))

    assert {event_id for event_id in ids if ids.count(event_id) > 1} <= {
        *of_one_order,
        *ids_of("gtm", payload_of("gtm", "an order")),
        *ids_of("segment", payload_of("segment", "an order of two products")),
    }


@pytest.mark.parametrize("other", ["an order is paid", "a checkout is completed"])
def test_an_order_of_shopify_counts_once_whoever_tells_of_it(other):
    created = payload_of("shopify", "an order is created")

    assert ids_of("shopify", created) == ids_of("shopify", payload_of("shopify", other))


def test_an_order_of_shopify_keeps_its_time_when_it_is_paid_later():
    created, paid = (
        ADAPTERS["shopify"](payload_of("shopify", name)).events for name in ("an order is created", "an order is paid")
    )

    assert created == paid


def test_a_purchase_told_by_server_and_page_counts_once():
    by_server = ids_of("ga4", payload_of("ga4", "an order of two products, one of them on two lines"))

    assert ids_of("gtm", payload_of("gtm", "an order")) == by_server[:2]


def test_another_order_is_another_purchase():
    payload = payload_of("shopify", "an order is created")
    before = ids_of("shopify", payload)
    payload["payload"]["id"] += 1

    assert not set(before) & set(ids_of("shopify", payload))


def test_a_message_of_segment_sent_again_at_another_time_is_the_same():
    payload = payload_of("segment", "a product is clicked in a list")
    before = ids_of("segment", payload)
    payload |= {"sentAt": "2024-06-01T12:30:00Z", "timestamp": "2024-06-01T12:00:00Z"}

    assert ids_of("segment", payload) == before


def test_the_same_said_at_another_microsecond_is_another_event():
    payload = payload_of("ga4", "a product is viewed")
    before = ids_of("ga4", payload)
    payload["timestamp_micros"] += 1

    assert ids_of("ga4", payload) != before


@pytest.mark.parametrize(
    ("vendor", "payload", "said"),
    [
        pytest.param("ga4", [], "expected an object, got an array", id="ga4-array"),
        pytest.param("ga4", {"client_id": "1.2"}, "events: expected an array", id="ga4-no-events"),
        pytest.param("ga4", {"events": []}, "client_id: ", id="ga4-nobody"),
        pytest.param("gtm", "view_item", "expected an object, got 'view_item'", id="gtm-text"),
        pytest.param("segment", {"event": "Product Viewed"}, "type: expected track", id="segment-no-type"),
        pytest.param("shopify", {"id": 1}, "name: expected the name", id="shopify-neither"),
        pytest.param("shopify", {"topic": "orders/create"}, "expected an object, got null", id="shopify-no-payload"),
    ],
)
def test_what_is_not_the_vendors_is_refused_with_the_field(vendor, payload, said):
    with pytest.raises(PayloadError, match=re.escape(said)):
        ADAPTERS[vendor](payload)


def test_a_small_payload_of_very_many_products_is_refused():
    items = [{"item_id": "x"}] * (MAX_ENTRIES + 1)

    with pytest.raises(PayloadError, match="more than 5,000"):
        ADAPTERS["ga4"]({"client_id": "1.2", "events": [{"name": "view_item_list", "params": {"items": items}}]})


def test_texts_that_would_be_repeated_for_every_product_are_bounded():
    payload = payload_of("ga4", "a product is viewed")
    payload["events"][0]["params"]["page_location"] = "https://shop.example/" + "x" * 2_048
    made = ADAPTERS["ga4"](payload)

    assert "page_url" not in made.events[0]["context"]
    assert [entry.name for entry in made.ignored] == ["events[0].params.page_location"]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2024-06-01T13:59:56+02:00", "2024-06-01T11:59:56.000000Z"),
        ("2024-06-01T07:59:56.5-0400", "2024-06-01T11:59:56.500000Z"),
        ("2024-06-01T11:59:56.123456Z", "2024-06-01T11:59:56.123456Z"),
        ("2024-06-01T11:59:56.123456789Z", "2024-06-01T11:59:56.123456Z"),
        ("2024-06-01 11:59:56", "2024-06-01T11:59:56.000000Z"),
    ],
)
def test_times_are_kept_to_the_microsecond(time, expected):
    payload = payload_of("segment", "a product is clicked in a list") | {"timestamp": time}

    assert ADAPTERS["segment"](payload).events[0]["event_time"] == expected


@pytest.mark.parametrize(
    "time", ["11:59", "1717243196", "2024-06-31T00:00:00Z", "0001-01-01T00:00:00+14:00", 1717243196, []]
)
def test_a_time_that_cannot_be_read_is_not_replaced_by_another(time):
    made = ADAPTERS["segment"](payload_of("segment", "a product is clicked in a list") | {"timestamp": time})

    assert not made.events
    assert made.ignored[0].name == "timestamp"


def test_ids_are_judged_as_the_suite_judges_them():
    rules = {rule["meta"]["name"]: rule["kwargs"] for rule in json.loads(SUITE.read_text())["expectations"]}
    texts = [chr(code) for code in range(0x3100)] + [
        "[",
        "{}",
        "{x",
        "x" * 128,
        "x" * 129,
        "é" * 128,
        "\U0001f600",
        "x\n",
    ]

    for name in ("event_id_well_formed", "user_well_formed", "session_id_well_formed", "item_id_well_formed"):
        theirs = re.compile(rules[name]["regex"])
        assert [text for text in texts if bool(theirs.match(text)) != bool(WELL_FORMED_ID.match(text))] == []


def test_shopifys_signature_is_of_the_bytes_and_the_secret():
    body, secret = '{"id":1,"name":"é"}'.encode(), "shpss_secret"
    signature = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()

    assert verify_shopify(body, signature, secret)
    assert not verify_shopify(body + b" ", signature, secret)
    assert not verify_shopify(body, signature, "another")
    assert not verify_shopify(body, "", secret)
    assert not verify_shopify(body, "\udcff é", secret)
