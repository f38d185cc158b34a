"""The tracker in a real browser: what it sees on a page, and what it makes of it."""

import json
from urllib.parse import urlsplit

import pytest

from tests.tracker.recorder import Answer, what_of

pytestmark = pytest.mark.servers


@pytest.fixture(autouse=True)
def impatience(context):
    """What waits for company goes at once, as when the network comes back."""
    context.add_init_script("setInterval(() => dispatchEvent(new Event('online')), 50)")


def test_a_page_view_says_who_when_and_where(page, shop, collector):
    page.goto(f"{shop.url}/index.html?utm_source=mail#top", referer="https://search.example/")

    (event,) = collector.wait_for(1, "page_view")
    assert event["context"] == {
        "page_url": f"{shop.url}/index.html?utm_source=mail",
        "referrer": "https://search.example/",
    }
    assert event["anonymous_id"] and event["session_id"] and "user_id" not in event
    assert event["event_time"].endswith("Z")
    assert collector.requests[0].query == {"key": ["demo-shop-write-key"]}
    assert "Cookie" not in collector.requests[0].headers


def test_a_product_a_cart_and_a_search_need_no_code(page, shop, collector):
    page.goto(f"{shop.url}/mug.html")
    page.fill("[name=quantity]", "3")
    page.click("text=Add to cart")
    page.wait_for_url("**/cart.html?*")
    page.click("text=Remove >> nth=0")
    page.fill("[name=q]", " tea pot ")
    page.press("[name=q]", "Enter")
    page.wait_for_url("**/search.html?*")

    collector.wait_for(3, "page_view")
    events = [event for event in collector.events if event["event_type"] != "impression"]
    assert what_of(events) == [
        "page_view",
        "product_view mug-1",
        "add_to_cart mug-1",
        "page_view",
        "remove_from_cart mug-1",
        "search tea pot",
        "page_view",
    ]
    shown, added, removed = events[1], events[2], events[4]
    assert (shown["price"], shown["currency"], "quantity" in shown) == (14.9, "EUR", False)
    assert (added["quantity"], added["price"], added["currency"]) == (3, 14.9, "EUR")
    assert (removed["quantity"], removed["price"]) == (2, 14.9)
    assert len({event["session_id"] for event in events}) == len({event["anonymous_id"] for event in events}) == 1


def test_a_click_in_a_list_says_which_list_and_where(page, shop, collector):
    page.goto(f"{shop.url}/index.html")
    page.click("text=Tall mug")
    page.wait_for_url("**/mug.html")

    (click,) = collector.wait_for(1, "click")
    assert (click["item_id"], click["list_id"], click["position"]) == ("mug-3", "best-sellers", 2)


def test_a_button_in_a_list_is_no_click_on_the_product(page, shop, collector):
    page.goto(f"{shop.url}/index.html")
    page.click("button:text('Add to cart') >> nth=1")
    page.click("text=Tin mug")

    events = collector.wait_for(2, "click", "add_to_cart")
    assert what_of(events) == ["add_to_cart mug-2", "click mug-4"]
    assert (events[0]["list_id"], events[0]["position"]) == ("best-sellers", 1)


def test_a_product_opened_in_a_new_tab_was_clicked(page, shop, collector):
    page.goto(f"{shop.url}/index.html")
    page.click("text=Red mug", button="middle")

    assert what_of(collector.wait_for(1, "click")) == ["click mug-2"]


def test_an_order_counts_once_however_often_its_page_is_loaded(page, shop, collector):
    page.goto(f"{shop.url}/thanks.html")
    collector.wait_for(2, "purchase")
    page.reload()
    collector.wait_for(2, "page_view")

    bought = collector.wait_for(2, "purchase")
    assert [(event["event_id"], event["item_id"], event.get("quantity")) for event in bought] == [
        ("1001.mug-1", "mug-1", 2),
        ("1001.mug-2", "mug-2", None),
    ]
    assert "product_view" not in {event["event_type"] for event in collector.events}


def test_an_impression_is_half_a_product_for_a_second_once(page, shop, collector):
    page.goto(f"{shop.url}/index.html")
    first = collector.wait_for(4, "impression")
    page.mouse.wheel(0, 5_000)
    below = collector.wait_for(6, "impression")[4:]
    page.mouse.wheel(0, -5_000)
    page.wait_for_function("scrollY === 0")
    page.wait_for_timeout(1_100)  # as long as an impression takes
    page.evaluate("liveshelf('track', 'page_view')")
    collector.wait_for(2, "page_view")

    places = [(event["list_id"], event["position"], event["item_id"]) for event in first + below]
    assert places[:4] == [("best-sellers", n, f"mug-{n + 1}") for n in range(4)]
    assert places[4:] == [("pots", n, f"pot-{n + 1}") for n in range(2)]
    assert len(collector.wait_for(6, "impression")) == 6


