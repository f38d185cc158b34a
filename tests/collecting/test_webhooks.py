"""Webhooks: who signs what, what becomes of the parts, and that no payload is a server's fault."""

import base64
import hashlib
import hmac
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.collecting.secrets import Secrets
from pipelines.events.adapters import ADAPTERS
from pipelines.http.keys import Keys
from tests.collecting.builders import KEY, SECRETS, Client, FakeProducer, away
from tests.examples import examples

VIEW = {
    "type": "track",
    "event": "Product Viewed",
    "messageId": "m-1",
    "userId": "u-1",
    "timestamp": "2024-06-01T12:00:00Z",
    "properties": {"product_id": "mug-12", "price": 12.5, "currency": "EUR"},
}
SIGNING = Secrets(Keys({KEY.encode(): "shop"}), shopify="shopify-secret", segment="segment-secret")
ORDER = json.dumps(
    {
        "id": 820982911946154508,
        "created_at": "2024-06-01T12:00:00-04:00",
        "currency": "EUR",
        "customer": {"id": 115310627314723954},
        "line_items": [
            {"id": 866550311766439020, "product_id": 632910392, "quantity": 1, "price": "199.00"},
            {"id": 141249953214522974, "product_id": 632910393, "quantity": 2, "price": "9.50"},
        ],
    }
).encode()
TOPIC = {"X-Shopify-Topic": "orders/create"}


def shopify_signature(body: bytes, secret: str = "shopify-secret") -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).digest()
    return {"X-Shopify-Hmac-Sha256": base64.b64encode(digest).decode()}


def segment_signature(body: bytes, secret: str = "segment-secret") -> dict[str, str]:
    return {"X-Signature": hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()}


def test_a_segment_call_with_a_write_key_is_an_event():
    client = Client()

    answer = client.post("/v1/webhooks/segment", VIEW)

    assert (answer.status, answer.json["accepted"], answer.json["rejected"]) == (202, 1, [])
    assert client.producer.keys == ["u-1"]
    assert client.producer.events[0]["event_type"] == "product_view"


def test_the_vendors_server_is_not_taken_for_the_visitors_browser():
    client = Client(country_header="CF-IPCountry")

    client.post(
        "/v1/webhooks/segment", VIEW, {"CF-IPCountry": "US", "User-Agent": "Mozilla/5.0 (X11; Linux)", "DNT": "1"}
    )

    assert client.producer.keys == ["u-1"]
    assert "device_type" not in client.producer.events[0].get("context", {})
    assert "location" not in client.producer.events[0].get("context", {})


def test_what_has_no_counterpart_is_told_and_counted():
    client = Client()

    answer = client.post("/v1/webhooks/segment", VIEW | {"event": "Signed Up"})

    assert (answer.status, answer.json["accepted"]) == (202, 0)
    assert [part["name"] for part in answer.json["ignored"]] == ["Signed Up"]
    assert client.metric("liveshelf_collector_webhook_parts_ignored_total") == 1


def test_an_order_that_shopify_signed_is_one_purchase_a_product_and_the_same_ids_when_it_comes_again():
    client = Client()
    headers = TOPIC | shopify_signature(ORDER)

    answers = [client.post("/v1/webhooks/shopify", ORDER, headers, key=None) for _ in range(2)]

    assert [(answer.status, answer.json["accepted"]) for answer in answers] == [(202, 2)] * 2
    ids = [event["event_id"] for event in client.producer.events]
    assert len(set(ids)) == 2 and ids[:2] == ids[2:]
    assert {event["event_type"] for event in client.producer.events} == {"purchase"}


