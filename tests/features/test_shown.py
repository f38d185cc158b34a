"""What was shown is counted once, whatever comes again, until the user touches it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.features.shown import Moments, Shown, decode_shown, encode_shown, fold_shown
from tests.examples import examples

USERS, LIMIT = 2, 4
START_S = 1_570_000_000
SEEN, TOUCHED = "seen", "touched"

an_event = st.tuples(
    st.integers(0, USERS - 1), st.integers(1, 6), st.integers(0, 30), st.sampled_from([SEEN, SEEN, TOUCHED])
)


def moments(events, kind) -> Moments:
    rows = np.array([event[:3] for event in events if event[3] == kind], np.int64).reshape(-1, 3)
    return Moments(rows[:, 0], rows[:, 1].astype(np.uint64), START_S + rows[:, 2])


def fold(shown: Shown, events, limit=LIMIT) -> Shown:
    now, changed = fold_shown(shown, moments(events, SEEN), moments(events, TOUCHED), limit)
    before, after = (encode_shown(of, np.arange(USERS)) for of in (shown, now))
    assert changed.tolist() == [one != other for one, other in zip(before, after, strict=True)]
    return decode_shown(after)


def entries(shown: Shown, user: int = 0) -> list[tuple[int, int, int]]:
    own = shown.owner == user
    columns = (shown.item[own], shown.count[own], shown.last_s[own] - START_S)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def one_by_one(events, user: int, limit=LIMIT) -> list[tuple[int, int, int]]:
    """By the definition, in order of time; an impression comes before a touch of the same second."""
    known: dict[int, tuple[int, int]] = {}
    for _, item, second, kind in sorted(
        {event for event in events if event[0] == user}, key=lambda e: (e[2], e[3] == TOUCHED)
    ):
        count, last = known.get(item, (0, -1))
        if kind == SEEN and second > last:
            known[item] = (min(count + 1, 15), second)
        elif kind == TOUCHED:
            known[item] = (0, second)
    shown_items = {item for who, item, _, kind in events if who == user and kind == SEEN}
    rows = sorted((last, count, item) for item, (count, last) in known.items() if item in shown_items)
    return [(item, count, last) for last, count, item in rows][-limit:]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([(0, 1, 5, SEEN)], [(1, 1, 5)], id="once"),
        pytest.param([(0, 1, 5, SEEN), (0, 1, 5, SEEN)], [(1, 1, 5)], id="a-retry-counts-once"),
        pytest.param([(0, 1, 5, SEEN), (0, 1, 9, SEEN)], [(1, 2, 9)], id="twice"),
        pytest.param([(0, 1, 5, SEEN), (0, 1, 5, TOUCHED)], [(1, 0, 5)], id="a-click-of-that-second-begins-anew"),
        pytest.param([(0, 1, 5, SEEN), (0, 1, 6, TOUCHED), (0, 1, 9, SEEN)], [(1, 1, 9)], id="and-counting-goes-on"),
        pytest.param([(0, 1, 5, TOUCHED)], [], id="what-was-never-shown-is-not-kept"),
        pytest.param([(0, 1, second, SEEN) for second in range(40)], [(1, 15, 39)], id="fifteen-at-most"),
        pytest.param([(0, item, item, SEEN) for item in range(1, 8)], [(n, 1, n) for n in range(4, 8)], id="the-last-shown"),
    ],
)  # fmt: skip
def test_what_is_kept(events, expected):
    assert entries(fold(Shown.none(USERS), events)) == expected


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(an_event, max_size=40))
def test_all_at_once_is_as_one_by_one(events):
    shown = fold(Shown.none(USERS), events)

    assert [entries(shown, user) for user in range(USERS)] == [one_by_one(events, user) for user in range(USERS)]


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.lists(an_event, max_size=12), max_size=5))
def test_a_replayed_batch_changes_nothing(batches):
    shown, at_s = Shown.none(USERS), 0
    for events in batches:
        later = [(user, item, at_s + second, kind) for user, item, second, kind in events]
        at_s += 31
        shown = fold(shown, later)
        again, changed = fold_shown(shown, moments(later, SEEN), moments(later, TOUCHED), LIMIT)
        assert not changed.any() and encode_shown(again, np.arange(USERS)) == encode_shown(shown, np.arange(USERS))


def test_late_impressions_are_lost_and_never_count_twice():
    shown = fold(Shown.none(USERS), [(0, 1, 9, SEEN)])

    assert entries(fold(shown, [(0, 1, 5, SEEN), (0, 1, 9, SEEN)])) == [(1, 1, 9)]


def test_an_interaction_before_the_last_impression_takes_nothing_back():
    shown = fold(Shown.none(USERS), [(0, 1, 5, SEEN), (0, 1, 9, SEEN)])

    assert entries(fold(shown, [(0, 1, 7, TOUCHED)])) == [(1, 2, 9)]


def test_items_are_told_apart_by_the_low_bits_of_their_hash():
    hashes = np.array([0xFEDCBA9876543210, 0x1], np.uint64)
    seen = Moments(np.array([0, 1]), hashes, np.array([START_S, START_S]))

    shown, _ = fold_shown(Shown.none(USERS), seen, moments([], TOUCHED), LIMIT)

    assert shown.item.tolist() == [0x6543210, 1] and shown.length.tolist() == [1, 1]