def test_a_list_that_is_scrolled_past_makes_no_impression(page, shop, collector):
    page.goto(f"{shop.url}/index.html")
    page.evaluate(
        """async () => { document.querySelector('[data-ls-list=pots]').scrollIntoView()
           for (let frame = 0; frame < 5; frame++) await new Promise(requestAnimationFrame)
           scrollTo(0, 0) }"""
    )

    page.wait_for_timeout(1_100)  # as long as an impression takes
    collector.wait_for(4, "impression")
    page.evaluate("liveshelf('track', 'page_view')")
    collector.wait_for(2, "page_view")
    assert {event.get("list_id") for event in collector.events} == {None, "best-sellers"}


def test_what_is_added_to_the_page_later_is_seen(page, shop, collector):
    page.goto(f"{shop.url}/thanks.html")
    page.evaluate(
        """document.querySelector('main').insertAdjacentHTML('beforeend',
           `<div data-ls-list="late"><a data-ls-product="cup-9" data-ls-position="7" href="#">Cup</a></div>`)"""
    )

    (shown,) = collector.wait_for(1, "impression")
    assert (shown["item_id"], shown["list_id"], shown["position"]) == ("cup-9", "late", 7)


def test_a_place_that_gets_another_product_by_its_attribute_is_seen(page, shop, collector):
    page.goto(f"{shop.url}/mug.html")
    collector.wait_for(1, "product_view")
    page.evaluate("document.querySelector('main').setAttribute('data-ls-product', 'mug-1-red')")

    assert what_of(collector.wait_for(2, "product_view")) == ["product_view mug-1", "product_view mug-1-red"]


def test_pages_of_a_one_page_shop_are_viewed_once_each(page, shop, collector):
    page.goto(f"{shop.url}/app.html")
    page.click("text=Large cup")
    page.click("text=Add to cart")
    page.click("text=Details")  # a jump within the page
    page.evaluate("liveshelf('track', 'search', { query: 'of clay' })")
    page.go_back()
    page.go_back()
    page.click("text=Small cup")
    page.wait_for_selector("h1:text('cup-1')")

    collector.wait_for(2, "product_view")
    events = [event for event in collector.events if event["event_type"] != "impression"]
    assert what_of(events) == [
        "page_view",
        "click cup-2",
        "page_view",
        "product_view cup-2",
        "add_to_cart cup-2",
        "search of clay",
        "page_view",
        "click cup-1",
        "page_view",
        "product_view cup-1",
    ]
    views = [event["context"] for event in events if event["event_type"] == "page_view"]
    assert [urlsplit(view["page_url"]).query for view in views] == ["", "page=cup-2", "", "page=cup-1"]
    assert views[1]["referrer"] == f"{shop.url}/app.html"


@pytest.mark.parametrize(
    ("act", "made"),
    [
        ("document.querySelector('[data-ls-action]').click()", "add_to_cart cup-2"),
        ("document.querySelector('[name=q]').value = 'tea'; document.forms[0].requestSubmit()", "search tea"),
        ("liveshelf('track', 'search', { query: 'tea' })", "search tea"),
        ("liveshelf('identify', 'u1')", "identify"),
    ],
)
def test_whoever_acts_at_once_on_a_drawn_page_has_viewed_it_before(page, shop, collector, act, made):
    page.goto(f"{shop.url}/app.html")
    page.wait_for_function("liveshelf.loaded")
    page.evaluate(f"document.querySelector('[href=\"?page=cup-2\"]').click(); {act}")

    collector.wait_for(1, "product_view")
    collector.wait_for(1, made.split()[0])
    *seen, _ = events = collector.events[:5]
    assert what_of(events) == ["page_view", "click cup-2", "page_view", "product_view cup-2", made]
    assert not any("user_id" in event for event in seen)


def test_a_drawn_page_that_is_left_at_once_was_viewed(page, shop, collector):
    page.goto(f"{shop.url}/app.html")
    page.wait_for_function("liveshelf.loaded")
    page.evaluate("document.querySelector('[href=\"?page=cup-2\"]').click(); location.href = 'cart.html'")

    collector.wait_for(3, "page_view")
    assert what_of(collector.events)[:4] == ["page_view", "click cup-2", "page_view", "product_view cup-2"]


def test_a_page_from_the_browsers_cache_is_viewed_again(page, shop, collector):
    page.goto(f"{shop.url}/mug.html")
    collector.wait_for(2, "page_view", "product_view")
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")

    assert what_of(collector.wait_for(4, "page_view", "product_view")) == ["page_view", "product_view mug-1"] * 2


