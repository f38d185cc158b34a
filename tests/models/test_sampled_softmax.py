"""A few drawn items stand for the whole catalogue: what is drawn, how often, and what the sample estimates."""

import numpy as np
import pytest

from pipelines.models.factorization.examples import Negatives, draw_negatives
from pipelines.models.factorization.loss import Scored, candidates, softmax_gradient
from pipelines.models.items import Items
from pipelines.models.past import OwnItems
from tests.models.builders import a_config, some_facts

N_ITEMS, N_DRAWN, EXPONENT = 40, 24, 0.75
N_DRAWS = 6_000
SIGMAS = 4.5  # of 40 comparisons of right numbers, fewer than one in a thousand seeds fails


def a_catalogue(popularity) -> Items:
    """Items of which all are admitted, of this popularity."""
    items = Items.none(a_config()).with_facts(some_facts({item + 1: (0, 0) for item in range(len(popularity))}), 0)
    items.popularity.total[:] = np.array(popularity)[:, None]
    items.n_events[:] = 10
    return items


ZIPF = a_catalogue(1.0 / np.arange(1, N_ITEMS + 1))


def own_of(*columns) -> OwnItems:
    """The past of a single example."""
    column = np.array(columns, np.int64)
    return OwnItems(np.zeros(len(column), np.int64), column, np.arange(len(column)))


def by_item(true_scores, chosen: int, own: OwnItems, negatives: Negatives):
    """(gradient by the score of every item (I,), log Σ exp(score) of the sample) of one example."""
    among = candidates(np.array([chosen]), own, negatives.column, len(true_scores))
    own_scores = true_scores[own.column]
    correction = 0.0 if among.is_own[0] else negatives.log_expected[chosen]
    scores = Scored(
        np.array([true_scores[chosen] - correction]),
        own_scores.copy(),
        (true_scores - negatives.log_expected)[None, negatives.column],
    )
    loss, slopes = softmax_gradient(scores, among, np.ones(1))
    gradient = np.zeros(len(true_scores))
    gradient[chosen] += slopes.chosen[0]
    np.add.at(gradient, own.column, slopes.own)
    gradient[negatives.column] += slopes.negatives[0]
    return gradient, loss[0] + true_scores[chosen] - correction


def of_whole_catalogue(true_scores, chosen):
    probability = np.exp(true_scores) / np.exp(true_scores).sum()
    return probability - (np.arange(len(true_scores)) == chosen)


def within(mean, sample, expected):
    """Whether the mean of a sample is within so many of its standard errors."""
    error = sample.std(axis=0) / np.sqrt(len(sample))
    return np.abs(mean - expected) <= SIGMAS * error + 1e-9


@pytest.fixture(scope="module")
def draws() -> list[Negatives]:
    random = np.random.default_rng(11)
    return [draw_negatives(ZIPF, N_DRAWN, EXPONENT, random) for _ in range(N_DRAWS)]


def test_negatives_are_distinct(draws):
    assert all((np.diff(drawn.column) > 0).all() for drawn in draws)
    assert min(len(drawn.column) for drawn in draws) < N_DRAWN


def test_an_item_is_among_the_negatives_as_often_as_the_correction_says(draws):
    among = np.zeros((N_DRAWS, N_ITEMS))
    for n, drawn in enumerate(draws):
        among[n, drawn.column] = 1

    assert within(among.mean(axis=0), among, np.exp(draws[0].log_expected)).all()


@pytest.mark.parametrize(
    ("exponent", "ratio"), [(0.0, 1.0), (0.75, 16**0.75), (1.0, 16.0)], ids=["evenly", "dampened", "by-popularity"]
)
def test_items_are_drawn_by_popularity_to_a_power(exponent, ratio):
    one_at_a_time = draw_negatives(a_catalogue([16.0, 1.0]), 1, exponent, np.random.default_rng(0))

    expected = np.exp(one_at_a_time.log_expected)

    assert expected[0] / expected[1] == pytest.approx(ratio, rel=1e-5)


@pytest.mark.parametrize(
    ("popularity", "n_events", "drawn"),
    [([], [], []), ([0.0, 0.0], [9, 9], []), ([3.0, 1.0], [1, 1], []), ([3.0, 1.0], [1, 2], [1])],
    ids=["no-items", "no-popularity", "none-admitted", "one-admitted"],
)
def test_only_admitted_items_that_somebody_wanted_are_drawn(popularity, n_events, drawn):
    items = a_catalogue(np.array(popularity, np.float64))
    items.n_events[:] = n_events

    negatives = draw_negatives(items, 50, EXPONENT, np.random.default_rng(0))

    assert negatives.column.tolist() == drawn
    assert len(negatives.log_expected) == len(popularity) and np.isfinite(negatives.log_expected).all()


