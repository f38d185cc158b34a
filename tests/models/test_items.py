"""The catalogue: how an item comes, what is known of it, when it leaves; and that the model's columns move together."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from pipelines.models.kinds import KINDS, empty, from_bytes
from pipelines.models.model import Model
from pipelines.models.ranker import ItemFacts
from tests.models.builders import (
    DAY_S,
    NOW_S,
    a_batch,
    a_config,
    a_timeline,
    best,
    facts_of,
    histories,
    learn,
    learned,
    micro_batches,
    scores,
    some_facts,
)
from tests.models.machines import FACTS, a_machine, machine_of, negatives_of

PHONES, TOYS, ACME = 11, 12, 21
CONFIG = a_config(factorization={"history_dropout": 0.0})
EXAMPLE = [(0, 50, "click", 1), (1, 40, "click", 2)]


def events_of(model: Model, item: int) -> int:
    return int(model.items.n_events[model.find(np.array([item], np.uint64))[0]])


def rows_of(model: Model, item: int) -> dict[str, np.ndarray]:
    column = model.find(np.array([item], np.uint64))[0]
    return {name: machine_of(model).tables[name].values[column] for name in ("item", "history", "bias")}


def that_phones_go_with_phones() -> Model:
    """Items 1–4 are phones, 5–8 toys; a user looks at two of one kind."""
    return from_bytes(CONFIG, _that_phones_go_with_phones())


@cache
def _that_phones_go_with_phones() -> bytes:
    facts = {item: (PHONES if item < 5 else TOYS, 0) for item in range(1, 9)}
    random, log = np.random.default_rng(0), []
    for user in range(300):
        two = 1 + 4 * (user % 2) + random.choice(4, 2, replace=False)
        log += [(user, (300 - user) * 60 - 10 * n, "click", int(item)) for n, item in enumerate(two)]
    return learned(*micro_batches(log, 10, facts), config=CONFIG).to_bytes()


@pytest.mark.parametrize("admit_after", [1, 2, 4])
def test_an_item_has_parameters_of_its_own_after_so_many_interactions(admit_after):
    config = a_config(admit_after_events=admit_after, factorization={"history_dropout": 0.0})
    model = learned(a_batch(*((user, 90, "click", item) for user in range(4) for item in (1, 2))), config=config)

    for n in range(1, admit_after + 2):
        # a user of its own each time: chosen by somebody with a history, then itself the history of another choice
        choice = (10 * n, 20, "click", 9), (10 * n, 10, "click", 1)
        learn(model, a_batch(*choice, known=[(10 * n, 80, "click", 1)], facts={9: (PHONES, ACME)}), seed=n)
        admitted = n >= admit_after
        assert events_of(model, 9) == n and bool(rows_of(model, 9)["history"].any()) == admitted
        assert admitted or not any(values.any() for values in rows_of(model, 9).values())
        assert (model.find(np.array([9], np.uint64))[0] in negatives_of(model, seed=1).column) == admitted
    assert rows_of(model, 9)["item"].any() and rows_of(model, 9)["bias"].any()


def test_a_history_vector_starts_at_random_and_the_same_in_every_model():
    one, other = (
        learned(a_batch(*EXAMPLE, *rows), config=CONFIG) for rows in (EXAMPLE, [(8, 9, "click", 7), *EXAMPLE])
    )

    assert (rows_of(one, 1)["history"] == rows_of(other, 1)["history"]).all()
    assert (rows_of(one, 1)["history"] != rows_of(one, 2)["history"]).all()


def test_random_starts_have_the_spread_that_is_configured():
    config = a_config(admit_after_events=1, factorization={"dimensions": 64, "initial_scale": 0.3})
    model = learned(a_batch(*((item, 9, "click", item) for item in range(1, 201))), config=config)

    start = machine_of(model).tables["history"].values

    assert start.std() == pytest.approx(0.3, rel=0.03) and abs(start.mean()) < 0.01
    assert np.abs(np.corrcoef(start) - np.eye(200)).max() < 0.7


def test_an_item_of_the_catalogue_without_any_event_is_ranked_by_its_category():
    model = that_phones_go_with_phones()
    items = model.items.with_facts(some_facts({50: (PHONES, 0), 51: (TOYS, 0)}), NOW_S)
    grown = Model(model.config, items, model.scorer.grow(2))

    of_user = scores(grown, (0, 60, "click", 1), (0, 30, "click", 2))

    assert of_user["i50"] > of_user["i51"] and not items.is_admitted[-2:].any()
    assert grown.popularity()[-2:].tolist() == [0, 0]


def test_an_item_of_this_very_micro_batch_is_ranked_by_its_category_and_brand():
    model = that_phones_go_with_phones()
    before, seen = model.to_bytes(), a_timeline((7, 5, "click", 50), (8, 5, "click", 51))

    shown = model.with_items(facts_of(seen, {50: (PHONES, 0), 51: (TOYS, 0)}), seen)

    of_user = scores(shown, (0, 60, "click", 1), (0, 30, "click", 2))
    assert of_user["i50"] > of_user["i51"]
    assert model.to_bytes() == before


@pytest.mark.parametrize("kind", KINDS)
def test_an_item_is_ranked_before_the_model_knows_it(kind):
    config = a_config(kind)
    model = learned(a_batch((0, 9, "click", 1), (1, 0, "click", 2)), config=config)
    timeline = a_timeline((5, 10, "click", 1), (5, 0, "purchase", 7))

    extended = model.with_items(facts_of(timeline), timeline)

    assert best(extended, (0, 10, "click", 1), (0, 0, "purchase", 7))[0] == "i7"
    assert (model.n_items, extended.n_items) == (2, 3)
    assert model.with_items(facts_of(a_timeline((0, 0, "click", 1))), a_timeline((0, 0, "click", 1))) is model


@pytest.mark.parametrize(
    ("told", "expected"),
    [((TOYS, 0), (TOYS, ACME)), ((0, 22), (PHONES, 22)), ((0, 0), (PHONES, ACME)), ((TOYS, 22), (TOYS, 22))],
    ids=["another-category", "another-brand", "nothing", "both"],
)
def test_what_an_event_says_of_a_known_item_holds_and_what_it_leaves_out_stays(told, expected):
    model = learned(a_batch(*EXAMPLE, facts={1: (PHONES, ACME)}), config=CONFIG)
    follower = empty(CONFIG)
    follower.patch(model.to_bytes())

    gradient = model.gradient(a_batch((2, 0, "click", 1), facts={1: told}), 0).data
    follower.patch(model.apply([gradient]))

    for copy in (model, follower):
        assert (copy.items.category[0], copy.items.brand[0]) == expected


def test_a_category_that_changes_changes_the_score_at_once():
    model = learn(that_phones_go_with_phones(), a_batch((90, 9, "click", 60), facts={60: (TOYS, 0)}))
    stays, changes = from_bytes(CONFIG, model.to_bytes()), from_bytes(CONFIG, model.to_bytes())

    for copy, category in (stays, TOYS), (changes, PHONES):
        copy.apply([copy.gradient(a_batch((91, 0, "click", 60), facts={60: (category, 0)}), 0).data], learns=False)

    before, after = (scores(copy, (0, 60, "click", 1), (0, 30, "click", 2)) for copy in (stays, changes))
    assert after.pop("i60") > before.pop("i60") + 0.05
    assert after == before


def test_of_tasks_that_differ_the_last_one_is_believed():
    model = learned(a_batch(*EXAMPLE), config=CONFIG)
    tasks = [a_batch((user, 0, "click", 5), facts={5: (category, 0)}) for user, category in ((2, PHONES), (3, TOYS))]

    model.apply([model.gradient(task, 0).data for task in tasks])

    assert model.items.category[model.find(np.array([5], np.uint64))[0]] == TOYS
    assert model.n_items == 3


def test_an_item_leaves_when_nobody_touched_it_for_long():
    config = a_config(expire_after_days=30.0)
    old = [(item, 31 * DAY_S - item, "click", item) for item in (1, 2)]
    model = learned(a_batch(*old), a_batch(*((item, 9, "click", item) for item in (3, 4, 5, 6))), config=config)

    assert model.trim()
    assert model.item_ids.tolist() == ["i3", "i4", "i5", "i6"]
    assert not model.trim()


def test_a_few_dead_items_are_not_worth_moving_columns():
    config = a_config(expire_after_days=30.0)
    model = learned(
        a_batch((0, 40 * DAY_S, "click", 1)), a_batch(*((n, 9, "click", n) for n in range(2, 21))), config=config
    )

    assert not model.trim() and model.n_items == 20


def test_the_least_popular_items_leave_a_model_that_is_full():
    model = learned(
        a_batch(*[(0, 20 - item, "click", item) for item in range(1, 13)], (1, 0, "purchase", 1)),
        config=a_config("mixture", max_items=10, max_examples_per_user=20),
    )

    assert model.trim() and model.n_items == 9
    assert model.item_ids.tolist() == ["i1", *(f"i{item}" for item in range(5, 13))]
    assert not model.trim()


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_stays_within_its_bound_however_many_items_come(kind):
    model, random = empty(a_config(kind, max_items=20)), np.random.default_rng(1)

    for n in range(30):
        rows = [(user, 30 * (30 - n), "click", int(random.integers(1, 400))) for user in range(8)]
        learn(model, a_batch(*rows), seed=n)
        model.trim()
        assert model.n_items <= 20
    assert model.is_finite()


@pytest.mark.parametrize("kind", KINDS)
def test_the_items_that_stay_keep_their_order_and_what_is_known_of_them(kind):
    stay, leave = (2, 3, 5, 8), (1, 4, 6, 7)
    both = [(user, 40 * DAY_S - n, "click", item) for user in range(3) for n, item in enumerate(stay + leave)]
    model = learned(a_batch(*both, facts=FACTS), config=a_config(kind, expire_after_days=30.0, max_examples_per_user=9))
    model = learn(model, a_batch(*((5, 60 - n, "click", item) for n, item in enumerate(stay)), facts=FACTS))
    asked = [(0, 60, "click", 2), (0, 30, "purchase", 8)]
    before, known = scores(model, *asked), {name: part.copy() for name, part in model.items.state(np.arange(8)).items()}

    assert model.trim()

    assert model.item_ids.tolist() == [f"i{item}" for item in (2, 3, 5, 8)]
    after, stays = scores(model, *asked), np.isin(known["items.item"], np.array(stay))
    for name in ("item", "category", "brand", "n_events", "last_s"):
        assert model.items.state(np.arange(4))[f"items.{name}"].tolist() == known[f"items.{name}"][stays].tolist()
    assert sorted(after, key=after.__getitem__) == sorted(set(before) & set(after), key=before.__getitem__)


def test_the_vectors_of_the_items_that_stay_move_with_them():
    model = a_machine(a_config(factorization={"popularity_smoothing": 1e9}))  # popularity says the same of all
    model.items.last_s[[1, 4, 7]] -= 100 * DAY_S
    asked = histories((0, 60, "click", 1), (0, 30, "click", 3))
    names, before = model.item_ids.tolist(), model.score(asked)[0]

    assert model.trim()

    kept = [names.index(name) for name in model.item_ids.tolist()]
    assert kept == [0, 2, 3, 5, 6]
    np.testing.assert_allclose(model.score(asked)[0], before[kept], atol=1e-6)


def test_facts_of_items_that_nobody_touched_are_not_sent():
    model = learned(a_batch(*EXAMPLE), config=CONFIG)
    batch = a_batch((2, 0, "click", 1))
    told = some_facts({1: (PHONES, 0), 70: (TOYS, 0)})

    learn(model, replace(batch, facts=told))

    assert model.n_items == 2 and model.items.category[0] == PHONES


def test_what_one_task_says_of_an_item_is_not_lost_to_one_that_says_nothing():
    told = ItemFacts.joined(
        [some_facts({1: (5, 0), 2: (0, 0)}), some_facts({1: (0, 7), 3: (8, 9)}), some_facts({3: (6, 0)})]
    )

    assert told.item.tolist() == [1, 2, 3] and told.item_id.tolist() == ["i1", "i2", "i3"]
    assert told.category.tolist() == [5, 0, 6] and told.brand.tolist() == [7, 0, 9]