def test_login_names_the_visitor_once_and_logout_forgets(page, shop, collector):
    page.goto(f"{shop.url}/cart.html")
    page.evaluate("liveshelf('identify', 42); liveshelf('identify', '42')")
    page.reload()
    page.evaluate("liveshelf('identify', '42'); liveshelf('reset'); liveshelf('track', 'search', { query: 'q' })")

    events = collector.wait_for(4)
    assert what_of(events) == ["page_view", "identify", "page_view", "search q"]
    before, joined, after, anew = events
    assert "user_id" not in before and "user_id" not in anew
    assert joined["user_id"] == after["user_id"] == "42"
    assert joined["anonymous_id"] == before["anonymous_id"] != anew["anonymous_id"]
    assert anew["session_id"] != after["session_id"]


def test_another_user_at_the_same_screen_is_another_visitor(page, shop, collector):
    page.goto(f"{shop.url}/cart.html")
    page.evaluate("liveshelf('identify', 'ann'); liveshelf('identify', 'bob')")

    ann, bob = collector.wait_for(2, "identify")
    assert (ann["user_id"], bob["user_id"]) == ("ann", "bob")
    assert ann["anonymous_id"] != bob["anonymous_id"]


def test_half_an_hour_without_an_event_ends_the_session_and_so_does_a_clock_set_back(page, shop, collector):
    page.goto(f"{shop.url}/cart.html")
    for minutes in (29, 31, -31):
        page.evaluate(
            """(minutes) => { const [id] = localStorage['liveshelf.session'].split(' ')
               localStorage['liveshelf.session'] = `${id} ${Date.now() - minutes * 60e3}`
               liveshelf('track', 'search', { query: String(minutes) }) }""",
            minutes,
        )

    view, same, later, back = (event["session_id"] for event in collector.wait_for(4))
    assert view == same
    assert len({same, later, back}) == 3


def test_calls_before_the_tracker_is_loaded_wait_for_it(page, shop, collector):
    page.add_init_script(
        """window.liveshelf = function () { (liveshelf.q = liveshelf.q || []).push(arguments) }
           liveshelf('identify', 'u1'); liveshelf('track', 'search', { query: 'early', shelf: 3 })"""
    )
    page.goto(f"{shop.url}/cart.html")

    events = collector.wait_for(3)
    assert what_of(events) == ["page_view", "identify", "search early"]
    assert (events[2]["user_id"], events[2]["shelf"]) == ("u1", 3)


def test_a_second_copy_of_the_tracker_does_nothing(page, shop, collector):
    page.goto(f"{shop.url}/cart.html")
    page.wait_for_function("window.liveshelf?.loaded")
    page.evaluate(
        """() => new Promise((resolve) => { const copy = document.createElement('script'); copy.onload = resolve
           copy.src = document.querySelector('[data-ls-key]').src; document.head.append(copy) })"""
    )
    page.click("text=Remove >> nth=1")

    collector.wait_for(1, "remove_from_cart")
    assert what_of(collector.events) == ["page_view", "remove_from_cart mug-2"]


def test_pages_that_change_what_everything_has_do_no_harm(page, shop, collector):
    page.add_init_script(
        """Object.prototype.each = function () {}; Object.prototype.price = '1'
           Object.prototype.toJSON = Array.prototype.toJSON = function () { return 'spoilt' }"""
    )
    page.goto(f"{shop.url}/cart.html")
    page.click("text=Remove >> nth=1")

    events = collector.wait_for(2)
    assert what_of(events) == ["page_view", "remove_from_cart mug-2"]
    assert events[1]["price"] == 12.5


def test_nothing_is_thrown_and_no_name_is_taken(page, shop, collector):
    page.goto(f"{shop.url}/index.html")
    page.wait_for_function("window.liveshelf?.loaded")
    page.evaluate(
        """() => { const circle = {}; circle.self = circle
           for (const call of [['nonsense'], [], [{}], ['track', 'search', circle], ['identify', null], ['toString']])
             liveshelf(...call) }"""
    )
    leaked = page.evaluate(
        "['e', 't', 'n', 'r'].filter((name) => { try { return !!eval(name) } catch { return false } })"
    )

    assert leaked == []
    collector.wait_for(1, "page_view")


def test_what_the_collector_rejects_is_told_and_not_sent_again(page, shop, collector):
    warnings: list[str] = []
    page.on("console", lambda message: warnings.append(message.text))
    page.goto(f"{shop.url}/cart.html")
    collector.wait_for(1)
    rejected = [{"index": 0, "event_id": "x", "field": "item_id", "reason": "is missing"}]
    collector.answers.append(Answer(body=json.dumps({"accepted": 0, "rejected": rejected}).encode()))
    with page.expect_console_message():
        page.evaluate("liveshelf('track', 'add_to_cart')")

    assert "liveshelf" in warnings[0]
    page.wait_for_function("Object.keys(localStorage).every((key) => !key.startsWith('liveshelf.e'))")
