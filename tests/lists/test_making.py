"""Whole lists by the rules: what is in them, in which order, and why."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.list_sections import BoostConfig, PinConfig, RulesConfig
from pipelines.lists import making, pool
from tests.examples import examples
from tests.lists.shops import DAY_S, NOW_S, Shop, ToldRanker, User, a_ranker, asked, some_item

NEW_MS = (NOW_S - DAY_S) * 1000
OLD_MS = (NOW_S - 99 * DAY_S) * 1000


def rules(**more) -> RulesConfig:
    return RulesConfig(**{"explore_share": 0.0, **more})


def pin(item: str, position: int = 1, **more) -> PinConfig:
    return PinConfig(item=item, position=position, **more)


def boost(strength: float, **match) -> BoostConfig:
    return BoostConfig(strength=strength, match=match)


CATALOGUE = (
    some_item("a", category="Toys > Cars", brand="Acme", price=10.0),
    some_item("b", category="Toys > Cars", brand="Acme", price=11.0),
    some_item("c", category="Toys", brand="Other", price=50.0),
    some_item("d", category="Books", brand="Other", price=12.0),
    some_item("e", category="Books", price=9.0),
    some_item("unseen", category="Books", price=8.0),  # of the catalogue alone
    some_item("gone", in_stock=False),
)
BUYER = User(did=[("purchase", "a", 60)])


@pytest.mark.parametrize(
    ("user", "more", "items"),
    [
        pytest.param(User(), {}, "abc", id="the-models-choice"),
        pytest.param(BUYER, {}, "bcd", id="not-what-was-bought"),
        pytest.param(BUYER, {"exclude_purchased": False}, "abc", id="what-was-bought-where-it-may-be"),
        pytest.param(User(did=[("add_to_cart", "b", 60)]), {}, "acd", id="not-what-lies-in-the-cart"),
        pytest.param(User(did=[("click", "a", 60)]), {"price_band": 1.2}, "abd", id="of-about-the-price"),
        pytest.param(User(), {"price_band": 1.2}, "abc", id="no-band-for-who-looked-at-nothing"),
        pytest.param(User(), {"max_price": 10.5}, ["a", "e", "unseen"], id="not-too-dear"),
        pytest.param(User(), {"max_per_category": 1}, "acd", id="one-of-each-category"),
        pytest.param(User(), {"max_per_brand": 1, "max_per_category": 2}, "ace", id="one-of-each-brand"),
        pytest.param(User(), {"pins": [pin("e")]}, "eab", id="pinned-first"),
        pytest.param(User(), {"pins": [pin("a", 3)]}, "bca", id="pinned-lower-than-it-would-be"),
        pytest.param(User(), {"pins": [pin("e"), pin("d")]}, "eda", id="two-for-one-place"),
        pytest.param(User(), {"pins": [pin("e", 2), pin("e", 3)]}, "aeb", id="pinned-twice"),
        pytest.param(User(), {"pins": [pin("gone")]}, "abc", id="pinned-but-sold-out"),
        pytest.param(BUYER, {"pins": [pin("a")]}, "bcd", id="pinned-but-bought"),
        pytest.param(User(), {"pins": [pin("e", 4)]}, "abc", id="pinned-below-the-list"),
        pytest.param(User(), {"pins": [pin("e", until="2020-01-01")]}, "abc", id="pinned-long-ago"),
        pytest.param(User(), {"pins": [pin("e", categories=["Toys"])]}, "abc", id="pinned-for-others"),
        pytest.param(
            User(did=[("click", "d", 9), ("click", "b", 8), ("click", "c", 7)]),
            {"pins": [pin("e", categories=["Toys"])]}, "eab", id="pinned-for-who-is-busy-there",
        ),
        pytest.param(User(), {"boosts": [boost(1.0, items=["d"])]}, "adb", id="lifted-from-below-the-list"),
        pytest.param(User(), {"boosts": [boost(0.4, brands=["Other"])]}, "abc", id="lifted-a-little"),
        pytest.param(User(), {"boosts": [boost(-1.0, items=["a"])]}, "bca", id="pushed-down"),
        pytest.param(
            User(), {"boosts": [boost(0.8, items=["d"]), boost(0.8, categories=["Books"])]}, "dab", id="two-boosts-add-up"
        ),
    ],
)  # fmt: skip
def test_a_list_by_the_rules(user, more, items):
    assert Shop(a_ranker(*"abcde"), CATALOGUE, rules=rules(**more)).lists(user) == [list(items)]


@pytest.mark.parametrize(
    ("shop", "items"),
    [
        pytest.param(Shop(a_ranker(*"ab"), n=3), ["a", "b"], id="fewer-items-than-places"),
        pytest.param(Shop(a_ranker(*"abcde"), n=2, n_spare=2), ["a", "b", "c", "d"], id="spare-ones-behind"),
        pytest.param(
            Shop(a_ranker(*"abc"), [some_item(name, hidden=True) for name in "abc"], n=3), [], id="all-hidden"
        ),
        pytest.param(
            Shop(
                a_ranker(*"ab"),
                [some_item("old", created_ms=OLD_MS), some_item("new", created_ms=NEW_MS), some_item("of no date")],
                n=4,
            ),
            ["a", "b", "new", "old"], id="what-nobody-looked-at-fills-a-list",
        ),
        pytest.param(
            Shop(a_ranker(*"ab"), n=3, rules=rules(pins=[pin("p", 3)])), ["a", "b", "p"],
            id="a-pin-that-nobody-else-knows",
        ),
        pytest.param(
            Shop(a_ranker(*"a"), n=5, rules=rules(pins=[pin("p", 5)])), ["a", "p"], id="a-pin-moves-up-in-a-short-list"
        ),
    ],
)  # fmt: skip
def test_a_list_is_as_long_as_the_shop_allows(shop, items):
    assert shop.lists(User()) == [items]


def test_what_was_put_there_for_another_reason_says_so():
    catalogue = [some_item("new", created_ms=NEW_MS)]
    more = rules(pins=[pin("p", 3)], boosts=[boost(1.0, items=["d"])], explore_share=0.25)
    shop = Shop(a_ranker(*"abcdefghijkl"), catalogue, n=4, rules=more)

    lists, reasons = shop.lists(User()), shop.reasons(User())

    told = dict(zip(lists[0], reasons[0], strict=True))
    assert told == {"a": None, "d": "boost", "p": "pin", "new": "explore"} or told["new"] == "explore"
    assert told["p"] == "pin" and lists[0][2] == "p" and told["d"] == "boost"


def test_a_user_who_bought_much_still_has_a_full_list():
    items = [f"i{number}" for number in range(300)]
    heavy = User(bought=items[:280])

    assert Shop(a_ranker(*items, n_users=2), n=10).lists(User(), heavy) == [items[:10], items[280:290]]


def test_what_may_not_be_shown_to_a_user_takes_no_second_look():
    items = [f"i{number}" for number in range(300)]
    ranker = a_ranker(*items, n_users=3)

    Shop(ranker, n=10).lists(User(), User(bought=items[:280]), User())

    assert ranker.asked_for == [3]


def test_only_who_has_too_few_within_the_price_band_is_looked_at_again():
    items = [f"i{number}" for number in range(300)]
    catalogue = [some_item(name, price=1.0 if number < 280 else 9.0) for number, name in enumerate(items)]
    ranker = a_ranker(*items, n_users=3)
    dear = User(did=[("click", "i299", 60)])

    lists = Shop(ranker, catalogue, n=10, rules=rules(price_band=2)).lists(User(), dear, User())

    assert lists == [items[:10], items[280:290], items[:10]]
    assert ranker.asked_for == [3, 1, 1]


def test_caps_that_cannot_be_kept_do_not_search_the_whole_catalogue():
    items = [f"i{number}" for number in range(300)]
    ranker = a_ranker(*items, facts_of=dict.fromkeys(items, ("one", None)))

    assert Shop(ranker, n=10, rules=rules(max_per_category=3)).lists(User()) == [items[:3]]
    assert len(ranker.asked_for) == 1


def test_a_capped_list_is_filled_from_far_below():
    items = [f"i{number}" for number in range(300)]
    facts = {name: ("one" if number < 290 else f"other {number}", None) for number, name in enumerate(items)}

    (made,) = Shop(a_ranker(*items, facts_of=facts), n=5, rules=rules(max_per_category=2)).lists(User())

    assert made == ["i0", "i1", "i290", "i291", "i292"]


def test_new_items_are_spread_below_the_first_place_and_known_to_nobody_before():
    items = [f"i{number}" for number in range(60)]
    catalogue = [some_item(f"new{number}", created_ms=NEW_MS) for number in range(9)]
    catalogue += [some_item("old", created_ms=OLD_MS), some_item("new and hidden", created_ms=NEW_MS, hidden=True)]
    shop = Shop(a_ranker(*items, n_users=400), catalogue, n=10, n_spare=5, rules=rules(explore_share=0.2))
    users = [User(bought=["new0"])] * 400

    lists, reasons = shop.lists(*users), shop.reasons(*users)

    explored = [
        (place, name)
        for names, row in zip(lists, reasons, strict=True)
        for place, (name, reason) in enumerate(zip(names, row, strict=True))
        if reason == "explore"
    ]
    assert len(explored) == 400 * 10 * 0.2
    assert {name for _, name in explored} == {f"new{number}" for number in range(1, 9)}
    assert {place for place, _ in explored} == set(range(1, 10))
    assert all(len(names) == 15 for names in lists)


def test_scores_stay_in_order_where_something_else_stands_between():
    shop = Shop(a_ranker(*"abcdef"), n=4, n_spare=1, rules=rules(pins=[pin("p", 2), pin("q", 4)]))
    maker = shop.maker

    made = maker.make(asked(maker.shop.assortment, User()))

    assert made.score.tolist() == [[6.0, 5.0, 5.0, 4.0, 4.0]]  # a pin has the score of what comes after it


def test_another_seed_is_another_draw_and_the_same_one_the_same():
    catalogue = [some_item(f"new{number}", created_ms=NEW_MS) for number in range(50)]
    shop = Shop(a_ranker(*"abcdefghijkl"), catalogue, n=10, rules=rules(explore_share=0.5))

    assert shop.lists(User(), seed=1) == shop.lists(User(), seed=1) != shop.lists(User(), seed=2)


# ── whatever the shop, the users and the rules ────────────────────────────────────────────────────────────────────────

NAMES = [f"i{number}" for number in range(14)]
some_name = st.sampled_from([*NAMES, "only in the catalogue", "unheard"])
some_catalogue_item = st.builds(
    some_item,
    some_name,
    category=st.sampled_from([None, "A", "A > B", "A > C", "D"]),
    brand=st.sampled_from([None, "x", "y"]),
    price=st.sampled_from([None, 1.0, 10.0, 100.0]),
    hidden=st.booleans(),
    created_ms=st.sampled_from([None, OLD_MS, NEW_MS]),
)
some_user = st.builds(
    User,
    did=st.lists(
        st.tuples(st.sampled_from(["click", "add_to_cart", "remove_from_cart", "purchase"]), some_name, st.just(60)),
        max_size=8,
    ),
    bought=st.lists(some_name, max_size=3),
    shown=st.lists(
        st.tuples(some_name, st.integers(1, 15), st.sampled_from([1, 30])), max_size=3, unique_by=lambda s: s[0]
    ),
)
some_match = st.sampled_from([{"items": ["i3"]}, {"categories": ["A"]}, {"brands": ["x"]}])
some_rules = st.builds(
    RulesConfig,
    exclude_purchased=st.booleans(),
    repurchased_categories=st.sampled_from([(), ("A",), ("A > B",)]),
    exclude_in_cart=st.booleans(),
    fatigue_impressions=st.sampled_from([0, 5]),
    max_price=st.sampled_from([None, 50.0]),
    price_band=st.sampled_from([None, 3.0]),
    max_per_category=st.sampled_from([None, 1, 2]),
    max_per_brand=st.sampled_from([None, 1, 3]),
    diversity=st.sampled_from([0.0, 0.5, 1.0]),
    explore_share=st.sampled_from([0.0, 0.3]),
    pins=st.lists(st.builds(pin, some_name, st.integers(1, 5)), max_size=2),
    boosts=st.lists(st.builds(lambda s, match: BoostConfig(strength=s, match=match), st.floats(-1, 1), some_match)),
)


@settings(max_examples=examples(100), deadline=None)
@given(st.data(), st.lists(some_user, min_size=1, max_size=3), some_rules)
def test_no_list_breaks_a_rule(data, users, some):
    catalogue = data.draw(st.lists(some_catalogue_item, max_size=12, unique_by=lambda item: item.item_id))
    n_users, n, n_spare = len(users), data.draw(st.integers(1, 6)), data.draw(st.integers(0, 4))
    told = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=(n_users, len(NAMES)))
    shop = Shop(ToldRanker(NAMES, told), catalogue, n, n_spare, some)
    maker = shop.maker
    questions = asked(maker.shop.assortment, *users)
    assortment, sieve = maker.shop.assortment, maker.sieve(questions)

    made = maker.make(questions)

    again = shop.maker.make(asked(assortment, *users))
    np.testing.assert_array_equal(made.place, again.place)
    assert np.isfinite(made.score).all()
    may = sieve.passes(np.tile(np.arange(len(assortment)), (n_users, 1)))
    for user in range(n_users):
        items, spare = (part[part >= 0].tolist() for part in (made.place[user, :n], made.place[user, n:]))
        assert len(set(items + spare)) == len(items + spare), "an item came twice"
        assert may[user, items + spare].all(), "an item came that may not"
        assert (made.place[user, len(items) : n] == -1).all(), "a gap"
        pinned = {place for place in items if made.reason[user, items.index(place)] == 2}
        ranked = np.flatnonzero(may[user] & ((np.arange(len(assortment)) < len(NAMES)) | (assortment.row >= 0)))
        for attribute, most in (
            (assortment.category, some.max_per_category),
            (assortment.brand, some.max_per_brand),
        ):
            counts = Counter(attribute[[place for place in items if attribute[place]]].tolist())
            of_pins = Counter(attribute[list(pinned)].tolist())
            assert all(n_of <= max(most or math.inf, of_pins[value]) for value, n_of in counts.items())
        if some.max_per_category is None and some.max_per_brand is None:
            assert len(items) >= min(n, len(ranked)), "a list that is not full"
            assert len(items + spare) >= min(n + n_spare, len(ranked))
        elif len(items) < n:
            left = [place for place in ranked.tolist() if place not in items]
            assert all(is_capped(assortment, items, place, some) for place in left), "a list that could be fuller"


def is_capped(assortment, items, place, some) -> bool:
    return any(
        most is not None and attribute[place] and (attribute[items] == attribute[place]).sum() >= most
        for attribute, most in (
            (assortment.category, some.max_per_category),
            (assortment.brand, some.max_per_brand),
        )
    )


@pytest.mark.parametrize("at_once", [1, 40, 100], ids=str)
def test_how_many_are_looked_at_at_once_changes_nothing(at_once, monkeypatch):
    items = [f"i{number}" for number in range(300)]
    facts = {name: ("one" if number < 290 else f"other {number}", None) for number, name in enumerate(items)}
    users = [User(bought=items[: 40 * number]) for number in range(8)]
    shop = Shop(a_ranker(*items, n_users=8, facts_of=facts), n=5, rules=rules(max_per_category=2, diversity=0.1))
    wanted = shop.lists(*users)

    for module in (making, pool):
        monkeypatch.setattr(module, "MAX_CANDIDATES", at_once)

    assert shop.lists(*users) == wanted and all(len(made) == 5 for made in wanted)


@settings(max_examples=40, deadline=None)
@given(st.lists(some_user, min_size=2, max_size=5), some_rules, st.lists(some_catalogue_item, max_size=8))
def test_a_users_list_does_not_depend_on_who_else_is_asked_for(users, some, catalogue):
    told = np.random.default_rng(4).normal(size=(len(users), len(NAMES)))
    catalogue = list({item.item_id: item for item in catalogue}.values())
    maker = Shop(ToldRanker(NAMES, told), catalogue, 4, 2, some).maker
    questions = asked(maker.shop.assortment, *users)

    together = maker.make(questions)

    for user in range(len(users)):
        alone = maker.make(questions.only(np.array([user])))
        np.testing.assert_array_equal(alone.place[0], together.place[user])
