"""Which interactions are learned from: a user's newest few, none of a rush, and the same ones when a batch is replayed."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.features.fold import Timeline
from pipelines.features.profile import key_time_s
from pipelines.models.learnable import capped_rows, sampled
from tests.examples import examples
from tests.models.builders import NOW_S, RING_SIZE, a_batch, a_config, a_timeline, learned, micro_batches, scores

PER_BATCH, PER_HOUR = 8, 40
CONFIG = a_config(max_examples_per_user=PER_BATCH, max_examples_per_user_hour=PER_HOUR)


def chosen_ago(timeline: Timeline, config=CONFIG) -> list[tuple[int, int]]:
    """(user, seconds ago) of the rows that are learned from."""
    rows = capped_rows(timeline, config)
    return list(zip(timeline.user[rows].tolist(), (NOW_S - key_time_s(timeline.key[rows])).tolist(), strict=True))


def clicks(user: int, *ago: int):
    return [(user, second, "click", 1) for second in ago]


@pytest.mark.parametrize(
    ("rows", "known", "chosen"),
    [
        ([], [], []),
        (clicks(0, 5, 3, 1), [], [(0, 5), (0, 3), (0, 1)]),
        (clicks(0, 5), clicks(0, 9, 1), [(0, 5)]),
        (clicks(0, *range(20, 0, -1)), [], [(0, ago) for ago in range(8, 0, -1)]),
        (clicks(0, *range(9, 0, -1)) + clicks(1, 99), [], [(0, ago) for ago in range(8, 0, -1)] + [(1, 99)]),
        (clicks(0, 9), clicks(0, *range(7, 0, -1)), [(0, 9)]),
        (clicks(0, 9), clicks(0, *range(8, 0, -1)), []),
        (clicks(0, 5), clicks(0, *range(3604, 3604 - 39, -1)), [(0, 5)]),
        (clicks(0, 5), clicks(0, *range(3604, 3604 - 40, -1)), []),
        (clicks(0, 5), clicks(0, *range(3605, 3605 - 40, -1)), [(0, 5)]),
        (clicks(1, 5), clicks(0, *range(3604, 3604 - 40, -1)), [(1, 5)]),
        (clicks(0, *range(50, 0, -1)), [], []),
        (clicks(0, *range(42, 0, -1)), [], [(0, ago) for ago in range(8, 2, -1)]),
    ],
    ids=[
        "nothing",
        "few-rows-are-all-learned-from",
        "what-is-known-is-not",
        "of-one-user-the-newest-eight",
        "each-user-has-its-own-eight",
        "late-after-seven-newer-ones-is",
        "late-after-eight-newer-ones-is-not",
        "the-fortieth-within-an-hour-is",
        "the-forty-first-within-an-hour-is-not",
        "the-forty-first-after-an-hour-is",
        "the-rush-of-another-user-does-not-count",
        "in-a-rush-the-newest-are-not",
        "before-the-rush-is-full-the-rows-are",
    ],
)
def test_rows_to_learn_from(rows, known, chosen):
    assert chosen_ago(a_timeline(*rows, known=known)) == chosen


@pytest.mark.parametrize(("most", "n"), [(0, 0), (3, 3), (10, 10), (99, 10)])
def test_a_sample_is_even_ordered_and_of_the_seed(most, n):
    rows = np.arange(100, 110)

    first, again, other = (sampled(rows, most, seed) for seed in (1, 1, 2))

    assert len(first) == n and (np.diff(first) > 0).all() and np.isin(first, rows).all()
    assert (first == again).all() and (n != 3 or (first != other).any())
    often = np.bincount(np.concatenate([sampled(rows, 3, seed) - 100 for seed in range(1_000)]), minlength=10)
    assert np.abs(often - 300).max() < 4.5 * np.sqrt(1_000 * 0.3 * 0.7)


def ring_of(timeline: Timeline) -> Timeline:
    """What is left of a timeline for a replay: each user's newest."""
    newer = np.cumsum(np.bincount(timeline.user, minlength=1))[timeline.user] - 1 - np.arange(len(timeline.user))
    kept = newer < RING_SIZE
    return replace(timeline, **{name: array[kept] for name, array in vars(timeline).items()})


