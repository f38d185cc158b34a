"""What is answered to whom: parameters, tags, keys, rates, many lists at once, memory and file."""

import json

import pytest

from pipelines.http.keys import Keys
from pipelines.models.similar import ByVector
from tests.serving.builders import HOUR_MS, Shop, an_item, sold_out, start_and_end

KEY = "a-key-of-a-reader"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ({"n": "0"}, "n: expected a whole number from 1 to 200, got '0'"),
        ({"n": "201"}, "n: expected a whole number from 1 to 200, got '201'"),
        ({"n": "many"}, "n: expected a whole number"),
        ({"n": ["1", "2"]}, "n: expected one value, got 2"),
        (
            {"exclude": "Shoes"},
            "exclude: expected category:NAME, tag:NAME or brand:NAME, divided by commas, got 'Shoes'",
        ),
        ({"exclude": "tag:"}, "exclude: expected"),
        ({"category": ""}, "category: expected 1 to 1000 characters"),
        ({"exclude_items": ",".join(map(str, range(501)))}, "exclude_items: expected at most 500 ids"),
        ({"context_item": "x" * 257}, "context_item: expected 1 to 256 characters, got 257"),
        ({"details": "maybe"}, "details: expected true or false, got 'maybe'"),
        ({"limit": "3"}, "'limit' is no parameter; known: n, exclude, category"),
    ],
)
def test_a_parameter_that_cannot_be_meant_is_named_with_what_is_expected(shop, query, text):
    answer = shop.list(**query)

    assert answer.status == 400 and text in answer.json["error"]


@pytest.mark.parametrize(("user", "text"), [("a" * 257, "user_id: expected an id"), ("a\tb", "printable")])
def test_an_id_that_is_none_is_named(shop, user, text):
    answer = shop.list(user)

    assert answer.status == 400 and text in answer.json["error"]


def test_ids_may_have_slashes_and_be_called_batch(shop):
    shop.has_list("a/b", ["a"])
    shop.has_list("batch", ["b"])

    assert shop.get("/v1/lists/a%2Fb").items == ["a"]
    assert shop.get("/v1/lists/batch").items == ["b"]


def test_the_same_list_has_the_same_tag_whatever_its_age(shop):
    shop.has_list("u1", ["a", "b", "c", "d"])
    first = shop.list()
    shop.now_ms += HOUR_MS

    again = shop.list(headers={"If-None-Match": f'"other", {first.headers["etag"]}'})

    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"] and again.headers["cache-control"] == "private, no-cache"
    assert shop.metric("not_modified_total") == 1


@pytest.mark.parametrize("change", ["items", "staleness", "a sold-out item"])
def test_another_list_has_another_tag(shop, change):
    shop.has_list("u1", ["a", "b", "c", "d"])
    tag = shop.list().headers["etag"]
    if change == "items":
        shop.has_list("u1", ["b", "a", "c", "d"])
    elif change == "staleness":
        shop.now_ms += 25 * HOUR_MS
    else:
        shop.hears_of(sold_out("d"))

    answer = shop.list(headers={"If-None-Match": tag})

    assert answer.status == 200 and answer.headers["etag"] != tag


def test_keys_are_asked_for_where_the_configuration_says_so(tmp_path):
    shop = Shop(tmp_path, Keys({KEY.encode(): "app"}), require_key=True)
    shop.has_list("u1", ["a"])

    assert shop.list().status == 401 and "a key is missing" in shop.list().json["error"]
    assert "the key is wrong" in shop.list(headers={"X-Api-Key": "wrong"}).json["error"]
    assert shop.list(headers={"X-Api-Key": KEY}).items == ["a"]
    assert shop.list(key=KEY).items == ["a"]
    assert shop.post("/v1/lists/batch", ["u1"]).status == 401
    assert shop.get("/healthz").status == 200


@pytest.mark.parametrize("per_minute", [3, 3_000])
def test_too_many_requests_are_told_when_to_come_again(tmp_path, per_minute):
    shop = Shop(tmp_path, requests_per_minute=per_minute)
    statuses = [shop.list().status for _ in range(3)]
    shop.post("/v1/lists/batch", [f"u{n}" for n in range(1_000)])
    shop.post("/v1/lists/batch", [f"u{n}" for n in range(1_000)])
    too_many = [shop.post("/v1/lists/batch", [f"u{n}" for n in range(1_000)]) for _ in range(2)][-1]

    assert statuses == [200] * 3
    assert too_many.status == 429 and int(too_many.headers["retry-after"]) >= 1


