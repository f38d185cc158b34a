"""The simulated shop is deterministic, realistic where it matters, and knows what is true."""

from collections import Counter, defaultdict

import orjson
import pytest

from pipelines.errors import InputError
from pipelines.events.logs import log_format
from pipelines.local.pacing import Pacer
from pipelines.local.replay import replay
from pipelines.local.shop import Shop, ShopConfig, Truth
from pipelines.local.shop.broken import HUGE, KINDS
from pipelines.schemas import EVENT_TYPES, INTERACTION_TYPES
from pipelines.sinks.jsonl import JsonlSink

CONFIG = ShopConfig(n_users=200, n_items=100, n_events=6_000, broken_share=0.03)


@pytest.fixture(scope="module")
def shop():
    return Shop(CONFIG)


@pytest.fixture(scope="module")
def sent(shop):
    return list(shop.records())


@pytest.fixture(scope="module")
def truth(shop, sent):
    counted = Truth(shop)
    for shop_record in sent:
        counted.add(shop_record)
    return counted


@pytest.fixture(scope="module")
def events(sent):
    """Distinct good ones."""
    return [orjson.loads(shop_record.record.value) for shop_record in sent if shop_record.kind == "good"]


def test_the_same_configuration_gives_the_same_bytes(shop, sent):
    assert list(shop.records()) == sent == list(Shop(CONFIG).records())


@pytest.mark.parametrize("change", [{"seed": 8}, {"start_ms": CONFIG.start_ms + 1}, {"n_users": 201}])
def test_another_configuration_shares_no_event_id(events, change):
    other = Shop(ShopConfig(**{"n_users": 200, "n_items": 100, "n_events": 500, **change}))

    ids = {orjson.loads(s.record.value)["event_id"] for s in other.records() if s.kind == "good"}
    assert ids.isdisjoint(event["event_id"] for event in events)


def test_good_events_are_as_many_as_asked_for_and_have_ids_of_their_own(events):
    assert len(events) == len({event["event_id"] for event in events}) == CONFIG.n_events


def test_records_come_in_the_order_in_which_they_are_sent(sent):
    offsets = [shop_record.send_at_ms for shop_record in sent]

    assert offsets == sorted(offsets)


