"""What may be in a list, and which items a rule is about."""

import numpy as np
import pytest

from pipelines.catalogue.arrays import text_hashes
from pipelines.list_sections import Dated, Matching, RulesConfig
from pipelines.lists.assortment import Assortment
from pipelines.lists.shop_rules import ShopRules, is_in_force
from pipelines.models.ranker import ItemFacts
from tests.lists.shops import DAY_S, NOW_S, an_assortment, facts_of_items, some_item

CATALOGUE = (
    some_item("b", category="Toys > Cars", brand="Acme", price=9.0, tags=("red", "sale")),
    some_item("c", category="Toys", brand="Other", price=30.0, hidden=True),
    some_item("d", brand="Acme", tags=("sale",), created_ms=(NOW_S - DAY_S) * 1000),
    some_item("e", category="Toyshop", in_stock=False, created_ms=(NOW_S - DAY_S) * 1000),
)


def an_assortment_of_all() -> Assortment:
    told = text_hashes(["Toys > Trains", "Old", None]), text_hashes(["Acme", None, "Mine"])
    ranked = ItemFacts(text_hashes(["a", "b", "c"]), np.array(["a", "b", "c"], object), *told)
    return an_assortment(ranked, *CATALOGUE, pins=("b", "pinned"))


def names(assortment: Assortment, flags) -> str:
    return "".join(assortment.item_id[flags])


def test_the_models_items_come_first_then_the_catalogues_then_the_pinned_ones():
    assortment = an_assortment_of_all()

    assert assortment.item_id[:3].tolist() == ["a", "b", "c"] and assortment.n_ranked == 3
    assert sorted(assortment.item_id[3:5]) == ["d", "e"] and assortment.item_id[5:].tolist() == ["pinned"]
    assert [assortment.item_id[assortment.place_of(name)] for name in "abcde"] == list("abcde")
    assert assortment.place_of("unheard") == -1


def test_what_is_in_no_catalogue_is_available_and_its_category_is_the_models():
    assortment = an_assortment_of_all()

    assert names(assortment, assortment.is_available) == "abdpinned"
    assert set(names(assortment, np.isnan(assortment.price))) == set("adepinned")
    assert assortment.category[0] == text_hashes(["Toys > Trains"])[0]
    assert assortment.category[1] == text_hashes(["Toys > Cars"])[0]  # the catalogue's word holds
    assert assortment.brand[1] == text_hashes(["Acme"])[0]


@pytest.mark.parametrize(
    ("match", "wanted"),
    [
        pytest.param({"categories": ["Toys"]}, "bc", id="category-and-below"),
        pytest.param({"categories": ["Toys > Trains"]}, "a", id="a-path-that-only-the-model-knows"),
        pytest.param({"brands": ["Acme"]}, "abd", id="brand-also-of-the-model"),
        pytest.param({"tags": ["sale", "new"]}, "bd", id="one-of-the-tags"),
        pytest.param({"items": ["a", "d", "unheard"]}, "ad", id="items"),
        pytest.param({"brands": ["Acme"], "tags": ["red"]}, "b", id="all-that-is-given"),
        pytest.param({"categories": ["Nothing"]}, "", id="nothing"),
    ],
)
def test_which_items_a_rule_is_about(match, wanted):
    assortment = an_assortment_of_all()

    assert "".join(sorted(names(assortment, assortment.matching(Matching(**match))))) == wanted


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        pytest.param({}, "ce", id="hidden-and-sold-out"),
        pytest.param({"min_price": 10}, "bce", id="too-cheap"),
        pytest.param({"min_price": 9, "max_price": 9}, "ce", id="just-as-dear"),
        pytest.param({"max_price": 8.99}, "bce", id="too-dear"),
    ],
)
def test_what_nobody_may_be_shown(rules, wanted):
    shop = ShopRules.of(RulesConfig(**rules), an_assortment_of_all())

    assert "".join(sorted(names(shop.assortment, shop.is_barred))) == wanted


@pytest.mark.parametrize(("days", "wanted"), [(0.9, ""), (1.1, "d")], ids=str)
def test_an_item_is_new_for_some_days_where_it_may_be_shown(days, wanted):
    shop = ShopRules.of(RulesConfig(new_item_days=days), an_assortment_of_all())

    assert names(shop.assortment, shop.new_items(NOW_S)) == wanted
    assert names(shop.assortment, shop.new_items(NOW_S - 2 * DAY_S)) == ""  # before it came


@pytest.mark.parametrize(
    ("since", "until", "holds"),
    [
        pytest.param(None, None, True, id="always"),
        pytest.param("2026-09-21T14:13:20Z", None, True, id="from-this-second-on"),
        pytest.param("2026-09-21T14:13:21Z", None, False, id="a-second-too-early"),
        pytest.param(None, "2026-09-21T14:13:20Z", False, id="no-more-from-this-second-on"),
        pytest.param(None, "2026-09-21T14:13:21Z", True, id="for-one-second-more"),
        pytest.param("2026-09-21T14:13:20", None, True, id="no-zone-is-utc"),
        pytest.param("2026-09-21T16:13:21+02:00", None, False, id="in-another-zone"),
    ],
)
def test_a_dated_rule_holds_from_its_first_second_to_before_its_last(since, until, holds):
    assert is_in_force(Dated(since=since, until=until), NOW_S) is holds


def test_a_shop_without_items_has_rules_too():
    shop = ShopRules.of(RulesConfig(repurchased_categories=("Food",)), an_assortment(facts_of_items()))

    assert len(shop.assortment) == 0 and len(shop.new_items(NOW_S)) == 0 and not shop.is_repurchased.any()
