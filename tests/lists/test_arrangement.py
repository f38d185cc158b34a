"""Diversity and caps, place by place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.list_sections import RulesConfig
from pipelines.lists.arrangement import Candidates, Wanted, arranged
from tests.examples import examples

NONE = -np.inf


def candidates(relevance, category=None, brand=None, place=None, n_tried=0) -> Candidates:
    """One user's; unlike each other where nothing is said."""
    n = len(relevance)
    attributes = [np.array([told or [0] * n], np.uint64) for told in (category, brand)]
    return Candidates(np.array([place or range(n)]), np.array([relevance], float), *attributes, n - n_tried)


def wanted(n, n_spare=0, pinned=(), explored=()) -> Wanted:
    pins, tries = np.full((1, n + n_spare), -1), np.zeros((1, n + n_spare), np.bool_)
    for place, index in pinned:
        pins[0, place] = index
    tries[0, list(explored)] = True
    return Wanted(n, pins, tries)


def chosen(some: Candidates, want: Wanted, **rules) -> list[int]:
    return arranged(some, want, RulesConfig(**rules))[0].tolist()


@pytest.mark.parametrize(
    ("some", "want", "rules", "places"),
    [
        pytest.param(candidates([0.9, 1.0, 0.8]), wanted(2, 1), {}, [1, 0, 2], id="by-relevance"),
        pytest.param(candidates([0.5, 0.5]), wanted(2), {}, [0, 1], id="ties-in-the-order-given"),
        pytest.param(candidates([1.0]), wanted(3), {}, [0, -1, -1], id="too-few"),
        pytest.param(candidates([1.0, NONE]), wanted(2), {}, [0, -1], id="what-is-none-does-not-come"),
        pytest.param(candidates([]), wanted(2), {}, [-1, -1], id="nothing"),
        pytest.param(
            candidates([1.0, 0.9, 0.8, 0.1], category=[7, 7, 7, 8]), wanted(3), {"max_per_category": 2}, [0, 1, 3],
            id="cap-of-a-category",
        ),
        pytest.param(
            candidates([1.0, 0.9, 0.8], category=[7, 8, 9], brand=[3, 3, 4]), wanted(2), {"max_per_brand": 1}, [0, 2],
            id="cap-of-a-brand",
        ),
        pytest.param(
            candidates([1.0, 0.9, 0.8], category=[0, 0, 0]), wanted(3), {"max_per_category": 1}, [0, 1, 2],
            id="no-cap-where-the-category-is-not-known",
        ),
        pytest.param(
            candidates([1.0, 0.9, 0.8, 0.7], category=[7, 7, 7, 8]), wanted(2, 2), {"max_per_category": 1}, [0, 3, 1, 2],
            id="spare-ones-rather-than-none",
        ),
        pytest.param(
            candidates([1.0, 0.9, 0.8, NONE], category=[7, 7, 8, 7]), wanted(3, pinned=[(2, 3)]), {"max_per_category": 1},
            [2, -1, 3], id="a-pinned-item-counts-wherever-it-stands",
        ),
        pytest.param(
            candidates([1.0, 0.9, 0.8, NONE], place=[5, 6, 7, 6]), wanted(3, pinned=[(0, 3)]), {}, [3, 0, 2],
            id="a-pinned-item-comes-once",
        ),
        pytest.param(
            candidates([1.0, 0.9, 0.8, 1.0, 0.5], place=[5, 6, 7, 6, 9], n_tried=2), wanted(3, 1, explored=[1]), {},
            [0, 3, 2, -1], id="what-is-tried-comes-where-it-is-wanted-and-once",
        ),
        pytest.param(
            candidates([1.0, 0.9, NONE], n_tried=1), wanted(2, explored=[1]), {}, [0, 1], id="nothing-to-try",
        ),
        pytest.param(
            candidates([1.0, 0.9, 1.0, 0.5], category=[7, 8, 7, 9], n_tried=2), wanted(2, explored=[1]),
            {"max_per_category": 1}, [0, 3], id="what-is-tried-obeys-the-caps",
        ),
        pytest.param(
            candidates([1.0, 0.9, 0.5], category=[7, 7, 8]), wanted(3), {"diversity": 0.5}, [0, 2, 1],
            id="unlike-what-is-above",
        ),
        pytest.param(
            candidates([1.0, 0.9, 0.5], category=[7, 7, 8]), wanted(3), {"diversity": 0.2}, [0, 1, 2],
            id="a-little-diversity-moves-little",
        ),
        pytest.param(
            candidates([1.0, 0.9, 0.2], category=[7, 7, 7], brand=[1, 1, 2]), wanted(3), {"diversity": 0.7}, [0, 2, 1],
            id="the-same-brand-makes-it-more-alike",
        ),
    ],
)  # fmt: skip
def test_what_comes_at_each_place(some, want, rules, places):
    assert chosen(some, want, **rules) == places


def by_the_book(some: Candidates, n: int, diversity: float) -> list[int]:
    """Carbonell and Goldstein, one user, one item after the other."""
    rest, out = list(range(some.place.shape[1])), []
    category, brand = some.category[0].tolist(), some.brand[0].tolist()

    def alike(a, b):
        return 0.5 * (category[a] == category[b] != 0) + 0.5 * (brand[a] == brand[b] != 0)

    def value(one):
        likeness = max((alike(one, other) for other in out), default=0.0)
        return max(1 - diversity, 1e-6) * some.relevance[0, one] - diversity * likeness

    while rest and len(out) < n:
        out.append(max(rest, key=value))
        rest.remove(out[-1])
    return out


@settings(max_examples=examples(60), deadline=None)
@given(st.data(), st.sampled_from([0.0, 0.25, 0.5, 1.0]))
def test_it_is_maximal_marginal_relevance(data, diversity):
    n = data.draw(st.integers(1, 12))
    relevance = data.draw(st.lists(st.integers(0, 8).map(lambda step: step / 8), min_size=n, max_size=n))
    attribute = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    some = candidates(relevance, data.draw(attribute), data.draw(attribute))

    assert chosen(some, wanted(min(n, 6)), diversity=diversity) == by_the_book(some, 6, diversity)


def test_users_are_arranged_as_if_alone():
    random = np.random.default_rng(3)
    shape = (300, 30)
    some = Candidates(
        np.tile(np.arange(30), (300, 1)),
        random.random(shape),
        *random.integers(0, 6, (2, *shape)).astype(np.uint64),
        25,
    )
    want = Wanted(8, np.full((300, 12), -1), random.random((300, 12)) < 0.1)
    rules = RulesConfig(diversity=0.4, max_per_category=3, max_per_brand=4)

    together = arranged(some, want, rules)

    alone = [arranged(some.of_users(slice(i, i + 1)), want.of_users(slice(i, i + 1)), rules)[0] for i in range(300)]
    np.testing.assert_array_equal(together, alone)
