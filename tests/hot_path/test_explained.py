"""A list explained, on a real server: the same items as published, and each item that is not in it by the rule that says so."""

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from jobs.explain import main
from pipelines.catalogue.item import CatalogueItem
from pipelines.hot_path.explained import explain_list
from pipelines.hot_path.worker import StageSettings, Worker
from pipelines.list_sections import RulesConfig
from pipelines.models.influence import influences
from pipelines.models.ranker import Histories
from pipelines.stores.catalogue import CatalogueStore
from tests.hot_path.micro_batches import list_of, run
from tests.hot_path.test_lists_by_rules import rows, settings, shop, with_rules

__all__ = ["settings", "shop"]
DID = [("u1", "click", "scarf"), ("u1", "purchase", "shoe"), ("u1", "add_to_cart", "hat")]


@pytest.fixture
def plain(settings) -> StageSettings:
    return with_rules(settings, explore_share=0.0)


def explained(settings, user="u1", n_more=10):
    return explain_list(settings, Worker(settings), user, n_more)


def test_the_explained_list_is_the_published_one(plain, shop):
    run(plain, 1, rows(*DID, first_offset=100))

    found, published = explained(plain), list_of(shop, "u1")

    assert found.published == published
    assert [item.item_id for item in found.items if item.position] == [*published.items, *published.spare]
    assert [item.position for item in found.items if item.position] == [
        1,
        2,
        3,
    ]  # of the third nobody has looked at anything yet


def test_what_is_not_in_it_is_told_by_the_rule(plain, shop):
    run(plain, 1, rows(*DID, first_offset=100))
    CatalogueStore(shop).write([CatalogueItem("milk", in_stock=False, updated_ms=2)])

    out = {item.item_id: item.why for item in explained(plain).items if not item.position}

    assert out == {"shoe": "purchased", "hat": "in cart", "milk": "not available"}


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        pytest.param({"max_price": 10.0}, "price", id="price"),
        pytest.param({"price_band": 1.5}, "price band", id="price-band"),
        pytest.param({"max_per_category": 1}, "others before it, or too many alike", id="too-many-alike"),
    ],
)
def test_every_rule_has_a_name(settings, shop, rules, why):
    with_them = with_rules(settings, explore_share=0.0, exclude_in_cart=False, **rules)
    with_them = replace(with_them, lists=with_them.lists.model_copy(update={"n": 2, "n_spare": 0}))
    run(with_them, 1, rows(*DID, first_offset=100))

    assert why in {item.why for item in explained(with_them).items if not item.position}


def test_the_events_are_there_with_what_they_weigh(plain, shop):
    run(plain, 1, rows(*DID, first_offset=100))

    found = explained(plain)

    assert [(each.event_type, each.item_id) for each in found.interactions] == [
        (kind, item) for _, kind, item in reversed(DID)
    ]
    assert found.interactions[1].weight > found.interactions[2].weight > 0


def test_an_item_owes_most_to_what_the_user_did_with_it(plain, shop):
    run(plain, 1, rows(*[("u1", "click", "scarf")] * 3, first_offset=100))

    (scarf,) = [item for item in explained(plain).items if item.item_id == "scarf"]

    assert explained(plain).causes[scarf.because[0][0]] == "scarf" and scarf.because[0][1] > 0


def test_an_influence_is_the_difference_that_an_item_makes(plain, shop):
    run(plain, 1, rows(*DID, first_offset=100))
    model = Worker(plain).current_model()
    item = model.facts().item[:2]
    key = np.array([(1_570_000_000 << 32) | 1, (1_570_000_005 << 32) | 1 << 8 | 1], np.uint64)
    both = Histories(1, np.zeros(2, np.int64), key, item, np.array([1_570_000_010]), np.zeros((1, 2), np.uint64))
    first = Histories(1, np.zeros(1, np.int64), key[:1], item[:1], both.as_of_s, both.context)

    items, parts = influences(model, both, np.arange(model.n_items))

    place = items.tolist().index(item[1])
    np.testing.assert_allclose(parts[place], model.score(both)[0] - model.score(first)[0], rtol=1e-6)


def test_nobody_knows_a_stranger(plain, shop):
    assert explained(plain, "stranger") is None


def test_the_command_line_says_it_for_people_and_for_machines(plain, shop, tmp_path):
    run(plain, 1, rows(*DID, first_offset=100))
    lists = {
        "n": 3,
        "n_spare": 2,
        "refresh_after_interactions": 1,
        "rules": {"repurchased_categories": ["Food"], "explore_share": 0},
    }
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"redis": {"url": plain.redis_url}, "lists": lists}))

    told = CliRunner().invoke(main, ["u1", "--config", str(path)])
    data = CliRunner().invoke(main, ["u1", "--json", "--config", str(path)])
    unknown = CliRunner().invoke(main, ["stranger", "--config", str(path)])

    assert told.exit_code == 0 and "purchased" in told.output and "in cart" in told.output and "scarf" in told.output
    assert data.exit_code == 0
    assert [item["item_id"] for item in json.loads(data.stdout)["items"]][:2] == ["scarf", "milk"]
    assert unknown.exit_code == 1


def test_rules_without_a_name_would_be_seen_here():
    """Every rule that keeps items out of lists is told apart in why_not; another one needs a word there."""
    about_items = {
        name for name in RulesConfig.model_fields if name.startswith(("exclude", "fatigue_i", "min", "max", "price"))
    }

    assert about_items == {
        "exclude_purchased", "exclude_in_cart", "fatigue_impressions", "min_price", "max_price", "price_band", "max_per_category",
        "max_per_brand",
    }  # fmt: skip
