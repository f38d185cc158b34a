"""Folding is exactly once: for any order, repetition, cut into batches, and interruption."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import ProfileFormatError
from pipelines.features.fold import Fold, Interactions, fold
from pipelines.features.profile import Profiles, decode, encode, entry_keys, key_code, key_time_s

SOURCE, OTHER_SOURCE = (3 << 32) | 77, (4 << 32) | 77
RING = 5
USERS = 3

# (user, second, event id, item)
an_event = st.tuples(st.integers(0, USERS - 1), st.integers(0, 40), st.integers(0, 30)).map(
    lambda e: (*e, e[2] % 7 + 1)
)


def interactions(events, first_offset=0, source=SOURCE) -> Interactions:
    user, second, event_id, item = (np.array(column, np.int64) for column in zip(*events, strict=True))
    return Interactions(
        user=user,
        key=entry_keys(1_570_000_000 + second, event_id.astype(np.uint64), np.ones(len(user), np.int64)),
        item=item.astype(np.uint64),
        offset=first_offset + np.arange(len(user)),
        source=source,
    )


def nobody() -> Profiles:
    return decode([None] * USERS)


def stored(profiles: Profiles) -> Profiles:
    """As the next micro-batch reads them."""
    return decode(encode(profiles, np.arange(USERS)))


def fold_all(batches) -> Profiles:
    profiles, offset = nobody(), 0
    for events in batches:
        profiles = stored(fold(profiles, interactions(events, offset), RING).profiles)
        offset += len(events)
    return profiles


def ring(profiles: Profiles, user: int) -> list[tuple[int, int]]:
    own = profiles.owner == user
    return list(zip(profiles.key[own].tolist(), profiles.item[own].tolist(), strict=True))


def oracle_ring(events, user: int) -> list[tuple[int, int]]:
    every = interactions(events)
    own = every.user == user
    return sorted(set(zip(every.key[own].tolist(), every.item[own].tolist(), strict=True)))[-RING:]


@settings(max_examples=200, deadline=None)
@given(st.lists(an_event, min_size=1, max_size=60), st.randoms(use_true_random=False), st.integers(1, 7))
def test_the_ring_is_the_newest_distinct_events_however_they_arrive(events, chance, n_batches):
    arriving = events + chance.sample(events, len(events) // 2)
    chance.shuffle(arriving)
    size = -(-len(arriving) // n_batches)

    profiles = fold_all([arriving[i : i + size] for i in range(0, len(arriving), size)])

    assert [ring(profiles, user) for user in range(USERS)] == [oracle_ring(events, user) for user in range(USERS)]


@settings(max_examples=100, deadline=None)
@given(st.lists(an_event, min_size=1, max_size=40), st.integers(1, 39))
def test_how_the_stream_is_cut_changes_no_profile_in_time_order(events, cut):
    events.sort(key=lambda event: event[1])

    whole = fold_all([events])
    parts = fold_all([part for part in (events[:cut], events[cut:]) if part])

    for name in ("n_interactions", "horizon", "marks", "length", "key", "item"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name), name)


@settings(max_examples=100, deadline=None)
@given(st.lists(an_event, min_size=1, max_size=20), st.lists(an_event, min_size=1, max_size=RING))
def test_a_replayed_batch_changes_nothing_but_is_learned_from_again(before, batch):
    profiles = fold_all([before])
    first = fold(profiles, interactions(batch, len(before)), RING)
    after = _written(profiles, first)

    again = fold(after, interactions(batch, len(before)), RING)

    assert again.n_new == 0 and not again.changed.any()
    assert _learned(again) <= _learned(first)
    still_in_the_ring = {entry for entry in _learned(first) if entry[1:] in ring(after, entry[0])}
    assert _learned(again) == still_in_the_ring


def _written(before: Profiles, folded: Fold) -> Profiles:
    """What Redis holds when only the changed users were written."""
    values = encode(before, np.arange(USERS))
    changed = np.flatnonzero(folded.changed)
    for user, value in zip(changed.tolist(), encode(folded.profiles, changed), strict=True):
        values[user] = value
    return decode(values)


def _learned(folded: Fold) -> set[tuple[int, int, int]]:
    timeline = folded.timeline
    return {
        (int(u), int(k), int(i))
        for u, k, i, learn in zip(timeline.user, timeline.key, timeline.item, timeline.learn, strict=True)
        if learn
    }


def test_a_retry_under_a_new_offset_counts_once():
    profiles = fold_all([[(0, 1, 1, 5)], [(0, 1, 1, 5), (0, 2, 2, 6)]])

    assert profiles.n_interactions[0] == 2


def test_the_counts_add_up_to_the_batch():
    profiles = fold_all([[(0, second, second, 1) for second in range(10, 10 + RING + 1)]])
    batch = interactions([(0, 30, 99, 1), (0, 30, 99, 1), (0, 14, 14, 1), (0, 1, 50, 1)], RING + 1)

    folded = fold(profiles, batch, RING)

    assert (folded.n_new, folded.n_repeated, folded.n_replayed, folded.n_forgotten) == (1, 2, 0, 1)


def test_a_topic_made_anew_is_not_skipped_though_its_offsets_start_again():
    profiles = fold_all([[(0, 1, 1, 5), (0, 2, 2, 6)]])

    folded = fold(profiles, interactions([(0, 3, 3, 7)], first_offset=0, source=OTHER_SOURCE), RING)

    assert folded.n_new == 1 and folded.n_replayed == 0


def test_a_user_who_moved_to_another_partition_keeps_the_mark_of_the_first():
    profiles = fold_all([[(0, 1, 1, 5), (0, 2, 2, 6)]])
    moved = stored(fold(profiles, interactions([(0, 3, 3, 7)], 0, OTHER_SOURCE), RING).profiles)

    folded = fold(moved, interactions([(0, 1, 1, 5), (0, 2, 2, 6)], 0, SOURCE), RING)

    assert moved.marks[0].tolist() == [[OTHER_SOURCE, 1], [SOURCE, 2]]
    assert folded.n_replayed == 2


def test_an_entry_reads_back_what_was_packed():
    key = entry_keys(np.array([1_570_000_123]), np.array([0xABCDEF12], np.uint64), np.array([5]))

    assert (key_time_s(key)[0], key_code(key)[0]) == (1_570_000_123, 5)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        pytest.param(b"x" * 15, "16-byte", id="not-made-of-records"),
        pytest.param(b"\x09" + bytes(15), "format 9", id="another-version"),
        pytest.param(b"\x01\x00\x02" + bytes(13), "cut", id="cut-short"),
    ],
)
def test_foreign_bytes_are_refused_by_name(value, says):
    with pytest.raises(ProfileFormatError, match=says):
        decode([None, value])
