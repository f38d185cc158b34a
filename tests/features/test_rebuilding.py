"""A rebuilt profile is the one that a stream without a break would have made."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.features.fold import Interactions, fold
from pipelines.features.online import OnlineSums
from pipelines.features.profile import Profiles, entry_keys
from pipelines.features.profile_bytes import decode, encode
from pipelines.features.rebuilding import FiledInteractions, decode_readable, is_same, knows_more, rebuilt
from pipelines.sections import ProfileConfig
from tests.examples import examples

START_S, SOURCE, TAG = 1_570_000_000, (3 << 32) | 77, 77
USERS = 2
CONFIG = ProfileConfig(ring_size=4, dedupe_hours=1, dedupe_keys=1000)
WEIGHTS = np.zeros((128, 2))
WEIGHTS[1:6] = [[1, 0], [1, 0], [3, 0], [-2, 0], [5, 1]]
ONLINE = OnlineSums(1, ("interest", "purchases"), WEIGHTS, np.array([3600.0, 86400.0]))
# (user, second, event id, code): an event's offset is its place in the list
an_event = st.tuples(st.integers(0, USERS - 1), st.integers(0, 3_000), st.integers(0, 10**6), st.integers(1, 5))


def columns(events, offsets):
    user, second, event_id, code = (np.array(column, np.int64) for column in zip(*events, strict=True))
    key = entry_keys(START_S + second, event_id.astype(np.uint64), code)
    return user, key, (event_id % 7 + 1).astype(np.uint64), np.array(offsets, np.int64)


def streamed(events, first=0, cuts=3) -> Profiles:
    """What the hot path makes of the events from offset `first` on."""
    profiles = decode([None] * USERS)
    places = list(range(first, len(events)))
    size = max(1, -(-len(places) // cuts))
    for begin in range(0, len(places), size):
        offsets = places[begin : begin + size]
        user, key, item, offset = columns([events[n] for n in offsets], offsets)
        folded = fold(profiles, Interactions(user, key, item, offset, SOURCE), CONFIG, ONLINE)
        profiles = decode(encode(folded.profiles, np.arange(USERS)))
    return profiles


def filed(events, up_to) -> FiledInteractions:
    """What `events` holds: all up to offset `up_to`."""
    if not up_to:
        return FiledInteractions.none()
    user, key, item, offset = columns(events[:up_to], range(up_to))
    no = np.zeros(up_to, np.bool_)
    return FiledInteractions(user, key, item, np.full(up_to, SOURCE, np.uint64), offset, no, no)


def assert_same(made: Profiles, expected: Profiles) -> None:
    for name in ("n_interactions", "as_of_s", "key", "item", "tail", "length", "marks"):
        np.testing.assert_array_equal(getattr(made, name), getattr(expected, name), name)
    scale = 5.0 * max(1, int(expected.n_interactions.max()))
    np.testing.assert_allclose(made.sums, expected.sums, rtol=1e-9, atol=1e-9 * scale)


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(an_event, min_size=1, max_size=40, unique_by=lambda e: e[1:]), st.data())
def test_a_flush_at_any_point_is_healed_by_what_is_filed_and_what_came_since(events, data):
    flushed_at = data.draw(st.integers(0, len(events)))
    filed_up_to = data.draw(st.integers(flushed_at, len(events)))

    made = rebuilt(filed(events, filed_up_to), streamed(events, first=flushed_at), CONFIG, ONLINE)

    assert_same(made, streamed(events, cuts=1))


EVENTS = [(0, 10, 1, 1), (0, 20, 2, 5), (1, 15, 3, 1), (0, 30, 4, 3), (0, 40, 5, 1), (0, 50, 6, 1)]


def test_a_profile_that_is_right_is_known_to_be():
    live = streamed(EVENTS)

    assert is_same(rebuilt(filed(EVENTS, len(EVENTS)), live, CONFIG, ONLINE), live).tolist() == [True, True]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"sums": np.array([[1.0, 1.0], [1.0, 0.0]])}, id="a-sum"),
        pytest.param({"n_interactions": np.array([6, 1])}, id="a-count"),
        pytest.param({"key": np.array([1, 2, 3, 4, 5], np.uint64)}, id="the-ring"),
        pytest.param({"item": np.array([1, 1, 1, 1, 1], np.uint64)}, id="an-item"),
        pytest.param({"features_version": np.array([9, 9])}, id="the-version"),
    ],
)
def test_a_profile_that_is_wrong_is_known_to_be(change):
    live = replace(streamed(EVENTS), **change)

    assert not is_same(rebuilt(filed(EVENTS, len(EVENTS)), live, CONFIG, ONLINE), live)[0]


def test_a_rebuilt_profile_is_a_generation_on_and_learns_of_nothing_again():
    live = replace(streamed(EVENTS), generation=np.array([4, 0]))

    made = rebuilt(filed(EVENTS, 3), live, CONFIG, ONLINE)

    assert made.generation.tolist() == [5, 1] and not made.fresh.any()


def test_a_live_profile_of_other_definitions_gives_its_interactions_not_its_sums():
    other = OnlineSums(7, ("x",), np.ones((128, 1)), np.array([60.0]))
    user, key, item, offset = columns(EVENTS, range(len(EVENTS)))
    live = fold(decode([None] * USERS), Interactions(user, key, item, offset, SOURCE), CONFIG, other).profiles

    made = rebuilt(filed(EVENTS, 2), live, CONFIG, ONLINE)

    assert_same(made, streamed(EVENTS))
    assert made.features_version.tolist() == [1, 1]


def test_the_mark_of_a_second_partition_is_kept_and_one_of_another_topic_is_not_made():
    some = filed(EVENTS, len(EVENTS))
    source = np.where(np.arange(6) == 1, (4 << 32) | TAG, some.source).astype(np.uint64)
    source[5] = 0  # of a topic that is not read any more

    marks = rebuilt(replace(some, source=source), decode([None] * USERS), CONFIG, ONLINE).marks

    assert sorted(marks[0].tolist()) == [[SOURCE, 5], [(4 << 32) | TAG, 2]]


def test_a_value_of_another_format_counts_as_absent():
    good = encode(streamed(EVENTS), np.arange(USERS))

    assert decode_readable([b"\x01" + bytes(15), good[0]]).is_known.tolist() == [False, True]


def test_a_name_that_is_filed_is_told_to_the_profile():
    live, told = streamed(EVENTS), filed(EVENTS, len(EVENTS))
    made = rebuilt(replace(told, is_named=told.user == 1), live, CONFIG, ONLINE)

    assert made.is_named.tolist() == [False, True] and is_same(made, live).tolist() == [True, False]


def test_a_user_whose_live_profile_has_more_of_visitors_than_is_filed_is_left_alone():
    whole, alone = streamed(EVENTS), streamed(EVENTS[:4])
    with_visitor = replace(whole, is_joined=np.array([True, False]))

    assert knows_more(with_visitor, alone).tolist() == [True, False]
    assert not knows_more(alone, with_visitor).any() and not knows_more(whole, alone).any()
    assert not knows_more(with_visitor, replace(alone, features_version=np.array([9, 9]))).any()
