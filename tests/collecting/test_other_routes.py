"""The pixel, health, figures, the tracker and the OpenAPI page."""

import pytest

from pipelines.collecting import app as app_module
from pipelines.collecting.pixel import GIF, event_of
from tests.collecting.builders import KEY, Client, FakeProducer, an_event, away

PIXEL = f"/v1/pixel.gif?key={KEY}"


def test_the_pixel_is_an_event_and_an_image():
    client = Client()
    query = "&e=product_view&i=mug-12&a=a-1&price=12.5&quantity=2&currency=EUR&referrer=https%3A%2F%2Fa.b%2F"

    answer = client.get(PIXEL + query, {"Referer": "https://shop.example/mug"})

    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, GIF, "image/gif")
    assert (answer.headers["cache-control"], answer.headers["x-verdict"]) == ("no-store", "accepted")
    (event,) = client.producer.events
    assert len(event.pop("event_id")) == 36 and event.pop("event_time") > 0
    assert event == {
        "event_type": "product_view",
        "item_id": "mug-12",
        "anonymous_id": "a-1",
        "price": 12.5,
        "quantity": 2,
        "currency": "EUR",
        "context": {"page_url": "https://shop.example/mug", "referrer": "https://a.b/"},
    }


def test_a_pixel_without_a_visitor_is_nobodys():
    client = Client()

    client.get(PIXEL + "&e=page_view")

    assert client.producer.keys[0].startswith("nobody-")


@pytest.mark.parametrize(
    ("producer", "target", "status", "verdict"),
    [
        pytest.param(FakeProducer(), PIXEL + "&e=product_view&a=1", 400, "rejected: item_id: missing", id="no item"),
        pytest.param(FakeProducer(), PIXEL + "&e=click&i=1&a=1&price=cheap", 400, "rejected: price", id="price"),
        pytest.param(FakeProducer(), PIXEL, 400, "rejected: event_type", id="nothing"),
        pytest.param(FakeProducer(), "/v1/pixel.gif?e=page_view", 401, "a write key is missing", id="no key"),
        pytest.param(FakeProducer(error=away()), PIXEL + "&e=page_view&a=1", 503, "none of these", id="Kafka away"),
    ],
)
def test_a_pixel_is_an_image_whatever_becomes_of_its_event(producer, target, status, verdict):
    answer = Client(producer).get(target)

    assert (answer.status, answer.body) == (status, GIF)
    assert answer.headers["x-verdict"].startswith(verdict)


def test_parameters_that_the_contract_does_not_know_are_not_looked_at():
    assert "evil" not in event_of({"e": "page_view", "a": "1", "evil": "x"}, "")


def test_healthz_tells_of_the_process_and_readyz_of_kafka():
    client = Client(FakeProducer(reason="nobody answers at k:9092"))

    assert client.get("/healthz").status == 200
    answer = client.get("/readyz")
    assert (answer.status, answer.json["reason"]) == (503, "nobody answers at k:9092")
    client.producer.reason = ""
    assert client.get("/readyz").status == 200


def test_everything_is_counted_under_few_labels():
    client = Client()
    client.events([an_event(), an_event(item_id=...), an_event(event_type="x" * 50)])
    client.events(b"{")
    client.post("/v1/webhooks/nobody", {})
    client.post("/v1/webhooks/segment", {"type": "track", "event": "Signed Up", "userId": "u", "messageId": "m"})
    client.post(f"/v1/events/{'x' * 20}", {})

    text = client.get("/metrics").body.decode()

    for line in (
        'events_accepted_total{route="events",site="shop"} 1.0',
        'events_rejected_total{route="events",rule="item_id_present"} 1.0',
        'events_rejected_total{route="events",rule="event_type_known"} 1.0',
        'requests_refused_total{kind="json",route="events"} 1.0',
        'requests_refused_total{kind="vendor",route="webhooks"} 1.0',
        'webhook_parts_ignored_total{vendor="segment"} 1.0',
        "produce_seconds_count 1.0",
        "queue_events 0.0",
    ):
        assert f"liveshelf_collector_{line}\n" in text
    assert "xxxx" not in text


def test_the_tracker_is_served_to_pages_of_every_origin(tmp_path, monkeypatch):
    monkeypatch.setattr(app_module, "TRACKER", tmp_path / "tracker.min.js")
    assert Client().get("/tracker.js").status == 404

    (tmp_path / "tracker.min.js").write_text("liveshelf()")
    answer = Client().get("/tracker.js", {"Origin": "https://a.b"})

    assert (answer.status, answer.body) == (200, b"liveshelf()")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["access-control-allow-origin"] == "*"


def test_the_openapi_page_needs_no_other_host():
    client = Client()

    page = client.get("/docs").body.decode()

    assert "http://" not in page and "https://" not in page
    assert client.get("/static-offline-docs/swagger-ui-bundle.js").status == 200


def test_the_openapi_document_names_every_route():
    paths = Client().get("/openapi.json").json["paths"]

    assert set(paths) == {
        *("/v1/events", "/v1/pixel.gif", "/v1/webhooks/{vendor}", "/tracker.js", "/healthz", "/readyz", "/metrics"),
    }
    assert {"200", "400", "401", "413", "429", "503"} <= set(paths["/v1/events"]["post"]["responses"])