def test_workers_share_the_rate(tmp_path):
    shop = Shop(tmp_path, requests_per_minute=4, workers=4)

    assert [shop.list().status for _ in range(2)] == [200, 429]


def test_many_lists_come_in_the_order_of_their_users(shop):
    shop.has_list("u1", ["a", "b", "c", "d"])
    shop.has_list("u3", ["x"], age_hours=30)
    shop.has_fallback("all", ["a", "y"])
    users = ["u3", "u1", "nobody", "u1"]

    answer = shop.post("/v1/lists/batch", {"user_ids": users}, n=3)
    lines = shop.post("/v1/lists/batch", users, {"Accept": "application/x-ndjson"}, n=3)

    lists = answer.json["lists"]
    assert [told["user_id"] for told in lists] == users
    assert [[item["item_id"] for item in told["items"]] for told in lists] == [
        ["x", "a", "y"],
        ["a", "b", "c"],
        ["a", "y"],
        ["a", "b", "c"],
    ]
    assert [told["stale"] for told in lists] == [True, False, False, False]
    assert [json.loads(line) for line in lines.body.splitlines()] == lists
    assert lists[1] | {"user_id": 0} == shop.list("u1", n=3).json | {"user_id": 0}


def test_a_thousand_lists_are_a_few_reads(shop):
    for n in range(1_000):
        shop.has_list(f"u{n}", ["a", "b", "c", "d"])

    assert len(shop.post("/v1/lists/batch", [f"u{n}" for n in range(1_000)]).json["lists"]) == 1_000
    assert len(shop.contact.reads) == 10


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b"{", 400, "the body: expected JSON"),
        (b"[]", 400, "user_ids: expected 1 to 1,000 texts"),
        ({"users": ["u1"]}, 400, "user_ids: expected 1 to 1,000 texts"),
        ([1], 400, "user_ids: expected 1 to 1,000 texts"),
        ([""], 400, "user_ids: expected an id"),
        (["u"] * 1_001, 413, "user_ids: expected at most 1,000, got 1,001"),
        (b" " * 600_001, 413, "the body: expected at most 600,000 bytes"),
    ],
)
def test_a_body_that_cannot_be_meant(shop, body, status, text):
    answer = shop.post("/v1/lists/batch", body)

    assert answer.status == status and text in answer.json["error"]


def test_while_redis_is_away_the_last_list_is_served_and_flagged(shop):
    shop.has_list("u1", ["a", "gone", "c", "d"], age_hours=1)
    shop.has_fallback("all", ["w", "x"])
    shop.list("nobody")
    shop.list()
    shop.hears_of(sold_out("gone"))
    shop.list("nobody")  # the catalogue is known, and u1's list is the one from before
    shop.contact.is_away = True

    told = shop.list()

    assert told.items == ["a", "c", "d", "w"] and told.json["source"] == "personal" and told.json["stale"] is True
    assert shop.list("never-seen").items == ["w", "x"] and shop.list("never-seen").json["stale"] is True
    assert shop.metric("remembered_lists_total") == 1
    shop.now_ms += 168 * HOUR_MS
    assert shop.list().items == ["w", "x"]  # beyond the hard limit, from wherever


def test_a_list_that_redis_lost_is_not_remembered(shop):
    shop.has_list("u1", ["a"])
    shop.list()
    del shop.contact.values["list:{u1}"]
    shop.list()
    shop.contact.is_away = True

    assert shop.list().items == []


def test_memory_is_bounded(tmp_path):
    shop = Shop(tmp_path, remembered_lists=2)
    for user in ("u1", "u2", "u3"):
        shop.has_list(user, [user])
        shop.list(user)
    shop.contact.is_away = True

    assert [shop.list(user).items for user in ("u1", "u2", "u3")] == [[], ["u2"], ["u3"]]


