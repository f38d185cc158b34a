"""What may not be shown to a user."""

import numpy as np
import pytest

from pipelines.list_sections import RulesConfig
from pipelines.lists.filters import excluded_pairs, median_price
from pipelines.lists.shop_rules import ShopRules
from pipelines.lists.sieve import Excluded, is_out_of_band
from tests.lists.shops import NOW_S, User, an_assortment, doings, facts_of_items, some_item

CATALOGUE = (
    some_item("shoe", category="Fashion > Shoes", price=100.0),
    some_item("hat", category="Fashion", price=20.0),
    some_item("milk", category="Food > Dairy > Milk", price=1.0),
    some_item("bread", category="Food > Bakery", price=3.0),
)
NAMES = ("shoe", "hat", "milk", "bread", "unheard")  # the last one is not in the catalogue


def excluded(rule: str, *users: User, **rules) -> list[tuple[int, str]]:
    assortment = an_assortment(facts_of_items(*NAMES), *CATALOGUE)
    shop = ShopRules.of(RulesConfig(**rules), assortment)
    user, place = excluded_pairs(shop, doings(assortment, *users), NOW_S)[rule]
    return sorted(zip(user.tolist(), assortment.item_id[place].tolist(), strict=True))


@pytest.mark.parametrize(
    ("user", "repurchased", "wanted"),
    [
        pytest.param(User(did=[("purchase", "shoe", 60)]), (), [(0, "shoe")], id="just-now"),
        pytest.param(User(bought=["shoe", "milk"]), ("Food > Dairy",), [(0, "shoe")], id="long-ago-and-bought-again"),
        pytest.param(User(did=[("purchase", "milk", 60)]), ("Food",), [], id="below-a-category-that-is-bought-again"),
        pytest.param(User(did=[("purchase", "bread", 60)]), ("Food > Dairy",), [(0, "bread")], id="beside-it"),
        pytest.param(User(did=[("purchase", "milk", 60)]), ("Foo",), [(0, "milk")], id="a-part-of-a-name-is-no-parent"),
        pytest.param(User(did=[("purchase", "unheard", 60)]), ("Food",), [(0, "unheard")], id="of-no-known-category"),
        pytest.param(User(did=[("click", "shoe", 60), ("add_to_cart", "hat", 30)]), (), [], id="not-bought"),
        pytest.param(User(), (), [], id="nothing-done"),
    ],
)
def test_what_was_bought_is_not_shown_but_for_what_is_bought_again(user, repurchased, wanted):
    assert excluded("purchased", user, repurchased_categories=repurchased) == wanted


@pytest.mark.parametrize(
    ("did", "lies"),
    [
        pytest.param(["add_to_cart"], True, id="put-in"),
        pytest.param(["add_to_cart", "remove_from_cart"], False, id="taken-out"),
        pytest.param(["add_to_cart", "remove_from_cart", "add_to_cart"], True, id="put-in-again"),
        pytest.param(["add_to_cart", "purchase"], False, id="bought"),
        pytest.param(["add_to_cart", "click", "product_view"], True, id="looked-at-since"),
        pytest.param(["purchase", "add_to_cart"], True, id="bought-and-put-in-again"),
        pytest.param(["click"], False, id="never"),
    ],
)
def test_what_lies_in_the_cart_is_what_was_put_there_last(did, lies):
    events = [(kind, "milk", 100 - number) for number, kind in enumerate(did)]
    another = User(did=[("remove_from_cart", "milk", 1)])

    assert excluded("in_cart", User(did=events), another) == ([(0, "milk")] if lies else [])


@pytest.mark.parametrize(
    ("count", "days_ago", "is_tired"),
    [
        pytest.param(10, 1, True, id="ten-times"),
        pytest.param(9, 1, False, id="nine-times"),
        pytest.param(15, 6.9, True, id="within-the-week"),
        pytest.param(15, 7, False, id="a-week-ago"),
    ],
)
def test_what_was_shown_often_and_not_long_ago_is_not_shown(count, days_ago, is_tired):
    wanted = [(0, "hat")] if is_tired else []
    assert excluded("fatigue", User(shown=[("hat", count, days_ago)])) == wanted


@pytest.mark.parametrize("rule", ["exclude_purchased", "exclude_in_cart", "fatigue_impressions"])
def test_a_rule_that_is_off_excludes_nothing(rule):
    assortment = an_assortment(facts_of_items(*NAMES))
    name = {"exclude_purchased": "purchased", "exclude_in_cart": "in_cart", "fatigue_impressions": "fatigue"}[rule]

    pairs = excluded_pairs(ShopRules.of(RulesConfig(**{rule: 0}), assortment), doings(assortment, User()), NOW_S)

    assert len(pairs) == 2 and name not in pairs


@pytest.mark.parametrize(
    ("did", "median"),
    [
        pytest.param([("click", "shoe", 9)], 100.0, id="one"),
        pytest.param([("click", "shoe", 9), ("product_view", "hat", 8)], 60.0, id="between-two"),
        pytest.param([("click", name, 9) for name in ("shoe", "milk", "hat")], 20.0, id="of-three"),
        pytest.param([("purchase", "shoe", 9), ("click", "unheard", 9)], np.nan, id="looked-at-nothing-with-a-price"),
        pytest.param([], np.nan, id="nothing"),
        pytest.param([("click", "shoe", 99)] * 30 + [("click", "milk", 1)] * 20, 1.0, id="the-newest-looks"),
    ],
)
def test_the_median_price_is_of_the_newest_looks(did, median):
    assortment = an_assortment(facts_of_items(*NAMES), *CATALOGUE)
    users = (User(did=[("click", "bread", 5)]), User(did=did), User(did=[("click", "hat", 5)]))

    found = median_price(doings(assortment, *users), assortment.price)

    np.testing.assert_array_equal(found, [3.0, median, 20.0])


def test_a_price_is_in_the_band_up_to_its_ends_and_where_nothing_is_known():
    price = np.array([[4.9, 5.0, 20.0, 20.1, np.nan], [4.9, 5.0, 20.0, 20.1, np.nan]])

    is_out = is_out_of_band(price, np.array([10.0, np.nan]), 2.0)

    assert is_out.tolist() == [[True, False, False, True, False], [False] * 5]


def test_pairs_are_found_of_their_user_alone():
    pairs = (np.array([0, 2, 2]), np.array([3, 1, 3]))
    some = Excluded.of(5, pairs, (np.array([2]), np.array([1])))

    assert some.has(np.array([[3, 1], [3, 1], [3, -1]])).tolist() == [[True, False], [False, False], [True, False]]
    assert some.most_of_a_user() == 2
    assert some.only(np.array([1, 2])).has(np.array([[3, 1], [3, 1]])).tolist() == [[False, False], [True, True]]
    assert not Excluded.of(5).has(np.array([[0, 1]])).any()
