"""Copies of a model never drift apart: whoever follows the patches, from whenever on, holds the driver's bytes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import StateError
from pipelines.models.kinds import KINDS, empty, from_bytes
from pipelines.models.model import Model
from pipelines.schemas import INTERACTION_CODES
from tests.models.builders import DAY_S, a_batch, a_config, histories, learned

N_TASKS = 3
MANY_DAYS = 120  # of the events: landmarks of short half-lives move

a_row = st.tuples(
    st.integers(0, 6), st.integers(0, MANY_DAYS * DAY_S), st.sampled_from(list(INTERACTION_CODES)), st.integers(1, 14)
)
some_rows = st.lists(a_row, max_size=12)
some_facts = st.dictionaries(st.integers(1, 14), st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=6)
a_step = st.tuples(some_rows, some_rows, some_facts, st.booleans())  # new, known, facts, whether it learns
a_life = st.lists(a_step, min_size=1, max_size=5)


def config_of(kind: str):
    return a_config(
        kind,
        max_items=11,
        expire_after_days=60.0,
        mixture={"neighbours_per_item": 3, "pairs_per_interaction": 4},
        factorization={"history_items": 5},
    )


def tasks_of(rows, known, facts):
    """A micro-batch by partitions of its users; each sees some categories of its own."""
    batches = []
    for task in range(N_TASKS):
        mine = [row for row in rows if row[0] % N_TASKS == task]
        before = [row for row in known if row[0] % N_TASKS == task]
        context = np.arange(2 * len(mine + before)).reshape(-1, 2) % 5
        batches.append(a_batch(*mine, known=before, facts=facts if task else {}, context=context))
    return batches


def gradients_of(model: Model, step: int, tasks) -> list[bytes]:
    return [model.gradient(task, (step << 16) + partition).data for partition, task in enumerate(tasks)]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(life=a_life, joins_at=st.integers(0, 4))
def test_a_copy_holds_the_drivers_bytes_from_whenever_it_follows(kind, life, joins_at):
    config = config_of(kind)
    driver, follower, latecomer = empty(config), empty(config), None
    asked = histories((0, 60, "click", 1), (1, 30, "purchase", 2), n_users=2)
    for step, (rows, known, facts, learns) in enumerate(life):
        if step == joins_at:
            latecomer = from_bytes(config, driver.to_bytes())
        gradients = gradients_of(follower, step, tasks_of(rows, known, facts))
        patch = driver.apply(gradients, learns=learns)
        if driver.trim():  # a snapshot is published in the patch's place
            follower = from_bytes(config, driver.to_bytes())
            latecomer = latecomer and from_bytes(config, driver.to_bytes())
        else:
            follower.patch(patch)
            if latecomer:
                latecomer.patch(patch)

        assert follower.to_bytes() == driver.to_bytes()
        assert follower.score(asked).tobytes() == driver.score(asked).tobytes()
        assert latecomer is None or latecomer.to_bytes() == driver.to_bytes()
        assert driver.is_finite()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(life=a_life)
def test_the_same_micro_batch_from_the_same_state_gives_the_same_bytes(kind, life):
    """As when a driver stops between its step and the patch: what starts in its place computes the step again."""
    config = config_of(kind)
    driver = empty(config)
    for step, (rows, known, facts, learns) in enumerate(life):
        started_again = from_bytes(config, driver.to_bytes())
        tasks = tasks_of(rows, known, facts)
        gradients = gradients_of(driver, step, tasks)

        assert gradients_of(started_again, step, tasks) == gradients
        assert started_again.apply(gradients, learns=learns) == driver.apply(gradients, learns=learns)
        assert started_again.to_bytes() == driver.to_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_gradient_does_not_change_the_model_nor_does_a_list(kind):
    config = a_config(kind)
    known = [(user, 90 + n, "click", 1 + n) for user in range(4) for n in range(4)]
    model = learned(a_batch(*known), config=config)
    before, batch = model.to_bytes(), a_batch((0, 5, "click", 1), (1, 4, "purchase", 9), known=known)

    first = model.gradient(batch, 1)
    model.score(histories((0, 60, "click", 1)))
    extended = model.with_items(batch.facts, batch.timeline)
    extended.score(histories((0, 60, "click", 9)))

    assert model.to_bytes() == before
    assert model.gradient(batch, 1) == first


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_in_the_making_is_not_changed_by_the_next_step(kind):
    """A copy that also ranks new items keeps what it knew while the model it was made from learns on."""
    known = [(user, 90 + n, "click", 1 + n) for user in range(4) for n in range(4)]
    batch = a_batch((0, 5, "click", 1), (1, 4, "purchase", 9), known=known, facts={9: (2, 2)})
    model = learned(a_batch(*known, facts={1: (2, 2)}), config=a_config(kind))
    extended = model.with_items(batch.facts, batch.timeline)
    before = extended.to_bytes()

    model.apply([model.gradient(batch, 1).data])

    assert extended.to_bytes() == before


@pytest.mark.parametrize("kind", ["factorization", "mixture"])
def test_gradients_are_added_in_the_order_given_whoever_was_ready_first(kind):
    known = [(user, 90 + n, "click", 1 + n) for user in range(6) for n in range(6)]
    rows = [(user, user, "click", 1 + user) for user in range(6)]
    config, tasks = config_of(kind), tasks_of(rows, known, {})
    state = learned(a_batch(*known), config=config).to_bytes()
    one, other, turned = (from_bytes(config, state) for _ in range(3))
    gradients = gradients_of(one, 1, tasks)

    one.apply(gradients)
    other.apply([gradients_of(other, 1, tasks[::-1])[0], *gradients][1:])  # computed again and elsewhere, same order
    turned.apply(gradients[::-1])

    assert one.to_bytes() == other.to_bytes()
    asked = histories((0, 60, "click", 1))
    np.testing.assert_allclose(one.score(asked), turned.score(asked), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_micro_batch_without_anything_to_learn_changes_nothing(kind):
    config = a_config(kind)
    model = learned(a_batch((0, 9, "click", 1), (0, 5, "click", 2)), config=config)
    before, nothing = model.to_bytes(), a_batch(known=[(0, 9, "click", 1)])

    gradient = model.gradient(nothing, 0)
    model.apply([gradient.data])

    assert model.to_bytes() == before and (gradient.n_examples, gradient.loss) == (0, 0.0)
    assert empty(config).apply([]) is not None


def test_what_the_parameters_mean_comes_with_the_model_and_how_it_learns_with_the_configuration():
    made = learned(a_batch((0, 9, "click", 1)), config=a_config(factorization={"dimensions": 5, "learning_rate": 0.5}))

    model = from_bytes(a_config("popularity", factorization={"dimensions": 7, "learning_rate": 0.01}), made.to_bytes())

    fm = model.config.factorization
    assert (model.config.kind, fm.dimensions, fm.learning_rate) == ("factorization", 5, 0.01)
    assert model.to_bytes() == made.to_bytes()


def test_a_model_of_other_context_fields_is_refused_with_both_named():
    made = empty(a_config(context_fields=("device", "country")))

    with pytest.raises(StateError, match=r"device, country.*the configuration has none"):
        from_bytes(a_config(context_fields=()), made.to_bytes())