def test_the_service_writes_what_stands_in_when_it_starts_without_redis(tmp_path):
    before = Shop(tmp_path)
    before.has_fallback("all", ["hidden", "w", "x"], age_hours=2)
    before.hears_of(an_item("hidden", hidden=True))
    start_and_end(before)
    after = Shop(tmp_path)
    after.contact.is_away = True
    start_and_end(after)

    answer = after.list()

    assert answer.items == ["w", "x"] and answer.json["source"] == "static" and answer.json["stale"] is True
    assert answer.json["age_seconds"] == 7200.0
    assert after.get("/readyz").status == 200


def test_the_shops_own_file_is_served_and_never_overwritten(shop):
    mine = json.dumps({"items": ["mine"]})
    shop.static_file.write_text(mine)
    shop.has_fallback("all", ["w"])
    start_and_end(shop)
    shop.contact.is_away, shop.contact.values = True, {}

    assert shop.static_file.read_text() == mine
    assert shop.list().items == ["w", "mine"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"items": 3}', '{"lists": {"all": [1]}}', "\0"])
def test_a_file_that_is_none_is_no_error(shop, text):
    shop.static_file.write_text(text)
    shop.contact.is_away = True
    start_and_end(shop)

    assert shop.list().status == 200
    assert shop.get("/readyz").status == 503


def test_what_nobody_thought_of_is_answered_from_the_file(shop, monkeypatch):
    shop.static_file.write_text('{"items": ["s"]}')
    start_and_end(shop)
    monkeypatch.setattr("pipelines.serving.reading.PublishedList.from_json", lambda _: 1 / 0)
    shop.has_list("u1", ["a"])

    assert shop.list().items == ["s"]


def test_ready_says_which_parts_answer(shop):
    shop.has_items(an_item("a"))

    answer = shop.get("/readyz")

    assert answer.status == 200
    assert answer.json == {
        "status": "ready",
        "redis": "answers",
        "static_file": "missing",
        "catalogue_items": 1,
        "remembered_lists": 0,
        "similar_items": "not loaded",
        "serving": "personal",
    }


def test_trending_is_the_rank_or_a_categorys_list(shop):
    shop.contact.ranks["rank:{trending}"] = ["now", "gone"]
    shop.has_fallback("all", ["w", "now"])
    shop.has_fallback("category:Shoes", ["s"])
    shop.has_items(an_item("s", category="Shoes"))
    shop.hears_of(sold_out("gone"))

    assert shop.get("/v1/trending").items == ["now", "w"]
    assert shop.get("/v1/trending").reasons == ["trending", "popular"]
    assert shop.get("/v1/trending", category="Shoes").items == ["s"]


class Alike:
    """A model that knows what goes with a boot."""

    is_loaded, version = True, "lineage-7"

    async def of(self, item_id):
        return {"sandal": 0.9, "gone": 0.8, "mug": 0.7} if item_id == "boot" else {}

    def known_or_ask(self, item_id):
        return {"mug": 0.7} if item_id == "boot" else None


def test_similar_items_come_from_the_model_then_from_the_category(tmp_path):
    shop = Shop(tmp_path, similar=Alike())
    shop.has_items(an_item("boot", category="Shoes"), an_item("unknown", category="Shoes"))
    shop.has_fallback("category:Shoes", ["boot", "clog"])
    shop.hears_of(sold_out("gone"))

    answer = shop.get("/v1/similar/boot", n=3)

    assert answer.items == ["sandal", "mug", "clog"]
    assert answer.reasons == ["similar", "similar", "popular_in_category"]
    assert (answer.json["source"], answer.json["model_version"]) == ("similar", "lineage-7")
    assert answer.json["items"][0]["score"] == 0.9
    assert shop.get("/v1/similar/unknown").json["source"] == "category"


def test_on_an_items_page_items_like_it_come_first_in_the_lists_order(tmp_path):
    shop = Shop(tmp_path, similar=Alike())
    shop.has_list("u1", ["boot", "a", "b", "c"], spare=["mug"])

    assert shop.list(context_item="boot").items == ["mug", "a", "b", "c"]
    assert shop.list(context_item="a").items == ["boot", "b", "c", "mug"]


