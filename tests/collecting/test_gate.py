"""Who may send: write keys, origins, rates; and what is kept of an event without consent."""

import pytest

from pipelines.collecting.secrets import Secrets, is_signed_by_segment, read_secrets
from pipelines.errors import ConfigError
from pipelines.http.keys import Keys
from tests.collecting.builders import KEY, Client, an_event

OTHER = "a-key-of-another-1"
TWO_SITES = Secrets(Keys({KEY.encode(): "shop", OTHER.encode(): "other"}))
SHOP = "https://shop.example"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        pytest.param("/v1/events", {"X-Write-Key": KEY}, 200, id="header"),
        pytest.param(f"/v1/events?key={KEY}", {}, 200, id="query, as a beacon"),
        pytest.param("/v1/events", {}, 401, id="none"),
        pytest.param("/v1/events", {"X-Write-Key": KEY + "x"}, 401, id="longer"),
        pytest.param("/v1/events", {"X-Write-Key": KEY[:-1]}, 401, id="shorter"),
        pytest.param("/v1/events?key=", {}, 401, id="empty"),
        pytest.param("/v1/events", {"X-Write-Key": "schl\xfcssel"}, 401, id="not ASCII"),
    ],
)
def test_a_write_key_is_asked_for(path, headers, status):
    client = Client()

    answer = client.post(path, an_event(), headers, key=None)

    assert answer.status == status
    assert len(client.producer.sent) == (status == 200)
    assert KEY not in answer.body.decode()


def test_every_key_is_compared_in_constant_time(monkeypatch):
    compared = []
    monkeypatch.setattr("hmac.compare_digest", lambda known, given: compared.append(known) or known == given)

    assert TWO_SITES.write_keys.name_of(KEY) == "shop"
    assert TWO_SITES.write_keys.name_of("wrong") is None

    assert compared == [KEY.encode(), OTHER.encode()] * 2  # no key is left out, wherever the right one is


def test_without_required_keys_a_request_without_one_is_taken_and_a_known_key_still_names_its_site():
    client = Client(require_write_key=False)

    assert client.post("/v1/events", an_event(), key=None).status == 200
    assert client.events(an_event()).status == 200

    text = client.get("/metrics").body.decode()
    assert 'events_accepted_total{route="events",site="any"} 1.0' in text
    assert 'events_accepted_total{route="events",site="shop"} 1.0' in text


def test_secrets_are_not_shown():
    assert KEY not in repr(TWO_SITES) and "shopify-secret" not in repr(Secrets(shopify="shopify-secret"))


def test_keys_are_read_from_the_variable_and_a_file(tmp_path):
    path = tmp_path / "keys"
    path.write_text(f"# of the other shop\nother:{OTHER}\n\n")

    secrets = read_secrets({"COLLECTOR_WRITE_KEYS": f"shop:{KEY}, shop:{KEY}-2", "SHOPIFY_WEBHOOK_SECRET": "s"}, path)

    assert secrets.write_keys.names == ("shop", "other")
    assert (secrets.write_keys.name_of(f"{KEY}-2"), secrets.write_keys.name_of(OTHER), secrets.shopify) == (
        "shop",
        "other",
        "s",
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("sesame-open-sesame-open", "entry 1: expected site:key", id="no site"),
        pytest.param("my shop:sesame-open-sesame-open", "entry 1: expected site:key", id="blank in the site"),
        pytest.param(f"shop:{KEY},other:sesame", "entry 2: the key of site 'other' has 6 characters", id="short"),
    ],
)
def test_a_key_that_is_none_is_refused_without_being_shown(text, says):
    with pytest.raises(ConfigError, match=says) as error:
        read_secrets({"COLLECTOR_WRITE_KEYS": text}, None)
    assert "sesame" not in str(error.value)


def test_a_missing_file_of_keys_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent: cannot be read .*collector\.write_keys_file"):
        read_secrets({}, tmp_path / "absent")


def test_a_page_of_an_allowed_origin_may_ask_first_and_read_the_answer():
    client = Client()
    asked = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,x-write-key,content-encoding",
    }

    preflight = client.preflight("/v1/events", asked)
    answer = client.events(an_event(), {"Origin": SHOP})

    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == SHOP
    assert "X-Write-Key" in preflight.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == SHOP
    assert "Retry-After" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}], ids=["fetch", "beacon"])
def test_a_page_of_another_origin_may_not(headers):
    client = Client()

    answer = client.events(an_event(), {"Origin": "https://evil.example", **headers})
    preflight = client.preflight(
        "/v1/events", {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    )

    assert answer.status == 403 and "collector.allowed_origins" in answer.json["error"]
    assert client.producer.sent == []
    assert "access-control-allow-origin" not in answer.headers
    assert preflight.status == 400


def test_every_origin_is_let_in_where_the_configuration_says_so():
    client = Client(allowed_origins=("*",))

    answer = client.events(an_event(), {"Origin": "https://anyone.example"})

    assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, "*")


