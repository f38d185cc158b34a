"""Models that learned apart become one: what is counted adds up, what is learned is a mean."""

import numpy as np
import pytest

from pipelines.models.factorization.tables import BY_ITEM
from pipelines.models.kinds import from_bytes
from pipelines.training.mixing import mixed
from tests.models.builders import HOUR_S, a_batch, a_config, learn, learned

CONFIG = a_config(admit_after_events=1)
SHARED = [(user, 900 - 60 * n, "click", item) for user in range(3) for n, item in enumerate((1, 2, 3))]


def copy_of(model):
    return from_bytes(model.config, model.to_bytes())


def views(user, *items, ago=300):
    return a_batch(*[(user, ago - 30 * n, "purchase", item) for n, item in enumerate(items)])


@pytest.fixture
def before():
    return learned(a_batch(*SHARED), a_batch(*SHARED), config=CONFIG)


def test_one_part_is_the_result(before):
    part = learn(copy_of(before), views(1, 1, 2))

    assert mixed(before, [part], [2]) is part


def test_what_all_left_alone_stays_and_the_model_before_is_not_touched(before):
    data = before.to_bytes()

    result = mixed(before, [copy_of(before), copy_of(before)], [5, 5])
    mixed(before, [learn(copy_of(before), views(1, 1, 9)), learn(copy_of(before), views(2, 2, 8))], [1, 1])

    assert result.to_bytes() == before.to_bytes() == data


@pytest.mark.parametrize("kind", ["factorization", "own_history", "popularity"])
def test_counts_are_those_of_learning_one_after_the_other(kind):
    config = a_config(kind)
    before = learned(a_batch(*SHARED), config=config)
    one, other = views(1, 1, 2, 9), views(2, 2, 8, ago=-100 * 24 * HOUR_S)  # the landmark of a day's half-life moves

    result = mixed(before, [learn(copy_of(before), one), learn(copy_of(before), other)], [3, 2])
    after = learn(copy_of(before), one, other)

    assert result.item_ids.tolist() == after.item_ids.tolist()
    assert result.items.n_events.tolist() == after.items.n_events.tolist()
    assert result.items.last_s.tolist() == after.items.last_s.tolist()
    assert np.allclose(result.items.popularity.total, after.items.popularity.total, rtol=1e-9, atol=0)
    assert (result.items.popularity.landmark_s == after.items.popularity.landmark_s).all()


def test_a_vector_is_taken_from_the_only_one_that_moved_it_or_else_is_the_mean_by_examples(before):
    parts = [learn(copy_of(before), views(1, 1, 2, 9), seed=4), learn(copy_of(before), views(2, 3, 8, 2), seed=5)]
    n_examples = [1, 3]

    result = mixed(before, parts, n_examples)

    n_moved = {1: 0, 2: 0}
    for name, table in result.scorer.tables.items():
        for row in range(len(table.values)):
            item = result.items.index.item[row : row + 1]
            at = [int(part.find(item)[0]) if name in BY_ITEM else row for part in parts]
            was = int(before.find(item)[0]) if name in BY_ITEM else row
            start = before.scorer.tables[name].accumulator[was] if was >= 0 else 0.1
            own = [
                (part.scorer.tables[name], column, n)
                for part, column, n in zip(parts, at, n_examples, strict=True)
                if column >= 0 and part.scorer.tables[name].accumulator[column] != np.float32(start)
            ]
            n_moved[len(own)] = n_moved.get(len(own), 0) + 1
            if len(own) == 1:
                assert (table.values[row] == own[0][0].values[own[0][1]]).all()
            elif own:
                mean = sum(n * t.values[column] for t, column, n in own) / sum(n for _, _, n in own)
                assert np.allclose(table.values[row], mean, atol=1e-6)
            moved = sum(t.accumulator[column] - start for t, column, _ in own)
            assert table.accumulator[row] == pytest.approx(start + moved, rel=1e-5)
    assert min(n_moved[1], n_moved[2]) > 3


def test_a_mixture_is_not_mixed():
    model = learned(a_batch(*SHARED), config=a_config("mixture"))

    with pytest.raises(ValueError, match="one part of a model of kind mixture, got 2"):
        mixed(model, [model, model], [1, 1])