def test_items_are_alike_by_the_angle_between_their_vectors():
    import numpy as np

    vectors = np.array([[2, 0], [9, 9], [0.1, 0], [-1, 0], [0, 0], [1, 1]], np.float32)

    columns, cosine = ByVector.of(vectors).nearest(0, 10)

    assert columns.tolist() == [2, 1, 5]
    np.testing.assert_allclose(cosine, [1, 2**-0.5, 2**-0.5], rtol=1e-6)
    assert ByVector.of(vectors).nearest(0, 1)[0].tolist() == [2]
    assert len(ByVector.of(vectors).nearest(4, 3)[0]) == 0


def test_figures_tell_sources_ages_and_why_items_were_left_out(shop):
    shop.has_list("u1", ["a", "gone"], age_hours=30)
    shop.has_fallback("all", ["w"])
    shop.hears_of(sold_out("gone"))
    shop.list()
    shop.list("nobody")
    text = shop.get("/metrics").body.decode()

    assert 'liveshelf_serving_lists_total{reason="own",source="personal"} 1.0' in text
    assert 'liveshelf_serving_lists_total{reason="no_list",source="global"} 1.0' in text
    assert 'liveshelf_serving_filtered_items_total{why="unavailable"} 1.0' in text
    assert 'liveshelf_serving_filled_items_total{reason="popular"} 2.0' in text
    assert "liveshelf_serving_stale_lists_total 1.0" in text
    assert "liveshelf_serving_list_age_seconds_count 1.0" in text
    assert 'liveshelf_serving_request_seconds_count{route="lists"} 2.0' in text


class FakeKafka:
    def __init__(self) -> None:
        self.records, self.is_closed = [], False

    def send_all(self, records):
        self.records += records

    def close(self, timeout_seconds):
        self.is_closed = True
        return True


def test_impressions_go_to_kafka_where_that_is_asked_for(tmp_path):
    kafka = FakeKafka()
    shop = Shop(tmp_path, producer=kafka, max_pending_impressions=3)
    shop.has_list("u1", ["a", "b"])
    shop.list()
    start_and_end(shop)  # it ends, and sends what waits
    events = [json.loads(value) for _, value in kafka.records]

    assert kafka.is_closed and {key for key, _ in kafka.records} == {b"u1"}
    assert [(e["event_type"], e["anonymous_id"], e["item_id"], e["list_id"], e["position"]) for e in events] == [
        ("impression", "u1", "a", "list-of-u1", 0),
        ("impression", "u1", "b", "list-of-u1", 1),
    ]
    assert all("user_id" not in event for event in events) and len({e["event_id"] for e in events}) == 2


def test_impressions_that_do_not_fit_are_dropped_and_counted(tmp_path):
    shop = Shop(tmp_path, producer=FakeKafka(), max_pending_impressions=3)
    shop.has_list("u1", ["a", "b", "c", "d"])

    assert shop.list().status == 200
    assert 'liveshelf_serving_impressions_total{fate="dropped"} 4.0' in shop.get("/metrics").body.decode()


def test_pages_of_allowed_origins_may_ask(tmp_path):
    shop = Shop(tmp_path, allowed_origins=("https://shop.example",))

    answers = [shop.list(headers={"Origin": f"https://{name}.example"}) for name in ("shop", "other")]

    assert [answer.headers.get("access-control-allow-origin") for answer in answers] == ["https://shop.example", None]


def test_the_page_of_routes_needs_no_file_from_elsewhere_and_tells_all(shop):
    page = shop.get("/docs").body.decode()

    assert "//cdn" not in page and "/openapi.json" in page
    assert set(shop.get("/openapi.json").json["paths"]) == {
        "/v1/lists/batch",
        "/v1/lists/{user_id}",
        "/v1/similar/{item_id}",
        "/v1/trending",
        "/healthz",
        "/readyz",
        "/metrics",
        "/status",
    }


def test_an_answer_that_fails_unforeseen_comes_from_the_file_and_is_counted_as_failed(shop, monkeypatch):
    shop.static_file.write_text(json.dumps({"items": ["of-file"]}))
    start_and_end(shop)  # reads the file

    async def fail(*_args, **_more):
        raise ZeroDivisionError

    monkeypatch.setattr("pipelines.serving.lists.ListMaker.list_for", fail)

    assert shop.list().items == ["of-file"]
    assert 'liveshelf_serving_lists_total{reason="failed",source="static"} 1.0' in shop.get("/metrics").body.decode()