def test_a_refusal_can_be_read_by_the_page_too():
    answer = Client().events(b"{", {"Origin": SHOP})

    assert (answer.status, answer.headers["access-control-allow-origin"]) == (400, SHOP)


def test_a_key_beyond_its_rate_is_told_when_to_come_back_and_others_are_not():
    client = Client(secrets=TWO_SITES, events_per_minute=10)

    assert client.events([an_event()] * 8).status == 200
    answer = client.events([an_event()] * 3)

    assert answer.status == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert "10 events in a minute" in answer.json["error"]
    assert client.post("/v1/events", an_event(), key=OTHER).status == 200
    assert client.metric("liveshelf_collector_requests_rate_limited_total") == 1
    assert len(client.producer.sent) == 9


def test_a_request_larger_than_the_rate_is_taken_once_a_minute():
    client = Client(events_per_minute=10)

    assert client.events([an_event()] * 11).status == 200
    assert client.events(an_event()).status == 429


def test_workers_share_the_rate():
    client = Client(events_per_minute=10, workers=5)

    assert [client.events(an_event()).status for _ in range(3)] == [200, 200, 429]


PERSONAL = an_event(
    user_id="u-1",
    session_id="s-1",
    email="eve@example.org",
    context={"page_url": f"{SHOP}/mug?mail=eve@example.org#top", "referrer": "https://a.b/?q=1", "ip": "203.0.113.7"},
)


@pytest.mark.parametrize(
    ("event", "headers"),
    [
        pytest.param(PERSONAL, {"DNT": "1"}, id="DNT"),
        pytest.param(PERSONAL, {"Sec-GPC": "1"}, id="Sec-GPC"),
        pytest.param({**PERSONAL, "consent": False}, {}, id="the event"),
        pytest.param({**PERSONAL, "consent": "denied"}, {}, id="the event, in a consent tool's word"),
    ],
)
def test_without_consent_nothing_is_kept_that_tells_who(event, headers):
    client = Client()

    answer = client.events(event, headers)

    (kept,) = client.producer.events
    assert answer.json["accepted"] == 1
    assert kept.pop("event_time") > 0
    assert kept.pop("anonymous_id").startswith("nobody-")
    assert kept == {
        "event_id": "e-1",
        "event_type": "product_view",
        "item_id": "i-1",
        "context": {"page_url": f"{SHOP}/mug", "referrer": "https://a.b/"},
    }
    assert client.metric("liveshelf_collector_events_without_consent_total") == 1


def test_a_retry_without_consent_is_the_same_event_and_visitors_are_64_nobodies():
    client = Client()

    for _ in range(2):
        client.events([an_event(event_id=f"e-{n}", user_id="u-1", consent=False) for n in range(500)])

    assert client.producer.keys[:500] == client.producer.keys[500:]
    assert len(set(client.producer.keys)) == 64


def test_an_identify_without_consent_is_dropped_for_it_is_nothing_but_ids():
    client = Client()

    answer = client.events(an_event(event_type="identify", user_id="u-1", consent=False))

    assert answer.json == {"accepted": 0, "rejected": [], "dropped": 1}
    assert client.producer.sent == []


def test_events_without_consent_are_dropped_where_the_configuration_says_so():
    client = Client(without_consent="drop_event")

    answer = client.events([an_event(), an_event(consent=False)])

    assert answer.json == {"accepted": 1, "rejected": [], "dropped": 1}
    assert client.producer.keys == ["a-1"]


@pytest.mark.parametrize(
    ("event", "headers", "config"),
    [
        pytest.param(an_event(), {"DNT": "0"}, {}, id="DNT: 0"),
        pytest.param(an_event(consent=True), {}, {}, id="consent given"),
        pytest.param(an_event(), {"DNT": "1"}, {"respect_do_not_track": False}, id="not respected"),
    ],
)
def test_with_consent_the_ids_stay(event, headers, config):
    client = Client(**config)

    client.events(event, headers)

    assert client.producer.keys == ["a-1"]


def test_an_event_without_consent_that_breaks_a_rule_is_rejected_all_the_same():
    answer = Client().events(an_event(item_id=..., consent=False))

    assert [r["field"] for r in answer.json["rejected"]] == ["item_id"]


def test_segments_signature_is_hmac_sha1_in_hexadecimal():
    # RFC 2202, case 2
    assert is_signed_by_segment(b"what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", "Jefe")
    assert not is_signed_by_segment(b"what do ya want for nothing!", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", "Jefe")
