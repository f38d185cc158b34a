"""What a worker works out of model, catalogue and counts, and when it does so anew."""

from dataclasses import replace

import pytest

from pipelines.catalogue.arrays import CatalogueArrays, text_hashes
from pipelines.catalogue.item import CatalogueItem
from pipelines.hot_path.shop import NEW_ITEMS_SECONDS, Shop
from pipelines.list_sections import ListsConfig
from pipelines.lists.exploration import Trials
from tests.lists.shops import NOW_S, a_ranker

RANKER = a_ranker("a", "b", facts_of={"a": ("Toys", None)})


def a_shop(*catalogue: CatalogueItem) -> Shop:
    shop = Shop(ListsConfig(), " > ")
    shop.follow(catalogue=CatalogueArrays.of(catalogue))
    return shop


def test_rules_are_worked_out_once_for_the_same_items():
    shop = a_shop()

    assert shop.list_maker(RANKER, NOW_S).shop is shop.list_maker(replace(RANKER), NOW_S + 1).shop


@pytest.mark.parametrize(
    "ranker",
    [
        pytest.param(a_ranker("a", "b", "c", facts_of={"a": ("Toys", None)}), id="one-more-item"),
        pytest.param(a_ranker("b", "a", facts_of={"a": ("Toys", None)}), id="other-columns"),
        pytest.param(a_ranker("a", "b", facts_of={"a": ("Books", None)}), id="another-category"),
        pytest.param(a_ranker("a", "b", facts_of={"a": ("Toys", "Acme")}), id="a-brand"),
    ],
)
def test_rules_are_worked_out_again_when_the_model_knows_something_else(ranker):
    shop = a_shop()
    before = shop.list_maker(RANKER, NOW_S).shop

    now = shop.list_maker(ranker, NOW_S).shop

    assert now is not before and now.assortment.item_id.tolist() == list(ranker.items)


def test_a_category_that_is_told_in_the_models_own_array_is_seen():
    facts = RANKER.facts()
    ranker = replace(RANKER)
    ranker.facts = lambda: facts  # one and the same array, as a model has it
    shop = a_shop()
    shop.list_maker(ranker, NOW_S)

    facts.category[0] = text_hashes(["Books"])[0]

    assert shop.list_maker(ranker, NOW_S).shop.assortment.within(["Books"]).tolist() == [True, False]


def test_a_changed_catalogue_is_followed():
    shop = a_shop(CatalogueItem("b"))
    assert not shop.list_maker(RANKER, NOW_S).shop.is_barred.any()

    shop.follow(catalogue=CatalogueArrays.of([CatalogueItem("b", hidden=True)]))

    assert shop.list_maker(RANKER, NOW_S).shop.is_barred.tolist() == [False, True]


def test_new_items_are_looked_for_once_a_minute():
    shop = a_shop(CatalogueItem("coming", created_ms=(NOW_S + 1) * 1000))

    found = [len(shop.list_maker(RANKER, NOW_S + s).new_items) for s in (0, NEW_ITEMS_SECONDS - 1, NEW_ITEMS_SECONDS)]

    assert found == [0, 0, 1]


def test_new_items_are_judged_by_the_counts_of_now():
    shop = a_shop(CatalogueItem("new", created_ms=(NOW_S - 60) * 1000))
    before = shop.list_maker(RANKER, NOW_S).new_items.rates.mean()

    shop.follow(trials=Trials.of(["new", "others"], [500.0, 50.0], [1_000.0, 1_000.0]))

    assert shop.list_maker(RANKER, NOW_S).new_items.rates.mean() > 5 * before
