"""A step over one example is what one writes down by hand: softmax, chain rule, AdaGrad by row, L2."""

import math

import numpy as np
import pytest

from pipelines.models import kinds
from pipelines.models.factorization.tables import Table
from tests.models.builders import DAY_S, a_batch, a_config, learn
from tests.models.machines import FACTS, a_machine, machine_of, negatives_of, textbook_of
from tests.models.textbook import Textbook, choices

L2 = 0.01
RATES = {"item": 0.2, "history": 0.2, "category": 0.2, "brand": 0.2, "context": 0.2, "bias": 0.05, "term": 0.02}
CONFIG = a_config(
    factorization={
        "history_dropout": 0.0,
        "negatives": 4,
        "l2": L2,
        "learning_rate": RATES["item"],
        "bias_learning_rate": RATES["bias"],
        "term_learning_rate": RATES["term"],
    }
)
SEED = 3
A_RETURNING_USER = [(0, 3 * DAY_S, "click", 1), (0, 2 * DAY_S, "add_to_cart", 2), (0, DAY_S, "remove_from_cart", 2)]


def gradient_by_hand(book: Textbook, choice, negatives, log_expected) -> dict[tuple[str, int], np.ndarray]:
    """By (table, row): Σ over the candidates c of weight · (P(c) − [c was chosen]) · ∂score(c)."""
    gradient = {}

    def add(table, row, value):
        gradient[table, row] = gradient.get((table, row), 0.0) + np.atleast_1d(value)

    query = book.query(choice.past, choice.context)
    of_query = np.zeros_like(query)
    for column, probability in book.probabilities(choice, negatives, log_expected).items():
        g = choice.weight * (probability - (column == choice.column))
        by_product = g * book.affinity(choice.past, column)
        of_query += by_product * book.vector(column)
        for row, term in enumerate(book.terms(choice.past, column)):
            add("term", row, g * term)
        for table, row in (
            ("item", column),
            ("category", category_row(book, column)),
            ("brand", brand_row(book, column)),
        ):
            add(table, row, by_product * query)
        add("bias", column, g)
    for column, share in book.shares(choice.past):
        add("history", column, share * of_query)
    for row in book.context_rows(choice.context):
        add("context", row, of_query)
    nobodys = {("category", 0), ("brand", 0)}
    return {place: value for place, value in gradient.items() if place not in nobodys}


def category_row(book, column):
    value = int(book.items.category[column])
    return value % (book.config.factorization.category_rows - 1) + 1 if value else 0


def brand_row(book, column):
    value = int(book.items.brand[column])
    return value % (book.config.factorization.brand_rows - 1) + 1 if value else 0


def stepped_by_hand(values, squares, gradient, rate):
    """AdaGrad with one accumulator for the row."""
    gradient = gradient + L2 * values
    squares = squares + sum(g * g for g in gradient) / len(gradient)
    return [v - rate * g / math.sqrt(squares) for v, g in zip(values, gradient, strict=True)], squares


@pytest.mark.parametrize("chosen", [1, 4], ids=["an-own-item", "a-new-item"])
def test_a_mini_batch_of_one_is_the_textbooks_update(chosen):
    batch = a_batch(
        (0, 0, "add_to_cart", chosen), known=A_RETURNING_USER, facts=FACTS, context=[(0, 0)] * 3 + [(31, 42)]
    )
    model = a_machine(CONFIG)
    negatives, book = negatives_of(model, SEED), textbook_of(model)
    before = {name: table.accumulator.astype(np.float64) for name, table in machine_of(model).tables.items()}
    [choice] = choices(batch, model.items, CONFIG)
    gradient = gradient_by_hand(book, choice, negatives.column.tolist(), negatives.log_expected.tolist())

    learn(model, batch, seed=SEED)

    after = machine_of(model).tables
    for name, values in book.tables.items():
        expected, squares = values.copy(), before[name].copy()
        for row in (row for table, row in gradient if table == name):
            expected[row], squares[row] = stepped_by_hand(values[row], squares[row], gradient[name, row], RATES[name])
        np.testing.assert_allclose(after[name].values, expected, atol=2e-6, err_msg=name)
        np.testing.assert_allclose(after[name].accumulator, squares, atol=2e-6, err_msg=name)
        assert not np.allclose(expected, values, atol=1e-4), f"nothing moved in {name}"


def test_a_row_that_no_gradient_names_stays_as_it_is():
    table = Table(np.ones((3, 2), np.float32), np.ones(3, np.float32))

    table.step(np.array([1]), np.array([[3.0, 4.0]], np.float32), rate=0.5, l2=0.0)

    assert table.values[[0, 2]].tolist() == [[1, 1], [1, 1]] and table.accumulator.tolist() == [1.0, 13.5, 1.0]
    np.testing.assert_allclose(table.values[1], [1 - 1.5 / math.sqrt(13.5), 1 - 2 / math.sqrt(13.5)], rtol=1e-6)


def test_a_first_step_without_a_gradient_divides_by_nothing():
    table = Table.zeros(1, 2, initial_accumulator=0.0)

    table.step(np.array([0]), np.zeros((1, 2), np.float32), rate=0.5, l2=0.1)

    assert table.values.tolist() == [[0, 0]]


def test_gradients_of_all_tasks_make_one_step():
    """Two tasks with one example each: AdaGrad sees the square of the sum, not the sum of the squares."""
    one, two = (a_batch((user, 0, "purchase", 4), known=[(user, DAY_S, "click", 1)], facts=FACTS) for user in (0, 1))
    together = a_batch(
        (0, 0, "purchase", 4),
        (1, 0, "purchase", 4),
        known=[(0, DAY_S, "click", 1), (1, DAY_S, "click", 1)],
        facts=FACTS,
    )
    apart, at_once = a_machine(CONFIG), a_machine(CONFIG)

    apart.apply([apart.gradient(batch, SEED).data for batch in (one, two)])
    at_once.apply([at_once.gradient(together, SEED).data])

    for name, table in machine_of(apart).tables.items():
        np.testing.assert_allclose(table.values, machine_of(at_once).tables[name].values, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("case", ["frozen", "of another shape", "of another kind"])
def test_a_gradient_that_must_not_be_learned_from_moves_the_catalogue_alone(case):
    model = a_machine(CONFIG)
    batch = a_batch((0, 0, "purchase", 4), known=A_RETURNING_USER, facts=FACTS)
    source = {
        "frozen": lambda: model,
        "of another shape": lambda: a_machine(a_config(factorization={"dimensions": 4})),
        "of another kind": lambda: kinds.empty(a_config("popularity")),
    }[case]()
    before, popularity = kinds.from_bytes(CONFIG, model.to_bytes()), model.popularity().copy()

    model.apply([source.gradient(batch, SEED).data], learns=case != "frozen")

    assert (model.popularity() > popularity).any()
    for name, table in machine_of(model).tables.items():
        assert (table.values == machine_of(before).tables[name].values).all(), name
