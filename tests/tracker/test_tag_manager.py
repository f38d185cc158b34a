"""The two tags for Google Tag Manager, fired as a container would: what a page pushes becomes our events."""

from pathlib import Path

import pytest

from tests.tracker.recorder import what_of

pytestmark = pytest.mark.servers

PROJECT = Path(__file__).parents[2]
EVENTS = "view_item|view_item_list|select_item|add_to_cart|remove_from_cart|purchase|search|view_search_results|login|sign_up"


@pytest.fixture
def layer(page, shop):
    """A page with a data layer; `push` pushes."""
    tracker, ecommerce = (
        (PROJECT / f"tracker/gtm-{name}.html").read_text(encoding="utf-8") for name in ("tracker", "ecommerce")
    )
    shop.replaced |= {"TRACKER_TAG": tracker, "ECOMMERCE_TAG": ecommerce, "TRIGGER": EVENTS}
    shop.replaced |= {"https://collect.shop.example": shop.replaced["http://127.0.0.1:8380"]}
    page.goto(f"{shop.url}/gtm.html")

    def push(event: str, ecommerce: dict | None = None, **parameters: str) -> None:
        page.evaluate("(object) => dataLayer.push(object)", {"event": event, "ecommerce": ecommerce, **parameters})

    return push


MUG = {"item_id": "mug-1", "item_name": "Blue mug", "price": 14.9, "quantity": 1}
POT = {"item_id": 77, "price": "29.00", "quantity": 2, "index": 4, "item_list_id": "own"}


def test_each_event_of_the_data_layer_becomes_ours(layer, collector):
    layer("view_item_list", {"item_list_id": "best", "currency": "EUR", "items": [MUG, POT]})
    layer("select_item", {"item_list_name": "Best", "items": [{**MUG, "index": 0}]})
    layer("view_item", {"currency": "EUR", "value": 14.9, "items": [MUG]})
    layer("add_to_cart", {"currency": "EUR", "items": [POT]})
    layer("remove_from_cart", {"currency": "EUR", "items": [POT]})
    layer("view_search_results", search_term="tea pot")
    layer("login", user_id="u1")
    layer("begin_checkout", {"items": [MUG]})
    layer("purchase", {"transaction_id": "T 1", "currency": "EUR", "items": [MUG, POT]})

    events = collector.wait_for(11)
    assert what_of(events) == [
        "page_view",
        "impression mug-1",
        "impression 77",
        "click mug-1",
        "product_view mug-1",
        "add_to_cart 77",
        "remove_from_cart 77",
        "search tea pot",
        "identify",
        "purchase mug-1",
        "purchase 77",
    ]
    shown = [(event["list_id"], event["position"], "quantity" in event) for event in events[1:4]]
    assert shown == [("best", 0, False), ("own", 4, False), ("Best", 0, True)]
    added, bought = events[5], events[9]
    assert (added["price"], added["quantity"], added["currency"]) == (29.0, 2, "EUR")
    assert (bought["event_id"], bought["user_id"]) == ("T%201.mug-1", "u1")


def test_the_tags_are_of_the_javascript_that_tag_manager_takes():
    for name in ("tracker", "ecommerce"):
        code = (PROJECT / f"tracker/gtm-{name}.html").read_text(encoding="utf-8")
        assert not [newer for newer in ("=>", "const ", "let ", "`", "?.", "...") if newer in code]
