"""The tracker in a real browser: what it has seen arrives, in order, whatever the network, the collector and the tab do."""

import pytest

from tests.tracker.recorder import Answer, Recorder, what_of

pytestmark = pytest.mark.servers

NOW = "dispatchEvent(new Event('online'))"  # sends at once
N_QUEUED = "Object.keys(localStorage).filter((key) => key.startsWith('liveshelf.e')).length"


def search(page, *queries: object) -> None:
    for query in queries:
        page.evaluate("(query) => liveshelf('track', 'search', { query })", str(query))


def queries(collector: Recorder) -> list[str]:
    return [event["query"] for event in collector.events if event["event_type"] == "search"]


def ids(collector: Recorder) -> list[str]:
    """Of every event that was taken, repeated ones too."""
    return [event["event_id"] for event in collector.taken]


def test_what_happens_without_a_collector_survives_reloads_and_arrives_in_order(page, shop, collector):
    page.goto(f"{shop.url}/cart.html")
    collector.wait_for(1)
    collector.stop()
    search(page, 1, 2)
    page.evaluate(NOW)
    page.reload()
    search(page, 3)
    page.click("text=Remove >> nth=1")
    collector.start()
    page.evaluate(NOW)

    expected = ["page_view", "search 1", "search 2", "page_view", "search 3", "remove_from_cart mug-2"]
    assert what_of(collector.wait_for(6)) == expected


def test_a_lost_answer_is_asked_for_again_with_the_same_ids(page, shop, collector):
    collector.answers.append(Answer(502))
    page.goto(f"{shop.url}/cart.html")
    collector.wait_for(1)

    first, again = collector.requests
    assert [event["event_id"] for event in first.events] == [event["event_id"] for event in again.events]
    page.wait_for_function(f"{N_QUEUED} === 0")


@pytest.mark.parametrize("body", [b"<html>Welcome to our network</html>", b'{"welcome": true}'], ids=["html", "json"])
def test_an_answer_that_is_not_the_collectors_is_none(page, shop, collector, body):
    collector.answers.append(Answer(body=body))
    page.goto(f"{shop.url}/cart.html")
    collector.wait_for_requests(2)

    assert ids(collector)[0] == ids(collector)[1]


def test_it_waits_as_long_as_it_is_told_on_the_next_page_too(page, shop, collector):
    collector.answers.append(Answer(503, {"Retry-After": "3000"}))
    page.goto(f"{shop.url}/cart.html")
    collector.wait_for_requests(1)
    page.wait_for_function("localStorage['liveshelf.until']")
    seconds = page.evaluate("(localStorage['liveshelf.until'] - Date.now()) / 1000")
    page.reload()
    search(page, 1)
    page.evaluate(NOW)
    page.goto("about:blank")
    page.goto(f"{shop.url}/cart.html")
    page.evaluate(f"localStorage['liveshelf.until'] = 0; {NOW}")

    collector.wait_for(4)
    assert 2_000 < seconds <= 3_000
    assert len(collector.requests) == 2


def test_a_wait_that_only_a_clock_set_back_explains_is_none(page, shop, collector):
    page.add_init_script("localStorage['liveshelf.until'] = Date.now() + 100 * 86400e3")
    page.goto(f"{shop.url}/cart.html")

    assert what_of(collector.wait_for(1)) == ["page_view"]


def test_one_event_that_cannot_be_read_does_not_stop_the_others(page, shop, collector):
    collector.answers += [Answer(503), Answer(400), Answer(), Answer(400), Answer(413)]
    page.goto(f"{shop.url}/cart.html")
    search(page, 1, 2)
    collector.wait_for_requests(6)

    tried = [(len(request.events), request.answer.status) for request in collector.requests]
    assert tried == [(3, 503), (3, 400), (1, 200), (2, 400), (1, 413), (1, 200)]
    assert what_of(collector.events) == ["page_view", "search 2"]


def test_storage_that_is_full_loses_nothing_of_the_page(page, shop, collector):
    page.add_init_script("for (let n = 1 << 22; n; n >>= 1) try { localStorage[n] = 'x'.repeat(n) } catch {}")
    page.goto(f"{shop.url}/cart.html")
    search(page, 1)

    assert what_of(collector.wait_for(2)) == ["page_view", "search 1"]
    search(page, 2)
    page.goto("about:blank")
    assert what_of(collector.wait_for(3))[2] == "search 2"


def test_storage_that_is_forbidden_loses_nothing_of_the_page(page, shop, collector):
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no') } })")
    page.goto(f"{shop.url}/cart.html")
    search(page, 1)

    assert what_of(collector.wait_for(2)) == ["page_view", "search 1"]