@settings(max_examples=examples(150), deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 60), st.sampled_from([1, 20, 90, 700, 3600])),
        min_size=1,
        max_size=4,
    )
)
def test_a_replayed_micro_batch_chooses_the_rows_of_its_first_attempt(users):
    _assert_chosen_again(users, late=lambda _: 0)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20), st.just(90)), min_size=1, max_size=3), st.data())
def test_a_replayed_micro_batch_chooses_the_same_rows_when_some_came_late(users, data):
    _assert_chosen_again(users, late=lambda n_known: data.draw(st.integers(0, n_known)))


def _assert_chosen_again(users, late):
    """Each user: so many rows known, so many new ones, so many seconds from one to the next."""
    known, rows = [], []
    for user, (n_known, n_new, seconds) in enumerate(users):
        ago = list(range((n_known + n_new) * seconds, 0, -seconds))
        begin = n_known - late(n_known)
        known += clicks(user, *ago[:begin], *ago[begin + n_new :])
        rows += clicks(user, *ago[begin : begin + n_new])
    first = a_timeline(*rows, known=known)

    assert chosen_ago(ring_of(first)) == chosen_ago(first)


BOT, BOTS_ITEM = 999, 13


@cache
def half_an_hour(with_bot: bool):
    """Micro-batches of 20 seconds, after one in which everybody clicks on everything. Each of 200 honest users comes every
    1,000 seconds, for one of its own three items; the bot clicks every second, on one item half of the time.
    """
    log = []
    for second in range(2_000, 0, -1):
        if second % 5 == 0:
            user = second // 5 % 200
            log.append((user, second, "click", 1 + 3 * (user % 4) + int(np.random.default_rng(second).integers(3))))
        if with_bot:
            log.append((BOT, second, "click", BOTS_ITEM if second % 2 else 1 + second // 2 % 12))
    everything = [(user, 5_000 - user, "click", 1 + (user + k) % 13) for user in range(300, 313) for k in range(2)]
    return [a_batch(*everything), *micro_batches(log, 24 if with_bot else 4)]


def preferences(model):
    """Of users of each taste: what they think of each item, the honest ones 0 on average; (4, 13)."""
    by_taste = [scores(model, (0, 60, "click", 1 + 3 * taste)) for taste in range(4)]
    table = np.array([[of[f"i{item}"] for item in range(1, 14)] for of in by_taste])
    return table - table[:, :12].mean(axis=1, keepdims=True)


def test_a_bot_is_as_loud_as_forty_interactions_an_hour():
    config = a_config("popularity")

    n_learned = [learned(*half_an_hour(with_bot), config=config).items.n_events.sum() for with_bot in (True, False)]

    assert 0 < n_learned[0] - n_learned[1] <= PER_HOUR


@pytest.mark.parametrize("kind", ["factorization", "mixture", "popularity"])
def test_a_bot_a_thousand_times_as_fast_as_a_user_does_not_drag_the_model(kind):
    quiet = learned(*half_an_hour(with_bot=False), config=a_config(kind))
    capped = learned(*half_an_hour(with_bot=True), config=a_config(kind))
    uncapped = a_config(kind, max_examples_per_user=999, max_examples_per_user_hour=200)
    dragged = learned(*half_an_hour(with_bot=True), config=uncapped)

    before, by_capped, by_uncapped = (preferences(model) for model in (quiet, capped, dragged))
    shift, shift_without_caps = (np.abs(after - before)[:, :12].mean() for after in (by_capped, by_uncapped))
    lift, lift_without_caps = ((after - before)[:, 12].mean() for after in (by_capped, by_uncapped))
    assert shift < 0.25 * np.abs(before[:, :12]).mean() and shift < 0.75 * shift_without_caps
    assert lift < 0.5 * lift_without_caps, "of the bot's own item"
