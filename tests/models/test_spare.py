"""A new item costs what it is; and copies that share arrays never see each other."""

import numpy as np
import pytest

from pipelines.models.items import MOST_NEWER, ItemIndex
from pipelines.models.kinds import KINDS, from_bytes
from pipelines.models.spare import appended, buffer_of, lengthened
from tests.models.builders import DAY_S, a_batch, a_config, histories, learn, learned

KNOWN = [(user, 100 * DAY_S - n, "click", 1 + n) for user in range(4) for n in range(4)]  # landmarks move after them
FACTS = {item: (item % 3, item % 2) for item in range(1, 40)}


def a_model(kind: str):
    """Of a snapshot, and with spare rows everywhere."""
    model = from_bytes(a_config(kind), learned(a_batch(*KNOWN, facts=FACTS), config=a_config(kind)).to_bytes())
    return learn(model, a_batch((5, 100 * DAY_S, "click", 9), (6, 100 * DAY_S, "click", 10)))


def clicks_on(*items: int):
    return a_batch(*((10 + n, 5, "click", item) for n, item in enumerate(items)), facts=FACTS)


def copy_with(model, *items: int):
    batch = clicks_on(*items)
    return model.with_items(batch.facts, batch.timeline)


def test_rows_are_written_behind_an_array_until_its_spare_ones_are_used_up():
    array, n_moves = np.arange(4.0), 0
    for n in range(4, 2_000):
        longer = appended(array, np.array([float(n)]))
        n_moves += not np.shares_memory(longer, array)
        array = longer

    assert array.tolist() == list(range(2_000))
    assert n_moves < 20


def test_rows_that_nobody_wrote_hold_what_was_asked_for():
    array = lengthened(np.ones((3, 2), np.float32), 2, 7)

    longer = lengthened(array, 1, 7)

    assert longer.dtype == np.float32 and longer[3:].tolist() == [[7, 7]] * 3
    assert np.shares_memory(array, longer)


@pytest.mark.parametrize("part", [lambda a: a[1:4], lambda a: a[::2], lambda a: a[:, :1], lambda a: a.view(np.int64)])
def test_what_is_not_the_beginning_of_a_buffer_has_no_spare_rows(part):
    some = part(np.zeros((10, 2)))

    assert buffer_of(some) is some


def test_items_are_found_wherever_they_came():
    random = np.random.default_rng(3)
    item = random.permutation(np.arange(1, 4 * MOST_NEWER, dtype=np.uint64))
    index, cuts = ItemIndex(item[:0]), np.sort(random.choice(len(item), 40, replace=False))
    for new in np.split(item, cuts):
        index = index.with_new(new)

    assert index.find(item).tolist() == list(range(len(item)))
    assert index.find(np.array([0, 4 * MOST_NEWER], np.uint64)).tolist() == [-1, -1]


@pytest.mark.parametrize("kind", ["factorization", "mixture"])
def test_what_is_known_is_not_copied_for_a_new_item(kind):
    model = a_model(kind)
    parts = {
        "factorization": lambda m: [array for table in m.scorer.tables.values() for array in vars(table).values()],
        "mixture": lambda m: [m.scorer._pairs.neighbour, m.scorer._pairs.weight],
    }[kind]
    before = [model.items.category, model.items.n_events, model.items.item_id, model.items.index.item, *parts(model)]

    shown = copy_with(model, 20, 21)
    after = [shown.items.category, shown.items.n_events, shown.items.item_id, shown.items.index.item, *parts(shown)]
    assert all(np.shares_memory(old, new) for old, new in zip(before, after, strict=True))

    del shown
    learn(model, clicks_on(22, 23))
    after = [model.items.category, model.items.n_events, model.items.item_id, model.items.index.item, *parts(model)]
    assert all(np.shares_memory(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_two_lists_in_the_making_and_the_model_do_not_see_each_other(kind):
    model, alone = a_model(kind), a_model(kind)
    one = copy_with(model, 20, 21)
    of_one = one.to_bytes()
    other = copy_with(model, 30, 31, 32)
    of_other = other.to_bytes()

    assert one.to_bytes() == of_one
    for batch in (clicks_on(25, 1), clicks_on(26, 27, 2)):
        learn(model, batch)
        learn(alone, batch)
        copy_with(model, 33)

    assert (one.to_bytes(), other.to_bytes()) == (of_one, of_other)
    assert model.to_bytes() == alone.to_bytes()
    asked = histories((0, 60, "click", 1), (0, 30, "purchase", 25))
    assert model.score(asked).tobytes() == alone.score(asked).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_that_learns_does_not_teach_the_model(kind):
    model, alone = a_model(kind), a_model(kind)
    shown = copy_with(model, 20, 21)
    learn(shown, clicks_on(20, 22, 1), seed=5)
    of_copy = copy_with(shown, 28)
    learn(shown, clicks_on(23, 24), seed=6)

    assert model.to_bytes() == alone.to_bytes() and "i24" not in of_copy.item_ids
    for each in (model, alone):
        learn(each, clicks_on(29, 30, 31), clicks_on(20, 1, 29))
    assert model.to_bytes() == alone.to_bytes()
