"""Lists by the rules, as the stage publishes them: a catalogue in Redis, and what a user does."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.catalogue.arrays import text_hash
from pipelines.catalogue.item import CatalogueItem
from pipelines.hot_path.worker import StageSettings, worker_for
from pipelines.list_sections import ListsConfig, PinConfig, RulesConfig
from pipelines.model_sections import ModelConfig
from pipelines.schemas import INTERACTION_CODES
from pipelines.sections import ProfileConfig
from pipelines.stores.catalogue import CatalogueStore
from pipelines.stores.trials import TrialCounts, TrialStore
from tests.hot_path.micro_batches import FakeBatch, a_learner, list_of, run, some_rows, the_sums

START_S = 1_570_000_000
ITEMS = [
    CatalogueItem("shoe", category="Fashion > Shoes", price=80.0, updated_ms=1),
    CatalogueItem("milk", category="Food > Dairy", price=1.0, updated_ms=1),
    CatalogueItem("hat", category="Fashion > Hats", price=20.0, updated_ms=1),
    CatalogueItem("scarf", category="Fashion > Hats", price=25.0, updated_ms=1),
    CatalogueItem("unseen", category="Fashion > Hats", price=25.0, updated_ms=1),
]
NAMES = [item.item_id for item in ITEMS[:-1]]


def rows(*did: tuple[str, str, str], first_offset: int = 0, start_s: int = START_S) -> pa.RecordBatch:
    """(user, event type, item), a second apart."""
    numbered = [(user, item, first_offset + number) for number, (user, _, item) in enumerate(did)]
    batch = some_rows(numbered, first_offset, start_s=start_s)
    hashes = np.array([text_hash(item) for _, _, item in did], np.uint64).view(np.int64)
    codes = [INTERACTION_CODES[kind] for _, kind, _ in did]
    for name, values in (("item_hash", hashes), ("code", codes)):
        batch = batch.set_column(batch.schema.get_field_index(name), name, pa.array(values, pa.int64()))
    return batch


@pytest.fixture
def settings(redis_url) -> StageSettings:
    worker_for.cache_clear()
    rules = RulesConfig(repurchased_categories=("Food",))
    lists = ListsConfig(n=3, n_spare=2, refresh_after_interactions=1, rules=rules)
    return StageSettings(redis_url, 77, ProfileConfig(), lists, ModelConfig(), the_sums())


@pytest.fixture
def shop(settings, redis_client):
    """All items are known to the model and to the catalogue, but one that nobody looked at."""
    CatalogueStore(redis_client).write(ITEMS)
    looks = rows(*((f"somebody {name}", "click", name) for name in NAMES for _ in range(3)))
    a_learner(settings.redis_url)(FakeBatch(run(settings, 0, looks)), 0)
    return redis_client


def with_rules(settings: StageSettings, **more) -> StageSettings:
    worker_for.cache_clear()
    rules = settings.lists.rules.model_copy(update=more)
    return replace(settings, lists=settings.lists.model_copy(update={"rules": rules}))


def shown_to(client, user: str) -> set[str]:
    made = list_of(client, user)
    return {*made.items, *made.spare}


@pytest.mark.parametrize(
    ("did", "missing"),
    [
        pytest.param([("click", "shoe")], set(), id="clicked"),
        pytest.param([("purchase", "shoe")], {"shoe"}, id="a-bought-shoe-vanishes"),
        pytest.param([("purchase", "milk")], set(), id="bought-milk-stays"),
        pytest.param([("add_to_cart", "hat"), ("click", "shoe")], {"hat"}, id="in-the-cart"),
        pytest.param([("add_to_cart", "hat"), ("remove_from_cart", "hat")], set(), id="out-of-the-cart"),
        pytest.param([("add_to_cart", "milk"), ("purchase", "milk")], set(), id="the-cart-was-bought"),
    ],
)
def test_what_a_user_does_decides_what_is_not_shown(settings, shop, did, missing):
    run(settings, 1, rows(*(("u", kind, item) for kind, item in did), first_offset=100))

    assert set(NAMES) - shown_to(shop, "u") == missing


def test_a_list_holds_spare_items_and_no_more_than_it_should(settings, shop):
    run(settings, 1, rows(("u", "click", "shoe"), first_offset=100))

    made = list_of(shop, "u")
    assert (
        (len(made.items), made.spare[-1:], len(made.spare)) == (3, ["unseen"], 2)
        and len(made.scores) == 3
        and made.reasons == {}
    )


def test_what_is_hidden_or_sold_out_is_in_no_list_from_the_next_micro_batch_on(settings, shop):
    run(settings, 1, rows(("u", "click", "hat"), first_offset=100))
    assert {"hat", "scarf"} <= shown_to(shop, "u")

    changed = [replace(item, updated_ms=2) for item in ITEMS if item.item_id in ("hat", "scarf")]
    CatalogueStore(shop).write([replace(changed[0], hidden=True), replace(changed[1], in_stock=False)])
    run(settings, 2, rows(("u", "click", "shoe"), first_offset=101))

    assert shown_to(shop, "u") == {"shoe", "milk", "unseen"}


def test_what_the_model_met_just_now_obeys_the_rules_too(settings, shop):
    CatalogueStore(shop).write([CatalogueItem("secret", hidden=True, updated_ms=1)])

    run(settings, 1, rows(("u", "click", "secret"), ("u", "click", "novelty"), first_offset=100))

    assert "novelty" in shown_to(shop, "u") and "secret" not in shown_to(shop, "u")


def test_a_purchase_below_the_ring_is_still_known(settings, shop):
    settings = replace(with_rules(settings), profile=ProfileConfig(ring_size=4))
    run(settings, 1, rows(("u", "purchase", "shoe"), *[("u", "click", "hat")] * 6, first_offset=100))

    assert "shoe" not in shown_to(shop, "u")


@pytest.mark.parametrize(("times", "is_tired"), [(9, False), (10, True)], ids=str)
def test_what_was_shown_too_often_rests_for_a_while(settings, shop, times, is_tired):
    start_s = int(np.datetime64("now", "s").astype(np.int64)) - 3_600
    shown = rows(*[("u", "click", "hat")] * times, first_offset=100, start_s=start_s)
    impressions = shown.set_column(shown.schema.get_field_index("code"), "code", pa.array([0] * times, pa.int64()))
    run(settings, 1, impressions)

    run(settings, 2, rows(("u", "click", "shoe"), first_offset=200, start_s=start_s))

    assert ("hat" not in shown_to(shop, "u")) is is_tired


def test_an_item_that_nobody_looked_at_yet_is_tried(settings, shop):
    created_ms = int(np.datetime64("now", "ms").astype(np.int64)) - 3_600_000
    CatalogueStore(shop).write([replace(ITEMS[-1], created_ms=created_ms, updated_ms=2)])
    settings = with_rules(settings, explore_share=0.5)

    tried = 0
    for number in range(20):
        run(settings, 1 + number, rows((f"u{number}", "click", "shoe"), first_offset=100 + number))
        made = list_of(shop, f"u{number}")
        assert made.items[0] != "unseen" and [made.items[at] for at in made.reasons["explore"]] == ["unseen"]
        tried += 1
    assert tried == 20


def test_new_items_are_tried_by_what_is_published_of_them(settings, shop):
    created_ms = int(np.datetime64("now", "ms").astype(np.int64)) - 3_600_000
    new = [CatalogueItem(name, created_ms=created_ms, updated_ms=1) for name in ("good", "bad")]
    CatalogueStore(shop).write(new)
    counts = TrialCounts(1, ["good", "bad", "others"], [300.0, 0.0, 50.0], [1_000.0, 1_000.0, 1_000.0])
    TrialStore(shop).publish(counts, ttl_seconds=60)
    settings = with_rules(settings, explore_share=0.5)

    run(settings, 1, rows(*((f"u{number}", "click", "shoe") for number in range(20)), first_offset=100))

    made = [list_of(shop, f"u{number}") for number in range(20)]
    assert all(
        one.items[at] == "good" for one in made for at in one.reasons["explore"] if len(one.reasons["explore"]) == 1
    )
    assert all("good" in one.items for one in made)


def test_a_pinned_item_stands_in_its_place_unless_it_is_sold_out(settings, shop):
    settings = with_rules(settings, pins=(PinConfig(item="unseen", position=2),))
    run(settings, 1, rows(("u", "click", "shoe"), first_offset=100))
    assert (list_of(shop, "u").items[1], list_of(shop, "u").reasons) == ("unseen", {"pin": [1]})

    CatalogueStore(shop).write([replace(ITEMS[-1], in_stock=False, updated_ms=2)])
    run(settings, 2, rows(("u", "click", "shoe"), first_offset=101))

    assert "unseen" not in shown_to(shop, "u") and list_of(shop, "u").reasons == {}
