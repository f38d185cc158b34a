"""The catalogue as columns: found by hash, asked for whole categories, changed without being made again."""

import random

import numpy as np
import pytest

from pipelines.catalogue.arrays import CatalogueArrays, text_hash, text_hashes
from pipelines.catalogue.item import CatalogueItem
from pipelines.list_sections import Matching
from pipelines.tracking.text_hash import text_hash as hash_as_spark

SEPARATOR = " > "
BOOT = CatalogueItem("boot", category="shoes > boots", brand="alma", price=90.0, created_ms=5_999, tags=("sale", "new"))
CLOG = CatalogueItem("clog", category="shoes", in_stock=False, tags=("sale",))
HORN = CatalogueItem("horn", category="shoes for horses", brand="alma", hidden=True)
BARE = CatalogueItem("bare")
ARRAYS = CatalogueArrays.of([BOOT, CLOG, HORN, BARE])


def row(item: CatalogueItem) -> int:
    return int(ARRAYS.find(text_hashes([item.item_id]))[0])


def named(flags) -> set[str]:
    return set(ARRAYS.item_id[flags])


@pytest.mark.parametrize("text", ["item-00001", "electronics.audio.headphone", "Ä", "x" * 100])
def test_a_text_hashes_as_spark_does_it(text):
    assert text_hash(text) == hash_as_spark(text)


def test_items_are_found_by_hash_and_others_are_not():
    assert list(ARRAYS.item) == sorted(ARRAYS.item)
    assert [ARRAYS.item_id[row(item)] for item in (BOOT, CLOG, HORN, BARE)] == ["boot", "clog", "horn", "bare"]
    assert list(ARRAYS.find(np.array([0, 2**64 - 1], np.uint64))) == [-1, -1]
    assert list(CatalogueArrays.of([]).find(ARRAYS.item)) == [-1] * 4


def test_each_column_says_what_the_item_says():
    at = row(BOOT)
    assert ARRAYS.category_hash[at] == text_hash("shoes > boots") and ARRAYS.brand_hash[at] == text_hash("alma")
    assert (ARRAYS.price[at], ARRAYS.created_s[at], ARRAYS.is_available[at]) == (90.0, 5, True)
    assert ARRAYS.tag_sets[ARRAYS.tag_set[at]] == ("sale", "new")


def test_what_is_not_known_says_so():
    at = row(BARE)
    assert (ARRAYS.category_hash[at], ARRAYS.brand_hash[at], ARRAYS.created_s[at]) == (0, 0, 0)
    assert np.isnan(ARRAYS.price[at]) and ARRAYS.is_available[at]


def test_hidden_and_sold_out_items_are_not_available():
    assert named(ARRAYS.is_available) == {"boot", "bare"}


@pytest.mark.parametrize(
    ("match", "fitting"),
    [
        pytest.param(Matching(categories=("shoes",)), {"boot", "clog"}, id="a-category-and-below-but-no-mere-prefix"),
        pytest.param(Matching(categories=("shoes > boots", "hats")), {"boot"}, id="any-of-some-categories"),
        pytest.param(Matching(brands=("alma",)), {"boot", "horn"}, id="a-brand"),
        pytest.param(Matching(tags=("new", "other")), {"boot"}, id="any-of-some-tags"),
        pytest.param(Matching(items=("bare", "nobody")), {"bare"}, id="items"),
        pytest.param(
            Matching(categories=("shoes",), tags=("sale",), items=("clog",)), {"clog"}, id="all-that-is-given"
        ),
    ],
)
def test_items_that_match(match, fitting):
    assert named(ARRAYS.matching(match, SEPARATOR)) == fitting


def a_random_item(name: int, rng: random.Random) -> CatalogueItem:
    return CatalogueItem(
        f"i{name}",
        category=rng.choice([None, "a", "a > b", "c"]),
        brand=rng.choice([None, "x", "y"]),
        price=rng.choice([None, 1.5]),
        hidden=rng.random() < 0.3,
        tags=rng.choice([(), ("t",), ("t", "u")]),
        created_ms=rng.randrange(9_999),
    )


def told(arrays: CatalogueArrays) -> list[tuple]:
    return [
        (
            arrays.item_id[i], int(arrays.item[i]), arrays.categories[arrays.category[i]], arrays.brands[arrays.brand[i]],
            arrays.tag_sets[arrays.tag_set[i]], str(arrays.price[i]), arrays.created_s[i], arrays.is_available[i],
        )
        for i in range(len(arrays))
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_changed_arrays_are_those_made_anew(seed):
    rng = random.Random(seed)
    items = {name: a_random_item(name, rng) for name in range(rng.randrange(30))}
    arrays = CatalogueArrays.of(items.values())
    before = told(arrays)
    changed = {name: a_random_item(name, rng) for name in rng.sample(range(40), 8)}

    assert told(arrays.with_changed(changed.values())) == told(CatalogueArrays.of((items | changed).values()))
    assert told(arrays) == before
