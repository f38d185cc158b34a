"""Where the items of an answer come from, in order, and what says so."""

import json

import pytest

from pipelines.stores.keys import rank_key
from pipelines.stores.serving_mode import ServingMode
from tests.serving.builders import HOUR_MS, Shop, an_item, sold_out, start_and_end


def test_a_list_of_ones_own_has_all_that_is_known_of_it(shop):
    shop.has_list("u1", ["a", "b", "c", "d"], age_hours=1)

    answer = shop.list()

    assert answer.status == 200
    told = answer.json
    assert answer.items == ["a", "b", "c", "d"] and answer.reasons == ["personal"] * 4
    assert told["items"][1] == {"item_id": "b", "rank": 1, "reason": "personal", "score": 0.9}
    assert (told["list_id"], told["model_version"], told["source"]) == ("list-of-u1", "m-1", "personal")
    assert (told["as_of"], told["age_seconds"], told["stale"]) == ("2027-01-15T07:00:00.000Z", 3600.0, False)


def test_one_read_is_enough_for_a_whole_list(shop):
    shop.has_list("u1", ["a", "b", "c", "d"])

    shop.list()

    assert shop.contact.reads == [("list:{u1}", "{catalogue}:version", "serving:mode")]


def test_fallbacks_come_in_order_until_the_list_is_full(tmp_path):
    shop = Shop(tmp_path)
    shop.has_list("u1", ["own"], age_hours=1)
    shop.has_items(an_item("own", category="Shoes"))
    shop.has_fallback("country:DE", ["own", "of-country"])
    shop.has_fallback("device:mobile", ["of-device", "of-country"])
    shop.has_fallback("category:Shoes", ["of-category"])
    shop.has_fallback("all", ["of-all", "of-category"])
    shop.contact.ranks[rank_key("trending")] = ["of-now"]
    shop.static_file.write_text(json.dumps({"items": ["of-file", "own"]}))
    shop.get("/readyz")
    start_and_end(shop)

    answer = shop.list(n=8, country="DE", device="mobile")

    assert answer.items == ["own", "of-country", "of-device", "of-category", "of-all", "of-now", "of-file"]
    assert answer.reasons == [
        "personal",
        "popular_in_country",
        "popular_on_device",
        "popular_in_category",
        "popular",
        "trending",
        "static",
    ]
    assert [told["rank"] for told in answer.json["items"]] == list(range(7))
    assert answer.json["source"] == "personal" and answer.json["list_id"] == "list-of-u1"
    assert shop.list(n=3, country="DE", device="mobile").items == ["own", "of-country", "of-device"]


@pytest.mark.parametrize(
    ("age_hours", "source", "is_stale"),
    [
        pytest.param(24, "personal", False, id="as old as fresh_hours"),
        pytest.param(24.01, "personal", True, id="older: flagged"),
        pytest.param(168, "personal", True, id="as old as the hard limit"),
        pytest.param(168.01, "global", False, id="older: never as personal"),
        pytest.param(-1, "personal", False, id="from a clock that is ahead"),
    ],
)
def test_what_becomes_of_a_list_with_its_age(shop, age_hours, source, is_stale):
    shop.has_list("u1", ["a", "b", "c", "d"], age_hours=age_hours)
    shop.has_fallback("all", ["w", "x", "y", "z"])

    told = shop.list().json

    assert (told["source"], told["stale"]) == (source, is_stale)
    assert told["items"][0]["item_id"] == ("a" if source == "personal" else "w")
    assert told["age_seconds"] >= 0


def test_a_list_grows_old_while_the_service_runs(shop):
    shop.has_list("u1", ["a", "b", "c", "d"])
    sources = []
    for _ in range(3):
        told = shop.list().json
        sources.append((told["source"], told["stale"]))
        shop.now_ms += 100 * HOUR_MS

    assert sources == [("personal", False), ("personal", True), ("none", False)]


def test_fallbacks_are_flagged_when_nobody_made_them_anew(shop):
    shop.has_fallback("all", ["x"], age_hours=30)

    assert shop.list().json["stale"] is True


def test_a_user_without_a_list_gets_what_stands_in_with_its_own_id_and_age(shop):
    shop.has_fallback("all", ["w", "x", "y", "z"], age_hours=2)

    told = shop.list("nobody").json

    assert (told["source"], told["list_id"], told["age_seconds"]) == ("global", "of-all", 7200.0)


