"""The rankers that count: popularity, own history, co-occurrence, and their mixture; what each prefers."""

import numpy as np
import pytest

from pipelines.models.mixture import Mixture
from tests.models.builders import DAY_S, HOUR_S, a_batch, a_config, best, histories, learn, learned, scores

SMALL = {"neighbours_per_item": 3, "pairs_per_interaction": 4}
CONFIG = a_config("mixture", mixture=SMALL)
KINDS = ("mixture", "co_occurrence", "own_history", "popularity")


@pytest.mark.parametrize("kind", [*KINDS, "factorization"])
def test_a_user_without_history_gets_the_popular_items(kind):
    model = learned(
        a_batch((0, 0, "product_view", 1), (1, 0, "purchase", 2), (2, 0, "add_to_cart", 3)), config=a_config(kind)
    )

    assert best(model) == ["i2", "i3", "i1"]


@pytest.mark.parametrize(
    ("half_lives", "expected"),
    [((24.0,), ["i2", "i1"]), ((24.0 * 90,), ["i1", "i2"]), ((24.0, 24.0 * 90), ["i2", "i1"])],
    ids=["short", "long", "both"],
)
@pytest.mark.parametrize("kind", ["popularity", "factorization"])
def test_popularity_is_of_its_half_lives(kind, half_lives, expected):
    """Three clicks ten days ago, two just now: 3 · 2⁻¹⁰ against 2, or 3 · 2^(−1/9) against 2; the mean is for the newer."""
    rows = [(user, 10 * DAY_S, "click", 1) for user in range(3)] + [(user, 0, "click", 2) for user in (7, 8)]
    model = learned(a_batch(*rows), config=a_config(kind, popularity_half_lives_hours=half_lives))

    assert best(model) == expected


def test_shares_of_popularity_add_up_to_one_for_every_half_life():
    model = learned(a_batch((0, DAY_S, "click", 1)), a_batch((1, 0, "purchase", 2)), config=CONFIG)

    shares = model.items.popularity.shares()

    np.testing.assert_allclose(shares.sum(axis=0), 1.0)
    np.testing.assert_allclose(shares[0], [w / (5 + w) for w in (0.5, 0.5 ** (1 / 7), 0.5 ** (1 / 45))])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ago", [0, 400 * DAY_S, 4_000 * DAY_S], ids=["now", "a-year", "ten-years"])
def test_old_weights_fade_and_never_become_nan(kind, ago):
    old, new, late = a_batch((0, ago, "click", 1)), a_batch((0, 0, "click", 2)), a_batch((3, ago, "click", 1))
    model = learned(old, new, late, config=a_config(kind))

    assert model.is_finite() and np.isfinite(list(scores(model, (0, 9, "click", 1)).values())).all()
    assert np.isclose(model.items.popularity.shares()[0, 0], 2 / 3 if ago == 0 else 0.0)


def test_events_that_arrive_out_of_order_make_the_same_popularity():
    in_order, late = (
        [a_batch((0, 70 * DAY_S, "click", 1)), a_batch((1, 0, "click", 2))],
        a_batch((2, 30 * DAY_S, "click", 1)),
    )

    one, other = learned(*in_order, late, config=CONFIG), learned(in_order[0], late, in_order[1], config=CONFIG)

    np.testing.assert_allclose(one.items.popularity.shares(), other.items.popularity.shares(), rtol=1e-12)


def test_own_history_prefers_what_the_user_did_last_and_then_what_is_popular():
    popular = [(user, 9, "click", 4) for user in range(20, 30)]
    model = learned(
        a_batch(*((item, 9, "click", item) for item in (1, 2, 3)), *popular), config=a_config("own_history")
    )

    assert best(model, (0, 50 * HOUR_S, "click", 1), (0, 1 * HOUR_S, "click", 2))[:3] == ["i2", "i1", "i4"]


@pytest.mark.parametrize("kind", ["mixture", "own_history"])
def test_an_item_taken_out_of_the_cart_again_counts_less(kind):
    kept = [(0, 60, "add_to_cart", 1), (0, 50, "add_to_cart", 2)]
    model = learned(a_batch(*kept), config=a_config(kind))

    assert scores(model, *kept, (0, 40, "remove_from_cart", 2))["i2"] < scores(model, *kept)["i2"]


def test_yesterday_weighs_half_of_today():
    shares = {"own_history_share": 1.0, "co_occurrence_share": 0.0, "history_half_life_hours": 24}
    rows = [(0, 24 * HOUR_S, "click", 1), (0, 0, "click", 2)]
    model = learned(a_batch(*rows), config=a_config("mixture", mixture=shares))

    np.testing.assert_allclose(list(scores(model, *rows).values()), [1 / 3, 2 / 3], rtol=1e-6)