def test_events_are_spread_evenly_at_the_rate_asked_for(sent):
    good = [shop_record.send_at_ms for shop_record in sent if shop_record.kind == "good"]

    assert good == [n * 1000 // 500 for n in range(CONFIG.n_events)]


def test_the_key_is_the_user_also_of_broken_and_repeated_records(sent):
    assert all(shop_record.record.key == shop_record.user.encode() for shop_record in sent)


@pytest.mark.parametrize(("copy", "of"), [("retry", "good"), ("broken_retry", "broken")])
def test_a_retry_is_a_copy_of_an_earlier_record_to_the_last_byte(sent, copy, of):
    n_copies, seen = 0, set()
    for shop_record in sent:
        if shop_record.kind == copy:
            assert (shop_record.record.key, shop_record.record.value) in seen
            n_copies += 1
        elif shop_record.kind == of:
            seen.add((shop_record.record.key, shop_record.record.value))
    assert n_copies > 0


def test_retries_of_a_short_run_do_not_prolong_it_by_much(sent):
    last_good = max(shop_record.send_at_ms for shop_record in sent if shop_record.kind == "good")

    assert sent[-1].send_at_ms <= 1.1 * last_good + 2


def test_no_two_broken_records_are_equal(sent):
    values = [shop_record.record.value for shop_record in sent if shop_record.kind == "broken"]

    assert len(values) == len(set(values)) > 100


def test_records_are_broken_in_every_way_and_the_huge_one_comes_once(truth):
    assert set(truth.broken_by_kind) == {kind.name for kind in (*KINDS, HUGE)}
    assert truth.broken_by_kind[HUGE.name] == 1


def test_the_truth_adds_up(truth, sent, events):
    assert truth.n_sent == len(sent) == truth.n_good + truth.n_broken + truth.n_duplicates
    assert truth.events_by_type == Counter(event["event_type"] for event in events)
    assert truth.broken_by_kind.total() == truth.n_broken
    assert truth.interactions == Counter(
        event.get("user_id") or event["anonymous_id"] for event in events if event["event_type"] in INTERACTION_TYPES
    )


def test_every_event_type_happens_and_the_funnel_narrows(truth):
    n = truth.events_by_type

    assert set(n) == set(EVENT_TYPES)
    assert n["product_view"] > n["add_to_cart"] > n["purchase"] > n["remove_from_cart"] > 0


def test_people_interact_most_with_what_they_like(truth, events):
    shares = []
    seen: dict[str, Counter] = defaultdict(Counter)
    for event in events:
        if event["event_type"] == "product_view":
            seen[event.get("user_id") or event["anonymous_id"]][truth.item_categories[event["item_id"]]] += 1
    for user, categories in seen.items():
        if categories.total() >= 30:
            shares.append(categories[truth.tastes[user][0]] / categories.total())

    assert len(shares) > 10
    assert 0.5 < sum(shares) / len(shares) < 0.7


def test_a_few_items_are_viewed_most(events):
    views = Counter(event["item_id"] for event in events if event["event_type"] == "product_view")

    assert sum(n for _, n in views.most_common(20)) > 0.4 * views.total()


def test_new_items_are_not_seen_before_they_appear(shop, events):
    first_seen: dict[str, int] = {}
    for place, event in enumerate(events):
        first_seen.setdefault(event.get("item_id", ""), place)
    new = [i for i, at in enumerate(shop.catalogue.appears_at_seconds) if at > 0.3 * CONFIG.duration_seconds]

    assert new
    assert all(first_seen.get(shop.catalogue.item_ids[i], CONFIG.n_events) > 0.1 * CONFIG.n_events for i in new)


def test_people_buy_their_staples_again(shop, events):
    staples = {
        name: {shop.catalogue.item_ids[item] for item in items}
        for name, items in zip(shop.people.names, shop.people.staples.tolist(), strict=True)
    }
    bought = [
        (event.get("user_id") or event["anonymous_id"], event["item_id"])
        for event in events
        if event["event_type"] == "purchase"
    ]

    assert sum(item in staples[user] for user, item in bought) > 0.3 * len(bought)
    assert sum(n >= 2 for n in Counter(bought).values()) > 20


def test_some_events_are_sent_minutes_to_hours_late(sent):
    late_ms = [
        CONFIG.start_ms + shop_record.send_at_ms - shop_record.record.event_time_ms
        for shop_record in sent
        if shop_record.kind == "good"
    ]

    late = [ms for ms in late_ms if ms > 0]
    assert 0.01 < len(late) / len(late_ms) < 0.04
    assert min(late) >= 60_000 and max(late) <= 12 * 3_600_000


def test_visitors_have_no_user_id(events):
    kinds = Counter(("user_id" in event, event["event_type"] == "identify") for event in events)

    assert kinds[False, False] > 0 and kinds[True, True] > 0 and kinds[False, True] == 0


def test_a_shop_without_mishaps_sends_good_events_only():
    config = ShopConfig(n_events=300, retry_share=0, late_share=0, broken_share=0)

    assert {shop_record.kind for shop_record in Shop(config).records()} == {"good"}


def test_a_file_of_the_shop_is_replayed_to_the_same_counts(tmp_path, sent, truth):
    with JsonlSink(tmp_path / "shop.jsonl") as file:
        for shop_record in sent:
            file.send(shop_record.record)
    values = (tmp_path / "shop.jsonl").read_bytes().removesuffix(b"\n").split(b"\n")

    class Nowhere:
        def send(self, record): ...
        def flush(self): ...

    summary = replay(values, log_format("jsonl"), Nowhere(), Pacer(None))

    assert values == [shop_record.record.value for shop_record in sent]
    assert (summary.n_sent, summary.n_duplicates) == (truth.n_sent, truth.n_duplicates)


@pytest.mark.parametrize("change", [{"n_events": 0}, {"retry_share": 1.5}, {"n_items": 10}])
def test_values_that_make_no_shop_are_refused(change):
    with pytest.raises(InputError, match=f"shop: {next(iter(change))}: expected"):
        ShopConfig(**change)
