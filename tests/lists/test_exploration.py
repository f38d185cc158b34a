"""New items: who is tried, how often, and where."""

import numpy as np
import pytest
from scipy.stats import beta

from pipelines.catalogue.arrays import text_hashes
from pipelines.lists.exploration import (
    FIRST_RATE,
    MOST_TRIED,
    PRIOR_IMPRESSIONS,
    NewItems,
    Trials,
    explored_slots,
    uniform,
)

SEEDS = np.arange(20_000, dtype=np.uint64)


def trials(told: dict[str, tuple[float, float]]) -> Trials:
    """Clicks and impressions by item."""
    clicks, impressions = np.array(list(told.values()), float).reshape(-1, 2).T
    return Trials.of(list(told), clicks, impressions)


def new_items(*names: str, known: Trials | None = None) -> NewItems:
    """They stand at the places 0, 1, … of an assortment."""
    return NewItems.of(np.arange(len(names)), text_hashes(names), known or Trials.none())


def shares(items: NewItems, seeds=SEEDS) -> np.ndarray:
    """How often each place is the one to try first."""
    return np.bincount(items.drawn(seeds, 1)[:, 0], minlength=len(items)) / len(seeds)


@pytest.mark.parametrize(("n", "share"), [(10, 0.1), (10, 0.25), (20, 0.07), (2, 0.3), (5, 0.5)], ids=str)
def test_the_share_holds_on_average_and_the_first_place_is_the_models(n, share):
    slots = explored_slots(SEEDS, n, share)

    number = slots.sum(axis=1)
    assert number.mean() == pytest.approx(n * share, rel=0.03)
    assert set(number.tolist()) <= {int(n * share), int(n * share) + 1}
    assert not slots[:, 0].any() and slots[:, 1:].any(axis=0).all()


def test_new_items_are_spread_over_a_list():
    slots = explored_slots(SEEDS[:500], 21, 0.2)

    first, second = slots[:, 1:11].sum(axis=1), slots[:, 11:].sum(axis=1)
    assert (np.abs(first - second) <= 1).all()


@pytest.mark.parametrize(("n", "share"), [(1, 0.5), (10, 0.0)], ids=["one-place", "no-share"])
def test_where_there_is_no_room_nothing_is_tried(n, share):
    assert not explored_slots(SEEDS[:100], n, share).any()


def test_all_that_are_as_new_are_tried_as_often():
    np.testing.assert_allclose(shares(new_items("a", "b", "c", "d")), 0.25, atol=0.02)


def test_an_item_is_tried_as_often_as_it_may_be_the_best():
    known = trials({"good": (30, 300), "bad": (3, 300), "old": (500, 10_000)})
    rate = known.rate
    alpha, beta_of = rate * PRIOR_IMPRESSIONS, (1 - rate) * PRIOR_IMPRESSIONS
    random = np.random.default_rng(1)
    rates = [beta.rvs(alpha + c, beta_of + n - c, size=200_000, random_state=random) for c, n in ((30, 300), (3, 300))]
    rates.append(beta.rvs(alpha, beta_of, size=200_000, random_state=random))
    wanted = np.bincount(np.argmax(rates, axis=0), minlength=3) / 200_000

    np.testing.assert_allclose(shares(new_items("good", "bad", "unknown", known=known)), wanted, atol=0.02)


def test_of_many_new_items_every_one_gets_its_turn():
    names = [f"item {number}" for number in range(4 * MOST_TRIED)]

    assert (shares(new_items(*names)) > 0).all()
    assert new_items(*names).drawn(SEEDS[:7], 10_000).shape == (7, MOST_TRIED)


def test_what_is_drawn_depends_on_the_list_alone():
    items = new_items("a", "b", "c", known=trials({"a": (1, 40)}))

    together = items.drawn(SEEDS[:64], 3)

    np.testing.assert_array_equal(np.concatenate([items.drawn(seed, 3) for seed in np.split(SEEDS[:64], 64)]), together)
    np.testing.assert_array_equal(np.sort(together, axis=1), np.tile([0, 1, 2], (64, 1)))


def test_what_was_worked_out_is_taken_over_for_items_at_other_places():
    known = trials({"a": (1, 40), "b": (9, 40)})
    before = new_items("a", "c", "b", known=known)

    now = NewItems.of(np.arange(7, 11), text_hashes(["d", "c", "b", "a"]), known, before)
    anew = NewItems.of(np.arange(7, 11), text_hashes(["d", "c", "b", "a"]), known)

    np.testing.assert_array_equal(now.rates, anew.rates)
    np.testing.assert_array_equal(now.place, anew.place)
    assert len(np.unique(now.rates[:, 5])) == 3  # two that nobody saw are as good as each other


def test_numbers_of_chance_are_even_and_differ_by_purpose():
    first, second = uniform(SEEDS, 1), uniform(SEEDS, 2)

    assert first.min() >= 0 and first.max() < 1 and abs(np.corrcoef(first, second)[0, 1]) < 0.03
    np.testing.assert_allclose(np.histogram(first, 10, (0, 1))[0], 2_000, rtol=0.1)


@pytest.mark.parametrize(
    ("told", "rate"),
    [
        pytest.param({}, FIRST_RATE, id="nothing-known"),
        pytest.param({"a": (0, 0)}, FIRST_RATE, id="nothing-shown"),
        pytest.param({"a": (200, 10_000), "b": (0, 10_000)}, 0.01, id="the-shops-own"),
        pytest.param({"a": (100, 0)}, 0.5, id="clicks-of-what-was-never-shown"),
    ],
)
def test_the_prior_is_at_the_rate_of_the_shop(told, rate):
    assert trials(told).rate == pytest.approx(rate, rel=0.02)


def test_more_clicks_than_impressions_are_no_error():
    items = new_items("a", "b", known=trials({"a": (50, 2), "b": (7, 0)}))

    assert np.isfinite(items.rates).all() and (np.diff(items.rates, axis=1) > 0).all()


def a_day_of(own_rate: float, shop: int) -> list[float]:
    """The share of tries that an item gets beside three of 5 %, hour by hour: 100 lists, whose counts are known an hour later."""
    names, rates = ["it", "b", "c", "d"], np.array([own_rate, 0.05, 0.05, 0.05])
    random, counts, shares_by_hour = np.random.default_rng(shop), np.zeros((4, 2)), []
    others = {"rest of the shop": (5_000.0, 100_000.0)}
    for hour in range(24):
        known = trials(others | {name: tuple(row) for name, row in zip(names, counts, strict=True)})
        seeds = SEEDS[:100] + np.uint64(100 * (24 * shop + hour))
        tried = new_items(*names, known=known).drawn(seeds, 1)[:, 0]
        counts[:, 0] += np.bincount(tried[random.random(100) < rates[tried]], minlength=4)
        counts[:, 1] += np.bincount(tried, minlength=4)
        shares_by_hour.append((tried == 0).mean())
    return shares_by_hour


@pytest.mark.parametrize(("own_rate", "grows"), [(0.1, True), (0.01, False)], ids=["better", "worse"])
def test_a_better_new_item_is_tried_more_and_more_and_a_worse_one_less_and_less(own_rate, grows):
    by_hour = np.mean([a_day_of(own_rate, shop) for shop in range(12)], axis=0)

    begin, middle, end = by_hour[0], by_hour[2:8].mean(), by_hour[-6:].mean()
    assert 0.2 < begin < 0.3  # it is shown at all, as often as the others
    assert (begin < middle < end and end > 0.8) if grows else (begin > middle > end and end < 0.05)