@pytest.mark.parametrize(
    ("vendor", "body", "headers", "secrets", "says"),
    [
        pytest.param("shopify", ORDER, TOPIC, SECRETS, "not shopify's", id="no signature"),
        pytest.param(
            "shopify", ORDER, TOPIC | shopify_signature(ORDER, "x"), SECRETS, "not shopify's", id="another secret"
        ),
        pytest.param(
            "shopify", ORDER + b" ", TOPIC | shopify_signature(ORDER), SECRETS, "not shopify's", id="another body"
        ),
        pytest.param(
            "shopify", ORDER, TOPIC | shopify_signature(ORDER, ""), Secrets(), "SHOPIFY_WEBHOOK_SECRET", id="no secret"
        ),
        pytest.param("shopify", ORDER, shopify_signature(ORDER, "x"), SECRETS, "not shopify's", id="no topic"),
        pytest.param("segment", b"{}", {}, SIGNING, "not segment's", id="segment unsigned"),
        pytest.param("segment", b"{}", segment_signature(b"{}", "x"), SIGNING, "not segment's", id="segment wrong"),
        pytest.param(
            "segment", b"{}", segment_signature(b"{}", ""), SECRETS, "SEGMENT_SHARED_SECRET", id="no secret set"
        ),
    ],
)
def test_a_webhook_that_its_vendor_did_not_sign_is_refused_also_with_a_write_key(vendor, body, headers, secrets, says):
    client = Client(secrets=secrets)

    answer = client.post(f"/v1/webhooks/{vendor}", body, headers)

    assert answer.status == 401 and says in answer.json["error"]
    assert client.producer.sent == []


def test_an_order_without_shopifys_headers_is_refused_also_with_a_write_key():
    client = Client()

    answer = client.post("/v1/webhooks/shopify", {"topic": "orders/create", "payload": json.loads(ORDER)})

    assert answer.status == 400 and "x-shopify-topic" in answer.json["error"]
    assert client.producer.sent == []


def test_segments_signature_lets_in_without_a_write_key():
    client, body = Client(secrets=SIGNING), json.dumps(VIEW).encode()

    assert client.post("/v1/webhooks/segment", body, segment_signature(body), key=None).json["accepted"] == 1


def test_ga4_brings_its_key_as_api_secret():
    client = Client()
    payload = {"client_id": "c-1", "events": [{"name": "page_view", "params": {"page_location": "https://a.b/"}}]}

    assert client.post(f"/v1/webhooks/ga4?api_secret={KEY}", payload, key=None).status == 202
    assert client.post("/v1/webhooks/ga4", payload, key=None).status == 401


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param("ga4", b"{", 400, id="no JSON"),
        pytest.param("ga4", {"events": 3}, 400, id="not of the vendor"),
        pytest.param("matomo", {}, 404, id="unknown vendor"),
        pytest.param("ga4", b" " * 1_000_001, 413, id="too large"),
    ],
)
def test_what_is_no_webhook_is_refused(path, body, status):
    answer = Client().post(f"/v1/webhooks/{path}", body)

    assert (answer.status, bool(answer.json["error"])) == (status, True)


def test_a_webhook_is_not_accepted_before_kafka_has_its_events():
    answer = Client(FakeProducer(failure=away())).post("/v1/webhooks/segment", VIEW)

    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
# names and words of the vendors, so that a part of what is generated gets far
NAMES = """client_id user_id user_properties events name params items item_id price type event userId anonymousId messageId
    timestamp properties products product_id batch id data context topic payload line_items customer created_at ecommerce
    value currency checkout productVariant lineItems clientId timestamp_micros query transaction_id quantity"""
WORDS = (
    "track identify page purchase view_item search product_viewed checkout_completed add_to_cart 2024-06-01T12:00:00Z"
)
VENDORS_JSON = st.recursive(
    ANY_JSON | st.sampled_from([*WORDS.split(), "Product Viewed"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES.split()), inner, max_size=6),
    max_leaves=25,
)


@pytest.mark.parametrize(
    ("vendor", "topic"), [*[(vendor, "") for vendor in ADAPTERS], ("shopify", "orders/create"), ("shopify", "nothing")]
)
@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(payload=VENDORS_JSON)
def test_no_json_is_a_server_error(vendor, topic, payload):
    client, body = Client(), json.dumps(payload).encode()

    headers = {"X-Shopify-Topic": topic} | shopify_signature(body) if topic else {}
    answer = client.post(f"/v1/webhooks/{vendor}", body, headers)

    assert answer.status in (202, 400)
    if answer.status == 202:
        assert set(answer.json) == {"accepted", "rejected", "dropped", "ignored"}
        assert answer.json["accepted"] == len(client.producer.sent)
