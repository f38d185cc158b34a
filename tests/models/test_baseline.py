"""The baseline ranker: what it prefers, and that its copies never drift apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.features.fold import Timeline
from pipelines.features.profile import entry_keys
from pipelines.models.baseline import Baseline
from pipelines.models.ranker import Histories, NewItems
from pipelines.schemas import INTERACTION_CODES
from pipelines.sections import ModelConfig

NOW_S = 1_570_000_000
CONFIG = ModelConfig(neighbours_per_item=3, pairs_per_interaction=4)


def a_timeline(*rows: tuple[int, int, str, int]) -> Timeline:
    """Rows (user, seconds ago, event type, item), to be learned from."""
    ordered = sorted(rows, key=lambda row: (row[0], -row[1]))
    user, ago, kind, item = zip(*ordered, strict=True)
    codes = np.array([INTERACTION_CODES[name] for name in kind])
    return Timeline(
        user=np.array(user),
        key=entry_keys(NOW_S - np.array(ago), np.arange(len(user), dtype=np.uint64), codes),
        item=np.array(item, np.uint64),
        learn=np.ones(len(user), np.bool_),
    )


def items_of(timeline: Timeline, model: Baseline) -> NewItems:
    unknown = model.unknown(timeline.item)
    return NewItems(unknown, np.array([f"i{item}" for item in unknown], dtype=object))


def learned(*timelines: Timeline, config: ModelConfig = CONFIG) -> Baseline:
    model = Baseline.empty(config)
    for timeline in timelines:
        model.apply([model.gradient(timeline, items_of(timeline, model), seed=0)])
    return model


def best(model: Baseline, timeline: Timeline) -> list[str]:
    histories = Histories(1, np.zeros_like(timeline.user), timeline.key, timeline.item)
    return [str(name) for name in model.item_ids[np.argsort(-model.score(histories)[0], kind="stable")]]


def test_a_user_without_history_gets_the_popular_items():
    model = learned(a_timeline((0, 0, "product_view", 1), (1, 0, "purchase", 2), (2, 0, "add_to_cart", 3)))

    scores = model.score(Histories(1, *(np.empty(0, kind) for kind in (np.int64, np.uint64, np.uint64))))

    assert [str(name) for name in model.item_ids[np.argsort(-scores[0])]] == ["i2", "i3", "i1"]


def test_what_was_viewed_together_is_preferred_to_what_is_popular():
    together = [(user, second, "product_view", item) for user in range(3) for second, item in ((10, 1), (0, 2))]
    popular = [(user, 0, "product_view", 9) for user in range(10, 20)]
    model = learned(a_timeline(*together, *popular))

    assert best(model, a_timeline((0, 0, "product_view", 1)))[:2] == ["i1", "i2"]


def test_an_item_taken_out_of_the_cart_again_counts_less():
    kept = a_timeline((0, 60, "add_to_cart", 1), (0, 50, "add_to_cart", 2))
    taken_out = a_timeline((0, 60, "add_to_cart", 1), (0, 50, "add_to_cart", 2), (0, 40, "remove_from_cart", 2))
    model = learned(kept)

    own = [model.score(Histories(1, t.user, t.key, t.item))[0][1] for t in (kept, taken_out)]

    assert own[1] < own[0]


def test_yesterday_weighs_half_of_today():
    config = ModelConfig(own_history_share=1.0, co_occurrence_share=0.0, history_half_life_hours=24)
    timeline = a_timeline((0, 24 * 3600, "click", 1), (0, 0, "click", 2))
    model = learned(timeline, config=config)

    scores = model.score(Histories(1, timeline.user, timeline.key, timeline.item))

    np.testing.assert_allclose(scores[0], [1 / 3, 2 / 3], rtol=1e-6)


def test_the_mixture_is_a_distribution():
    model = learned(a_timeline((0, 9, "click", 1), (0, 5, "click", 2), (1, 3, "purchase", 3), (1, 1, "click", 1)))
    timeline = a_timeline((0, 9, "click", 1), (1, 5, "purchase", 3))

    scores = model.score(Histories(2, timeline.user, timeline.key, timeline.item))

    np.testing.assert_allclose(scores.sum(axis=1), [1, 1], rtol=1e-5)


a_row = st.tuples(
    st.integers(0, 4), st.integers(0, 10**7), st.sampled_from(list(INTERACTION_CODES)), st.integers(1, 12)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(a_row, min_size=1, max_size=20), min_size=1, max_size=5))
def test_a_copy_that_follows_the_patches_holds_the_same_bytes(steps):
    driver, worker = Baseline.empty(CONFIG), Baseline.empty(CONFIG)
    for rows in steps:
        timeline = a_timeline(*rows)
        worker.patch(driver.apply([driver.gradient(timeline, items_of(timeline, driver), seed=1)]))

    assert worker.to_bytes() == driver.to_bytes()
    assert Baseline.from_bytes(CONFIG, driver.to_bytes()).to_bytes() == driver.to_bytes()


def test_a_row_keeps_its_strongest_neighbours_only():
    rows = [(user, 10, "click", 1) for user in range(10)] + [(user, 0, "click", 2 + user // 2) for user in range(10)]
    rows += [(user + 100, 10, "click", 1) for user in range(3)] + [(user + 100, 0, "click", 2) for user in range(3)]
    model = learned(a_timeline(*rows))

    neighbours, share = model._pairs.shares(np.array([0]))

    assert neighbours.shape == (1, 3)
    assert neighbours[0, 0] == 1 and share[0, 0] == share[0].max()


def test_an_item_is_ranked_before_the_model_knows_it():
    model = learned(a_timeline((0, 0, "click", 1)))
    timeline = a_timeline((5, 10, "click", 1), (5, 0, "click", 7))

    extended = model.with_items(items_of(timeline, model), timeline)

    assert best(extended, timeline)[0] == "i7"
    assert model.n_items == 1


def test_the_least_popular_items_leave_a_model_that_is_full():
    config = ModelConfig(max_items=10)
    model = learned(
        a_timeline(*[(0, 20 - item, "click", item) for item in range(1, 13)], (1, 0, "purchase", 1)), config=config
    )

    assert model.trim() and model.n_items == 9
    assert "i1" in model.item_ids.tolist() and "i2" not in model.item_ids.tolist()
    assert not model.trim()


@pytest.mark.parametrize("ago", [0, 400 * 24 * 3600], ids=["now", "after-400-half-lives"])
def test_old_weights_fade_and_never_become_nan(ago):
    model = learned(a_timeline((0, ago, "click", 1)), a_timeline((0, 0, "click", 2)))

    assert np.isfinite(model._popularity.total).all()
    assert np.isclose(model._popularity.share()[0], 0.5 if ago == 0 else 0.0)
