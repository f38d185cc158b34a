"""What the server adds, for it alone knows; and what it must never know."""

import pytest

from pipelines.collecting.devices import device_type
from pipelines.collecting.intake import country_of
from tests.collecting.builders import Client, an_event

PIXEL_8 = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Mobile Safari/537.36"
UA = {"User-Agent": PIXEL_8}


def sent(event: dict, headers: dict | None = None, **config) -> dict:
    client = Client(**config)
    assert client.events(event, headers).json["accepted"] == 1
    return client.producer.events[0]


@pytest.mark.parametrize("missing", [..., None, ""], ids=["missing", "null", "empty"])
def test_an_event_without_a_time_gets_that_of_its_arrival(missing, monkeypatch):
    monkeypatch.setattr("time.time_ns", lambda: 1_800_000_000_123_456_789)

    assert sent(an_event(event_time=missing))["event_time"] == 1_800_000_000_123


def test_a_clients_time_stays_as_it_is():
    assert sent(an_event(event_time="2024-06-01T12:00:00+02:00"))["event_time"] == "2024-06-01T12:00:00+02:00"


def test_the_device_is_read_from_the_user_agent():
    assert sent(an_event(), UA)["context"] == {"device_type": "mobile"}


def test_what_the_client_says_of_its_device_and_place_stays():
    context = {"device_type": "kiosk", "location": "Berlin"}

    kept = sent(an_event(context=context), {**UA, "CF-IPCountry": "DE"}, country_header="CF-IPCountry")

    assert kept["context"] == context


def test_the_country_comes_from_the_configured_header_alone():
    headers = {"CF-IPCountry": "DE", "X-Country": "FR"}

    assert "context" not in sent(an_event(), headers)
    assert sent(an_event(), headers, country_header="cf-ipcountry")["context"] == {"location": "DE"}


@pytest.mark.parametrize(
    ("header", "country"),
    [("DE", "DE"), (" de ", "DE"), ("XX", None), ("T1", None), ("", None), ("Germany", None), ("203.0.113.7", None)],
)
def test_only_a_country_of_two_letters_is_one(header, country):
    assert country_of(header) == country


def test_the_address_of_the_client_is_in_no_record():
    headers = {**UA, "X-Forwarded-For": "203.0.113.99", "Forwarded": "for=203.0.113.99", "X-Real-IP": "203.0.113.99"}

    client = Client()
    client.events([an_event(), an_event(consent=False)], headers)
    client.get("/v1/pixel.gif?e=page_view", headers)

    assert all(b"203.0.113" not in value for _, value in client.producer.sent)  # the client's own is 203.0.113.77
    assert b"203.0.113" not in client.get("/metrics").body


@pytest.mark.parametrize(
    ("user_agent", "device"),
    [
        (PIXEL_8, "mobile"),
        (PIXEL_8.replace(" Mobile", "").replace("Pixel 8", "SM-X710"), "tablet"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.4 Mobile/15E148 Safari/604.1",
            "mobile",
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 "
            "Mobile/15E148 Safari/604.1",
            "tablet",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122 Safari/537.36",
            "desktop",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.3 "
            "Safari/605.1.15",
            "desktop",
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:123.0) Gecko/20100101 Firefox/123.0", "desktop"),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/122.0.0.0 Safari/537.36", "desktop"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "bot"),
        ("Mozilla/5.0 (SMART-TV; Linux; Tizen 5.0) AppleWebKit/537.36 SamsungBrowser/2.2 TV Safari/537.36", "tv"),
        ("curl/8.5.0", None),
        ("", None),
        ("\x00" * 100_000, None),
    ],
)
def test_kinds_of_devices(user_agent, device):
    assert device_type(user_agent) == device
