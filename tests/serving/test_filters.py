"""What a request may leave out or ask for, and what lists for everybody must not bring back."""

import numpy as np
import pytest

from pipelines.catalogue.arrays import text_hashes
from pipelines.features.fold import Interactions, fold
from pipelines.features.online import OnlineSums
from pipelines.features.profile import entry_keys
from pipelines.features.profile_bytes import decode, encode
from pipelines.schemas import INTERACTION_CODES
from pipelines.sections import ProfileConfig
from tests.serving.builders import Shop, an_item, sold_out

ITEMS = (
    an_item("boot", category="Shoes > Boots", brand="Acme", tags=("winter",), price=90.0),
    an_item("sandal", category="Shoes", brand="Solo", tags=("summer", "sale"), price=20.0),
    an_item("shoehorn", category="Shoes and more", brand="Acme", price=5.0),
    an_item("mug", category="Kitchen, Bath", brand="Solo", price=12.0),
    an_item("bare"),
)
EVERY = [item.item_id for item in ITEMS]


@pytest.fixture
def shop(tmp_path) -> Shop:
    shop = Shop(tmp_path)
    shop.has_items(*ITEMS)
    shop.has_list("u1", [*EVERY, "unknown"])
    return shop


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({}, [*EVERY, "unknown"], id="nothing asked"),
        pytest.param({"category": "Shoes"}, ["boot", "sandal"], id="a category and all below it, not its namesakes"),
        pytest.param({"category": "Shoes > Boots"}, ["boot"], id="a path"),
        pytest.param({"category": "Hats"}, [], id="nothing is in it"),
        pytest.param({"exclude": "category:Shoes"}, ["shoehorn", "mug", "bare", "unknown"], id="without a category"),
        pytest.param({"exclude": "tag:sale"}, ["boot", "shoehorn", "mug", "bare", "unknown"], id="without a tag"),
        pytest.param({"exclude": "brand:Acme"}, ["sandal", "mug", "bare", "unknown"], id="without a brand"),
        pytest.param({"exclude": "brand:Acme,tag:sale"}, ["mug", "bare", "unknown"], id="two, by a comma"),
        pytest.param({"exclude": ["brand:Acme", "tag:sale"]}, ["mug", "bare", "unknown"], id="two, given twice"),
        pytest.param(
            {"exclude": "category:Kitchen, Bath,brand:Acme"}, ["sandal", "bare", "unknown"], id="a comma in a name"
        ),
        pytest.param({"category": "Shoes", "exclude": "tag:winter"}, ["sandal"], id="both"),
        pytest.param({"exclude_items": "boot,mug"}, ["sandal", "shoehorn", "bare", "unknown"], id="without items"),
        pytest.param({"context_item": "boot"}, ["sandal", "shoehorn", "mug", "bare", "unknown"], id="on its page"),
    ],
)
def test_which_items_are_left(shop, query, expected):
    assert shop.list(n=10, **query).items == expected


def test_a_category_that_is_asked_for_is_filled_from_its_own_list_and_stays_within(shop):
    shop.has_fallback("category:Shoes", ["sandal", "clog", "stray"])
    shop.has_fallback("all", ["mug", "slipper"])
    shop.has_items(
        an_item("clog", category="Shoes"), an_item("slipper", category="Shoes"), an_item("stray", category="Hats")
    )

    answer = shop.list(n=10, category="Shoes")

    assert answer.items == ["boot", "sandal", "clog", "slipper"]
    assert answer.reasons == ["personal", "personal", "popular_in_category", "popular"]


def test_prices_of_the_rules_hold_for_lists_for_everybody(tmp_path):
    shop = Shop(tmp_path, rules={"min_price": 10, "max_price": 50})
    shop.has_items(*ITEMS)
    shop.has_fallback("all", EVERY)

    assert shop.list().items == ["sandal", "mug", "bare"]


PROFILE = [
    ("boot", "purchase"),
    ("sandal", "add_to_cart"),
    ("shoehorn", "add_to_cart"),
    ("mug", "product_view"),
    ("shoehorn", "remove_from_cart"),
]


def a_profile(interactions, ring_size: int = 48) -> bytes:
    n = len(interactions)
    codes = np.array([INTERACTION_CODES[name] for _, name in interactions])
    keys = entry_keys(1_700_000_000 + np.arange(n), np.arange(n).astype(np.uint64), codes)
    items = text_hashes(item for item, _ in interactions)
    batch = Interactions(np.zeros(n, np.int64), keys, items, np.arange(n), source=1)
    online = OnlineSums(1, ("a",), np.full((128, 1), 1.0), np.array([1e12]))
    return encode(fold(decode([None]), batch, ProfileConfig(ring_size=ring_size), online).profiles, np.array([0]))[0]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param({}, ["shoehorn", "mug", "bare"], id="bought and in the cart"),
        pytest.param({"exclude_purchased": False}, ["boot", "shoehorn", "mug", "bare"], id="bought may come again"),
        pytest.param({"exclude_in_cart": False}, ["sandal", "shoehorn", "mug", "bare"], id="the cart may come"),
        pytest.param({"repurchased_categories": ("Shoes",)}, ["boot", "sandal", "shoehorn", "mug"], id="bought again"),
        pytest.param({"exclude_purchased": False, "exclude_in_cart": False}, EVERY[:4], id="nobody minds"),
    ],
)
def test_what_a_user_bought_does_not_come_back_by_a_fallback(tmp_path, rules, expected):
    shop = Shop(tmp_path, rules=rules)
    shop.has_items(*ITEMS)
    shop.has_fallback("all", EVERY)
    shop.has_profile("u1", a_profile(PROFILE))

    assert shop.list().items == expected
    assert shop.list("u2").items == EVERY[:4]


def test_what_was_bought_long_ago_stays_out_too(shop):
    shop.contact.values.pop("list:{u1}")
    shop.has_fallback("all", ["boot", "mug"])
    looks = [("mug", "product_view")] * 20
    shop.has_profile("u1", a_profile([("boot", "purchase"), *looks], ring_size=8))  # below the ring

    assert shop.list().items == ["mug"]


def test_while_redis_is_away_what_was_known_to_be_bought_stays_out(shop):
    shop.has_fallback("all", ["boot", "sandal", "mug"])
    shop.contact.values.pop("list:{u1}")
    shop.has_profile("u1", a_profile(PROFILE))
    before = shop.list().items
    shop.contact.is_away = True

    assert before == shop.list().items == ["mug"]


def test_a_profile_that_cannot_be_read_is_no_error(shop):
    shop.has_profile("u1", b"?" * 33)

    assert shop.list(n=10).status == 200


def test_details_come_from_the_catalogue(shop):
    told = shop.list(n=6, details="true").json["items"]

    assert told[0] == {
        "item_id": "boot",
        "rank": 0,
        "reason": "personal",
        "score": 1.0,
        "price": 90.0,
        "brand": "Acme",
        "category": "Shoes > Boots",
    }
    assert set(told[5]) == {"item_id", "rank", "reason", "score"}


def test_a_catalogue_that_cannot_be_read_is_no_error_and_what_is_known_stands(shop):
    shop.has_items(sold_out("boot"))
    shop.hears_of(an_item("boot"))
    shop.catalogue.error = OSError("away")

    assert shop.list().items == ["sandal", "shoehorn", "mug", "bare"]
