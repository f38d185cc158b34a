"""The tracker in a real browser: what is stored and sent is what the visitor allows."""

import pytest

from tests.tracker.recorder import what_of

pytestmark = pytest.mark.servers

STORED = "Object.keys(localStorage).length + Object.keys(sessionStorage).length + document.cookie.length"


def assert_nothing_is_sent(page, collector, n_before: int = 0) -> None:
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_timeout(300)
    page.goto("about:blank")
    page.wait_for_timeout(100)
    assert len(collector.requests) == n_before


def test_before_consent_nothing_is_sent_or_stored_and_then_all_of_the_page(page, shop, collector):
    shop.ask_for_consent("ask")
    page.goto(f"{shop.url}/cart.html")
    page.click("text=Remove >> nth=1")
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_timeout(300)
    assert (page.evaluate(STORED), collector.requests) == (0, [])

    page.evaluate("liveshelf('consent', true)")
    assert what_of(collector.wait_for(2)) == ["page_view", "remove_from_cart mug-2"]
    page.goto(f"{shop.url}/cart.html")  # remembered: nobody is asked again
    assert len({event["anonymous_id"] for event in collector.wait_for(3)}) == 1


def test_what_is_not_consented_to_by_the_end_of_the_page_is_gone(page, shop, collector):
    shop.ask_for_consent("ask")
    page.goto(f"{shop.url}/cart.html")

    assert_nothing_is_sent(page, collector)


def test_in_memory_only_each_page_is_a_visitor_and_nothing_is_stored(page, shop, collector):
    shop.ask_for_consent("memory")
    page.goto(f"{shop.url}/cart.html")
    page.click("text=Remove >> nth=1")
    assert page.evaluate(STORED) == 0
    page.reload()

    events = collector.wait_for(3)
    assert what_of(events) == ["page_view", "remove_from_cart mug-2", "page_view"]
    assert events[0]["anonymous_id"] == events[1]["anonymous_id"] != events[2]["anonymous_id"]
    assert page.evaluate(STORED) == 0


def test_consent_that_is_withdrawn_deletes_what_is_stored(page, shop, collector):
    page.goto(f"{shop.url}/cart.html")
    collector.wait_for(1)
    page.wait_for_function("localStorage['liveshelf.id']")
    page.evaluate("liveshelf('consent', false); liveshelf('identify', 'u1'); liveshelf('reset')")
    page.click("text=Remove >> nth=1")

    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('liveshelf'))") == []
    assert_nothing_is_sent(page, collector, n_before=1)


@pytest.mark.parametrize(
    "signal",
    [
        pytest.param("'globalPrivacyControl', { get: () => true }", id="global-privacy-control"),
        pytest.param("'doNotTrack', { get: () => '1' }", id="do-not-track"),
    ],
)
def test_who_says_no_to_all_sites_is_left_alone(page, shop, collector, signal):
    page.goto(f"{shop.url}/cart.html")
    collector.wait_for(1)
    page.add_init_script(f"Object.defineProperty(Navigator.prototype, {signal})")
    page.goto("about:blank")
    n_before = len(collector.requests)
    page.goto(f"{shop.url}/cart.html")
    page.evaluate("liveshelf('consent', true)")

    assert page.evaluate(STORED) == 0
    assert_nothing_is_sent(page, collector, n_before)