@pytest.mark.parametrize("kind", ["mixture", "co_occurrence"])
def test_what_was_viewed_together_is_preferred_to_what_is_popular(kind):
    together = [(user, second, "product_view", item) for user in range(3) for second, item in ((10, 1), (0, 2))]
    popular = [(user, 0, "product_view", 9) for user in range(10, 20)]
    model = learned(a_batch(*together, *popular), config=a_config(kind, mixture=SMALL))

    ranked = best(model, (0, 0, "product_view", 1))

    assert next(item for item in ranked if item != "i1") == "i2"


@pytest.mark.parametrize(
    ("row", "partner"),
    [((0, 9 * HOUR_S, "click", 1), "far"), ((0, 60, "remove_from_cart", 1), "bad")],
    ids=["far", "bad"],
)
def test_what_is_far_apart_or_was_put_back_hardly_goes_together(row, partner):
    near = [(1, 60, "click", 1), (1, 0, "click", 3)]
    model = learned(a_batch(row, (0, 0, "click", 2), *near), config=a_config("co_occurrence", mixture=SMALL))

    after_one = scores(model, (0, 0, "click", 1))

    assert after_one["i3"] > 0.9 > 0.1 > after_one["i2"], partner


def test_the_mixture_is_a_distribution():
    rows = [(0, 9, "click", 1), (0, 5, "click", 2), (1, 3, "purchase", 3), (1, 1, "click", 1)]
    model = learned(a_batch(*rows), config=CONFIG)

    both = model.score(histories((0, 9, "click", 1), (1, 5, "purchase", 3), n_users=2))

    np.testing.assert_allclose(both.sum(axis=1), [1, 1], rtol=1e-5)
    assert (both >= 0).all()


def test_the_mixture_adds_up_its_three_parts():
    rows = [(0, 9, "click", 1), (0, 5, "click", 2), (1, 3, "purchase", 3), (1, 1, "click", 1)]
    asked = histories((0, 9, "click", 1), (0, 3, "click", 3))
    by_shares = {
        shares: learned(
            a_batch(*rows),
            config=a_config("mixture", mixture={"own_history_share": shares[0], "co_occurrence_share": shares[1]}),
        ).score(asked)
        for shares in [(1, 0), (0, 1), (0, 0), (0.5, 0.2)]
    }

    mixed = 0.5 * by_shares[1, 0] + 0.2 * by_shares[0, 1] + 0.3 * by_shares[0, 0]
    np.testing.assert_allclose(by_shares[0.5, 0.2], mixed, rtol=1e-5)


def pairs_of(model):
    assert isinstance(model.scorer, Mixture)
    return model.scorer._pairs


def test_a_row_keeps_its_strongest_neighbours_only():
    rows = [(user, 10, "click", 1) for user in range(10)] + [(user, 0, "click", 2 + user // 2) for user in range(10)]
    rows += [(user + 100, 10, "click", 1) for user in range(3)] + [(user + 100, 0, "click", 2) for user in range(3)]
    model = learned(a_batch(*rows), config=CONFIG)

    neighbours, share = pairs_of(model).shares(np.array([0]))

    assert neighbours.shape == (1, 3)
    assert neighbours[0, 0] == 1 and share[0, 0] == share[0].max()


def test_a_neighbour_that_builds_up_slowly_gets_into_a_full_row():
    """Once a micro-batch, beside three neighbours that came five times: it would never be among the strongest by itself."""
    full = [row for user in range(15) for row in ((user, 10, "click", 1), (user, 0, "click", 2 + user % 3))]
    model = learned(a_batch(*full), config=CONFIG)

    for n in range(4):
        learn(model, a_batch((50 + n, 10, "click", 1), (50 + n, 0, "click", 9)), seed=n)

    neighbours, _ = pairs_of(model).shares(np.array([0]))
    assert neighbours[0, 0] == model.find(np.array([9], np.uint64))[0]


def test_neighbours_that_leave_the_catalogue_free_their_slots():
    model = learned(a_batch((0, 9, "click", 1), (0, 5, "click", 2), (0, 1, "click", 3)), config=CONFIG)

    left = pairs_of(model).only(np.array([0, 2]))

    assert sorted(left.neighbour[0].tolist()) == [-1, -1, 1] and left.weight[0][left.neighbour[0] < 0].tolist() == [
        0,
        0,
    ]