def test_the_sum_over_the_sample_is_that_over_the_whole_catalogue_on_average(draws):
    """Of an example whose item is an own one, without bias: an item counts 1/Q when it is drawn, which it is Q times."""
    scores, own = np.random.default_rng(1).normal(0, 1, N_ITEMS), own_of(3, 17, 30)

    sums = np.exp([by_item(scores, 17, own, drawn)[1] for drawn in draws])

    assert within(sums.mean(), sums, np.exp(scores).sum())


@pytest.mark.parametrize("n_drawn", [24, 96, 384])
def test_the_gradient_over_the_sample_is_that_over_the_whole_catalogue_on_average(n_drawn):
    """But for the bias of a quotient of estimates. To second order, the bias of item i's probability is
    (p_i Var Z − Cov(Z_i, Z)) / Z², so all together they are off by 2 Var Z / Z² at most: little, when much is drawn.
    """
    scores, own, random = np.random.default_rng(1).normal(0, 1, N_ITEMS), own_of(3, 17, 30), np.random.default_rng(12)
    drawn = [by_item(scores, 17, own, draw_negatives(ZIPF, n_drawn, EXPONENT, random)) for _ in range(N_DRAWS // 2)]
    gradients, sums = np.array([gradient for gradient, _ in drawn]), np.exp([log_sum for _, log_sum in drawn])

    off = np.abs(gradients.mean(axis=0) - of_whole_catalogue(scores, 17))

    noise = gradients.std(axis=0).sum() / np.sqrt(len(gradients))
    assert off.sum() < 2 * sums.var() / np.exp(scores).sum() ** 2 + noise
    assert off.sum() < {24: 0.15, 96: 0.03, 384: 0.005}[n_drawn]


def test_with_everything_drawn_the_gradient_is_that_of_the_whole_catalogue():
    scores = np.random.default_rng(1).normal(0, 1, N_ITEMS)
    everything = draw_negatives(ZIPF, 20_000, EXPONENT, np.random.default_rng(0))

    for chosen, own in [(4, own_of()), (4, own_of(4, 9)), (4, own_of(0, 9)), (0, own_of())]:
        gradient, _ = by_item(scores, chosen, own, everything)
        np.testing.assert_allclose(gradient, of_whole_catalogue(scores, chosen), atol=1e-6)


def test_a_model_that_is_right_is_left_as_it_is(draws):
    """When choices of new items are drawn from the model's own softmax, the steps cancel: log-Q, for the chosen one too.

    The slack of 0.004 is for negatives that are not quite drawn independently of each other.
    """
    scores = np.random.default_rng(2).normal(0, 1, N_ITEMS)
    probability = np.exp(scores) / np.exp(scores).sum()
    chosen = np.random.default_rng(3).choice(N_ITEMS, N_DRAWS, p=probability)

    gradients = np.array([by_item(scores, one, own_of(), drawn)[0] for one, drawn in zip(chosen, draws, strict=True)])

    error = gradients.std(axis=0) / np.sqrt(N_DRAWS)
    assert (np.abs(gradients.mean(axis=0)) <= SIGMAS * error + 0.004).all()
    uncorrected = [by_item(scores, one, own_of(), Negatives(d.column, 0 * d.log_expected))[0]
                   for one, d in zip(chosen, draws, strict=True)]  # fmt: skip
    assert np.abs(np.mean(uncorrected, axis=0)).max() > 0.02, "without log-Q there is something to see"


@pytest.mark.parametrize("own", [own_of(), own_of(5), own_of(2, 5)], ids=["new", "own", "own-among-others"])
def test_a_drawn_item_that_was_chosen_is_not_held_against_the_user(own):
    scores = np.random.default_rng(4).normal(0, 1, N_ITEMS)
    log_expected = np.full(N_ITEMS, -1.0)
    with_hit, without = (Negatives(np.array(columns), log_expected) for columns in ([1, 5, 8], [1, 8]))

    hit, missed = by_item(scores, 5, own, with_hit), by_item(scores, 5, own, without)

    np.testing.assert_allclose(hit[0], missed[0])
    assert hit[0][5] < 0 and hit[1] == pytest.approx(missed[1])


def test_a_drawn_item_of_the_users_own_counts_once():
    scores = np.random.default_rng(4).normal(0, 1, N_ITEMS)
    log_expected = np.full(N_ITEMS, -1.0)

    twice, once = (by_item(scores, 9, own_of(2, 5), Negatives(np.array(c), log_expected)) for c in ([1, 2, 5], [1]))

    np.testing.assert_allclose(twice[0], once[0])


@pytest.mark.parametrize("size", [60.0, 5_000.0])
def test_huge_scores_do_not_overflow(size):
    scores = np.linspace(-size, size, N_ITEMS)

    for chosen in (0, N_ITEMS - 1):
        gradient, _ = by_item(scores, chosen, own_of(1), Negatives(np.array([3, 30]), np.full(N_ITEMS, -1.0)))
        assert np.isfinite(gradient).all() and abs(gradient.sum()) < 1e-9