def test_with_nothing_at_all_the_list_is_empty_and_no_error(shop):
    answer = shop.list()

    assert answer.status == 200 and answer.items == [] and answer.json["source"] == "none"
    assert answer.json["as_of"] is None and answer.json["age_seconds"] is None


def test_spare_items_move_up_and_the_list_is_asked_for_again(shop):
    shop.has_list("u1", ["a", "gone", "c", "d"], spare=["e", "gone-too", "f"])
    shop.hears_of(sold_out("gone"), an_item("gone-too", hidden=True))

    assert shop.list().items == ["a", "c", "d", "e"]
    assert shop.list(n=6).items == ["a", "c", "d", "e", "f"]
    start_and_end(shop)  # what waits is handed over
    assert shop.due.asked == ["u1"]  # once, though it was read twice
    assert shop.metric("filtered_items_total") == 3


def test_a_whole_list_is_not_asked_for_again(shop):
    shop.has_list("u1", ["a", "b", "c", "d"])
    shop.list(category="Shoes")
    start_and_end(shop)

    assert shop.due.asked == []


def test_reasons_of_the_list_go_with_their_items_and_pins_keep_their_places(shop):
    shop.has_list("u1", ["gone", "b", "pinned", "new"], spare=["e"], reasons={"pin": [2], "explore": [3]})
    shop.hears_of(sold_out("gone"))

    answer = shop.list()

    assert answer.items == ["b", "new", "pinned", "e"]
    assert answer.reasons == ["personal", "explore", "pin", "personal"]
    assert shop.list(n=2).items == ["b", "new"]


def test_a_pin_that_is_gone_leaves_its_place_to_the_next(shop):
    shop.has_list("u1", ["pinned", "b", "c"], reasons={"pin": [0]})
    shop.hears_of(sold_out("pinned"))

    assert shop.list().items == ["b", "c"]


@pytest.mark.parametrize(
    "source", ["list", "country:DE", "category:Shoes", "all", "rank", "file"], ids=lambda name: f"from-{name}"
)
def test_what_may_not_be_shown_comes_from_no_source(shop, source):
    shop.has_items(an_item("own", category="Shoes"))
    shop.has_list("u1", ["own", *(["gone"] if source == "list" else [])])
    if ":" in source or source == "all":
        shop.has_fallback(source, ["gone", "fine"])
    shop.contact.ranks[rank_key("trending")] = ["gone", "fine"] if source == "rank" else []
    shop.static_file.write_text(json.dumps({"items": ["gone", "fine"] if source == "file" else []}))
    start_and_end(shop)
    shop.hears_of(sold_out("gone"))

    answer = shop.list(n=10, country="DE")

    assert "gone" not in answer.items
    assert source == "list" or "fine" in answer.items


def test_a_mode_for_all_switches_personal_lists_off_and_on(shop):
    shop.has_list("u1", ["a", "b", "c", "d"])
    shop.has_fallback("all", ["w", "x", "y", "z"])
    shop.has_mode(ServingMode("fallback", "the model went mad", 1, "ann"))

    assert shop.list().items == ["w", "x", "y", "z"]
    assert shop.get("/readyz").json["reason"] == "the model went mad"

    shop.has_mode(ServingMode())
    assert shop.list().items == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("stored", "mode"),
    [
        (None, "personal"),
        (b"fallback\n", "fallback"),
        (b'{"mode": "fallback"}', "fallback"),
        (b'{"mode": "off"}', "personal"),
        (b"{", "personal"),
        (b"[]", "personal"),
    ],
)
def test_a_mode_that_cannot_be_read_is_personal_but_for_the_bare_word(stored, mode):
    assert ServingMode.from_bytes(stored).mode == mode


def test_a_mode_is_read_as_it_was_written():
    mode = ServingMode("fallback", "data too old", 12, "check_consistency")

    assert ServingMode.from_bytes(mode.to_json()) == mode


@pytest.mark.parametrize("stored", [b"", b"[]", b"{}", b"null", b'{"items": 3}', b"\xff", b'"x"'])
def test_a_value_that_is_no_list_is_answered_by_what_stands_in(shop, stored):
    shop.contact.values["list:{u1}"] = stored
    shop.has_fallback("all", ["w"])

    answer = shop.list()

    assert answer.status == 200 and answer.items == ["w"]
