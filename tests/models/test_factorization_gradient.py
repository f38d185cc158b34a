"""The gradient of the factorization machine is that of its loss, in every table."""

import numpy as np
import pytest

from pipelines.model_sections import ModelConfig
from pipelines.models.arrays import from_bytes
from pipelines.models.factorization.examples import examples_of
from pipelines.models.factorization.gradient import gradient_of
from pipelines.models.factorization.item_side import ItemSide
from pipelines.models.factorization.tables import UNKNOWN
from pipelines.models.factorization.user_side import pooling
from tests.models.builders import HOUR_S, a_batch, a_config
from tests.models.machines import FACTS, a_machine, dense, machine_of, negatives_of, textbook_of
from tests.models.textbook import Tables, Textbook, choices

CONFIG = a_config(factorization={"history_dropout": 0.0, "history_items": 4, "negatives": 5})
TABLES = ("item", "history", "bias", "category", "brand", "context", "term")
STEP = 1e-5  # of float64: the error of a central difference is about 1e-9
SEED = 3
NOBODY, PHONE, NORWAY = (0, 0), (31, 0), (32, 41)  # (device, country)

# what was known before, what is chosen, where: each is a user of its own
SITUATIONS = {
    "a new item, by a user without history": ([], ("click", 4), NOBODY),
    "a new item, somewhere": ([("click", 1)], ("purchase", 4), NORWAY),
    "an own item again": ([("click", 1), ("add_to_cart", 2), ("click", 1)], ("purchase", 1), PHONE),
    "an own item that was taken out of the cart": ([("add_to_cart", 3), ("remove_from_cart", 3)], ("click", 3), NOBODY),
    "an own item that is also drawn": ([("purchase", 1), ("click", 2)], ("click", 5), NOBODY),
    "after an item that is not admitted": ([("click", 7), ("click", 6)], ("add_to_cart", 2), PHONE),
    "beside an own item that is not admitted": ([("click", 8), ("click", 2)], ("click", 3), NOBODY),
    "after more than an example sees": ([("click", 1 + n % 6) for n in range(9)], ("purchase", 6), NORWAY),
    "after an item that nobody knows": ([("click", 99), ("click", 3)], ("click", 1), NOBODY),
}


def a_batch_of(names):
    known, rows, context = [], [], []
    for user, name in enumerate(names):
        before, (kind, item), where = SITUATIONS[name]
        known += [(user, (len(before) - n) * 50 * HOUR_S, old, of) for n, (old, of) in enumerate(before)]
        rows.append((user, 0, kind, item))
        context += [NOBODY] * len(before) + [where]
    return a_batch(*rows, known=known, facts=FACTS, context=context)


def by_differences(textbook: Textbook, total_loss) -> Tables:
    """Central differences by every parameter there is."""
    slopes = {}
    for name, table in textbook.tables.items():
        slopes[name] = np.zeros_like(table)
        for place in np.ndindex(table.shape):
            before = table[place]
            table[place] = before + STEP
            above = total_loss()
            table[place] = before - STEP
            slopes[name][place] = (above - total_loss()) / (2 * STEP)
            table[place] = before
    return slopes


def both_gradients(names, config: ModelConfig = CONFIG):
    """(ours, by differences), and the loss as (ours, textbook's)."""
    model, batch = a_machine(config), a_batch_of(names)
    negatives, textbook = negatives_of(model, SEED), textbook_of(model)
    column, log_expected = negatives.column.tolist(), negatives.log_expected.tolist()
    made = choices(batch, model.items, config)

    def losses():
        return [textbook.loss(choice, column, log_expected) for choice in made]

    gradient = model.gradient(batch, SEED)
    slopes = by_differences(
        textbook, lambda: sum(choice.weight * loss for choice, loss in zip(made, losses(), strict=True))
    )
    return (dense(model, from_bytes(gradient.data)), slopes), (gradient.loss, sum(losses()))


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_gradient_of_an_example_is_the_slope_of_its_loss(name):
    (ours, slopes), (loss, expected) = both_gradients([name])

    assert loss == pytest.approx(expected, abs=2e-5)
    for table in TABLES:
        np.testing.assert_allclose(ours[table], slopes[table], atol=3e-6, err_msg=table)


def test_the_gradient_of_a_mini_batch_is_the_slope_of_the_weighted_losses_in_every_table():
    (ours, slopes), (loss, expected) = both_gradients(SITUATIONS)

    assert loss == pytest.approx(expected, rel=1e-6)
    for table in TABLES:
        np.testing.assert_allclose(ours[table], slopes[table], atol=1e-5, err_msg=table)
        assert np.abs(slopes[table]).max() > 0.01, f"nothing to see in {table}"


@pytest.mark.parametrize("before", [7, 2], ids=["met-before", "new"])
def test_the_choice_of_an_item_that_is_not_admitted_is_no_example(before):
    batch = a_batch((0, 0, "click", 7), known=[(0, 60, "click", before)], facts=FACTS)

    gradient = a_machine(CONFIG).gradient(batch, SEED)

    assert (gradient.n_examples, gradient.loss) == (0, 0.0)


def test_what_has_the_same_second_is_no_history():
    model = a_machine(CONFIG)
    batch = a_batch((0, 0, "click", 1), (0, 0, "purchase", 4), known=[(0, 60, "click", 2)], facts=FACTS)

    examples = examples_of(batch.timeline, np.flatnonzero(batch.timeline.learn), model.items, CONFIG)

    assert model.item_ids[examples.column].tolist() == ["i1", "i4"]
    assert examples.past.row.tolist() == [0, 1]
    assert model.item_ids[examples.past.column].tolist() == ["i2", "i2"]


def test_what_is_not_known_has_no_gradient():
    model = a_machine(CONFIG)

    ours = dense(model, from_bytes(model.gradient(a_batch_of(SITUATIONS), SEED).data))

    assert not any(ours[name][UNKNOWN].any() for name in ("category", "brand", "context"))
    for name in ("item", "history", "bias"):
        assert not ours[name][6:].any(), "items 7 and 8 are not admitted"


def test_an_interaction_that_is_dropped_from_the_history_still_makes_its_item_a_candidate():
    model, batch = a_machine(CONFIG), a_batch_of(["an own item again"])
    fm, machine = CONFIG.factorization, machine_of(model)
    examples = examples_of(batch.timeline, np.flatnonzero(batch.timeline.learn), model.items, CONFIG)
    nothing_seen = pooling(examples.past, np.zeros((1, 2), np.int64), fm, kept=np.zeros(3, np.bool_))

    side = ItemSide(CONFIG, machine.tables, model.items)
    ours = dense(model, gradient_of(side, examples, negatives_of(model, SEED), nothing_seen).arrays)

    assert not ours["history"].any()
    assert ours["bias"][1] > 0