def test_the_queue_is_bounded_and_keeps_the_newest_and_goes_in_bounded_parts(page, shop, collector):
    page.goto(f"{shop.url}/cart.html")
    collector.wait_for(1)
    collector.stop()
    page.evaluate(
        """for (let n = 0; n < 230; n++)
             liveshelf('track', 'search', { query: String(n), note: 'ä'.repeat(n < 200 ? 9 : 5000) })"""
    )
    collector.start()
    page.evaluate(NOW)

    collector.wait_for(200, "search")
    assert queries(collector) == [str(n) for n in range(30, 230)]
    assert max(len(request.events) for request in collector.requests) == 50
    assert max(len(request.text.encode()) for request in collector.requests) < 65_536


def test_an_event_too_large_for_a_beacon_is_not_kept(page, shop, collector):
    page.goto(f"{shop.url}/cart.html")
    search(page, "x" * 20_000, "small")

    collector.wait_for(2)
    assert queries(collector) == ["small"]


def test_leaving_the_shop_sends_what_waits(page, shop, collector):
    page.goto(f"{shop.url}/cart.html")
    search(page, 1)
    page.goto("about:blank")

    assert what_of(collector.wait_for(2)) == ["page_view", "search 1"]
    assert collector.requests[0].headers["Content-Type"].startswith("text/plain")
    page.goto(f"{shop.url}/cart.html")  # no answer was heard, so it goes again, as the same
    collector.wait_for(3)
    assert sorted(ids(collector).count(each) for each in set(ids(collector))) == [1, 2, 2]


def test_going_on_in_the_shop_sends_nothing_twice(page, shop, collector):
    page.goto(f"{shop.url}/index.html")
    for _ in range(3):
        page.click("text=Blue mug")
        page.wait_for_url("**/mug.html")
        page.go_back()
    search(page, "last")

    collector.wait_for(1, "search")
    assert len(collector.wait_for(3, "click")) == 3
    assert len(ids(collector)) == len(set(ids(collector)))


def test_a_tab_that_is_put_aside_sends_what_waits(page, shop, collector):
    page.clock.install()
    page.clock.pause_at("2100-01-01")  # no timer ends
    page.goto(f"{shop.url}/cart.html")
    page.evaluate(
        """Object.defineProperty(document, 'hidden', { value: true, configurable: true })
           document.dispatchEvent(new Event('visibilitychange'))"""
    )

    collector.wait_for(1)
    page.wait_for_function(f"{N_QUEUED} === 0", polling=50)


def test_two_tabs_are_one_visit_and_send_each_event_once(context, page, shop, collector):
    other = context.new_page()
    page.goto(f"{shop.url}/cart.html")
    other.goto(f"{shop.url}/cart.html")
    for n in range(20):
        search(page if n % 2 else other, n)
        if n % 5 == 0:
            page.evaluate(NOW)
            other.evaluate(NOW)

    collector.wait_for(22)
    # Each tab's own are in order. A browser shows one tab late what another stored: those may overtake each other.
    for first in (0, 1):
        assert [n for n in map(int, queries(collector)) if n % 2 == first] == list(range(first, 20, 2))
    assert len(ids(collector)) == 22
    assert len({(event["anonymous_id"], event["session_id"]) for event in collector.events}) == 1


def test_a_tab_sends_what_a_closed_one_left(context, page, shop, collector):
    other = context.new_page()
    page.goto(f"{shop.url}/cart.html")
    other.goto(f"{shop.url}/cart.html")
    collector.wait_for(2)
    collector.stop()
    search(other, 1)
    other.close()
    collector.start()
    search(page, 2)

    collector.wait_for(4)
    assert queries(collector) == ["1", "2"]


def test_a_browser_without_what_is_new_sends_too(page, shop, collector):
    page.add_init_script(
        """delete Navigator.prototype.locks; delete Crypto.prototype.randomUUID; delete AbortSignal.timeout
           Object.defineProperty(window, 'navigation', { value: undefined })"""
    )
    page.goto(f"{shop.url}/cart.html")
    search(page, 1)

    first, second = collector.wait_for(2)
    assert first["event_id"] != second["event_id"] and len(first["event_id"]) > 30


def test_a_clock_that_was_ahead_does_not_change_the_order(page, shop, collector):
    page.add_init_script(
        """if (!localStorage.was) { localStorage.was = 1; localStorage['liveshelf.id'] = 'a1'
             localStorage['liveshelf.e4102444800000.x'] = '{"event_id":"early","event_type":"search","query":"0"}' }"""
    )
    page.goto(f"{shop.url}/cart.html")
    search(page, 1)

    assert what_of(collector.wait_for(3)) == ["search 0", "page_view", "search 1"]
