"""River's factorization machine, an implementation by others, and ours say the same where both can speak."""

import numpy as np
import pytest

from pipelines.features.profile import key_time_s
from tests.models.builders import DAY_S, a_config, best, histories, learned, micro_batches
from tests.models.machines import FACTS, a_machine, textbook_of

facto = pytest.importorskip("river.facto")
optim = pytest.importorskip("river.optim")

DEVICE, COUNTRY = 31, 42
NOTHING = {"nothing": 1.0}  # a feature without weight and vector: River says no more than a float of one feature alone
HISTORY = [(0, 9 * DAY_S, "click", 1), (0, 5 * DAY_S, "add_to_cart", 2), (0, DAY_S, "remove_from_cart", 3),
           (0, DAY_S // 2, "click", 7)]  # fmt: skip


def features_of_user(book, past, context):
    shares = {}
    for column, share in book.shares(past):
        shares[f"h{column}"] = shares.get(f"h{column}", 0.0) + share
    return shares | {f"c{row}": 1.0 for row in book.context_rows(context)}


def features_of_item(book, column):
    fm = book.config.factorization
    category, brand = int(book.items.category[column]), int(book.items.brand[column])
    named = {f"v{column}": 1.0}
    named |= {f"k{category % (fm.category_rows - 1) + 1}": 1.0} if category else {}
    return named | ({f"b{brand % (fm.brand_rows - 1) + 1}": 1.0} if brand else {})


def a_river_machine(book, is_linear: bool):
    """All parameters set by hand; the terms are features without vectors."""
    tables = {"h": "history", "c": "context", "v": "item", "k": "category", "b": "brand"}
    machine = facto.FMRegressor(n_factors=book.config.factorization.dimensions)
    machine.latents["nothing"] = np.zeros(machine.n_factors)
    for letter, name in tables.items():
        for row, vector in enumerate(book.tables[name]):
            machine.latents[f"{letter}{row}"] = vector
    for row, weight in enumerate(book.tables["term"][:, 0]):
        machine.latents[f"t{row}"] = np.zeros(machine.n_factors)
        machine.weights[f"t{row}"] = weight if is_linear else 0.0
    for row, bias in enumerate(book.tables["bias"][:, 0]):
        machine.weights[f"v{row}"] = bias if is_linear else 0.0
    return machine


def test_the_score_is_rivers_model_equation_between_user_and_item():
    """Ours leaves out the pairs within the user's features and within the item's: they are subtracted from River's."""
    config = a_config()
    model = a_machine(config)
    asked = histories(*HISTORY, context=[(DEVICE, COUNTRY)])
    book = textbook_of(model)
    weight = [1.0, 3.0, -2.0, 1.0]
    past = list(zip(model.find(asked.item).tolist(), asked.as_of_s - key_time_s(asked.key), weight, strict=True))
    features = features_of_user(book, past, [DEVICE, COUNTRY])
    whole, pairs_alone = a_river_machine(book, is_linear=True), a_river_machine(book, is_linear=False)

    ours = model.score(asked)[0]

    for column in range(len(FACTS)):
        item = features_of_item(book, column)
        user = {name: book.affinity(past, column) * value for name, value in features.items()}
        terms = {f"t{row}": term for row, term in enumerate(book.terms(past, column))}
        within = pairs_alone.predict_one(user | NOTHING) + pairs_alone.predict_one(item | NOTHING)
        assert ours[column] == pytest.approx(whole.predict_one(user | item | terms) - within, abs=1e-5)


def two_tastes(n_users: int):
    """Users of two tastes, each for four of the eight items; a user chooses one item, then another."""
    random, log = np.random.default_rng(0), []
    for user in range(n_users):
        first, second = 1 + 4 * (user % 2) + random.choice(4, 2, replace=False)
        log += [
            (user, (n_users - user) * 600, "purchase", int(first)),
            (user, (n_users - user) * 600 - 60, "purchase", int(second)),
        ]
    return log


def test_both_learn_the_same_two_tastes():
    """River learns whether a pair was chosen, ours which of all items: other losses, so the halves are compared."""
    log, random = two_tastes(700), np.random.default_rng(1)
    river = facto.FMClassifier(n_factors=4, latent_optimizer=optim.AdaGrad(0.1), seed=1)
    for (_, _, _, first), (_, _, _, second) in zip(log[::2], log[1::2], strict=True):
        river.learn_one({f"h{first}": 1.0, f"v{second}": 1.0}, True)
        river.learn_one({f"h{first}": 1.0, f"v{int(random.integers(1, 9))}": 1.0}, False)
    ours = learned(*micro_batches(log, 15), config=a_config(factorization={"dimensions": 4, "learning_rate": 0.2}))

    for met in range(1, 9):
        others = [item for item in range(1, 9) if item != met]
        by_river = {item: river.predict_proba_one({f"h{met}": 1.0, f"v{item}": 1.0})[True] for item in others}
        theirs = sorted(others, key=by_river.__getitem__, reverse=True)[:3]
        mine = [int(name[1:]) for name in best(ours, (0, 60, "click", met)) if name != f"i{met}"][:3]
        assert {item > 4 for item in theirs} == {item > 4 for item in mine} == {met > 4}, (met, theirs, mine)
