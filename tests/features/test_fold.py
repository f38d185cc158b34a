"""Folding is exactly once: for any order, repetition, cut into batches, and interruption."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import FeaturesVersionError, ProfileFormatError
from pipelines.features.fold import Fold, Interactions
from pipelines.features.fold import fold as fold_into
from pipelines.features.online import OnlineSums
from pipelines.features.profile import Profiles, entry_keys, key_code, key_time_s
from pipelines.features.profile_bytes import decode, encode
from pipelines.sections import ProfileConfig
from tests.examples import examples

SOURCE, OTHER_SOURCE = (3 << 32) | 77, (4 << 32) | 77
RING, TAIL, TAIL_SECONDS = 5, 6, 20
USERS = 3
START_S = 1_570_000_000
CONFIG = ProfileConfig(ring_size=RING, dedupe_keys=TAIL, dedupe_hours=TAIL_SECONDS / 3600)
ENDLESS = ProfileConfig(ring_size=RING, dedupe_keys=1000)
WEIGHTS, HALF_LIVES_S = {1: (1.0, 2.0), 2: (-3.0, 0.5)}, (10.0, 86_400.0)

# (user, second, event id, item)
an_event = st.tuples(st.integers(0, USERS - 1), st.integers(0, 40), st.integers(0, 30)).map(
    lambda e: (*e, e[2] % 7 + 1)
)


def the_sums(version: int = 4) -> OnlineSums:
    weights = np.zeros((128, 2))
    for code, of_code in WEIGHTS.items():
        weights[code] = of_code
    return OnlineSums(version, ("short", "long"), weights, np.array(HALF_LIVES_S))


SUMS = the_sums()


def fold(profiles: Profiles, batch: Interactions, config=CONFIG, online=SUMS) -> Fold:
    return fold_into(profiles, batch, config, online)


def interactions(events, first_offset=0, source=SOURCE) -> Interactions:
    user, second, event_id, item = (np.array(column, np.int64) for column in zip(*events, strict=True))
    return Interactions(
        user=user,
        key=entry_keys(START_S + second, event_id.astype(np.uint64), event_id % 2 + 1),
        item=item.astype(np.uint64),
        offset=first_offset + np.arange(len(user)),
        source=source,
    )


def nobody() -> Profiles:
    return decode([None] * USERS)


def stored(profiles: Profiles) -> Profiles:
    """As the next micro-batch reads them."""
    return decode(encode(profiles, np.arange(USERS)))


def fold_all(batches, config=CONFIG) -> Profiles:
    profiles, offset = nobody(), 0
    for events in batches:
        profiles = stored(fold(profiles, interactions(events, offset), config).profiles)
        offset += len(events)
    return profiles


def ring(profiles: Profiles, user: int) -> list[tuple[int, int]]:
    own = profiles.owner == user
    return list(zip(profiles.key[own].tolist(), profiles.item[own].tolist(), strict=True))


def tail(profiles: Profiles, user: int) -> list[int]:
    return profiles.tail[profiles.tail_owner == user].tolist()


def distinct(events, user: int) -> list[tuple[int, int]]:
    """(key, item) of a user's events, each once, oldest first."""
    every = interactions(events)
    own = every.user == user
    return sorted(set(zip(every.key[own].tolist(), every.item[own].tolist(), strict=True)))


def oracle_sums(events, user: int) -> tuple[list[float], list[float]]:
    """The sums as of the newest event, and those of their absolute weights."""
    keys = [key for key, _ in distinct(events, user)]
    newest = max((key >> 32 for key in keys), default=0)
    parts = [
        [WEIGHTS[key & 0x7F][k] * 2 ** (-(newest - (key >> 32)) / half_life) for key in keys]
        for k, half_life in enumerate(HALF_LIVES_S)
    ]
    return [sum(of) for of in parts], [sum(map(abs, of)) for of in parts]


def shuffled_and_cut(events, chance, n_batches: int) -> list[list]:
    """The events in any order, half of them twice, in `n_batches` pieces."""
    arriving = events + chance.sample(events, len(events) // 2)
    chance.shuffle(arriving)
    size = -(-len(arriving) // n_batches)
    return [arriving[i : i + size] for i in range(0, len(arriving), size)]


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(an_event, min_size=1, max_size=60), st.randoms(use_true_random=False), st.integers(1, 7))
def test_ring_and_tail_are_the_newest_distinct_events_however_they_arrive(events, chance, n_batches):
    profiles = fold_all(shuffled_and_cut(events, chance, n_batches))

    for user in range(USERS):
        seen = distinct(events, user)
        older = [key for key, _ in seen[:-RING]]
        kept = [key for key in older[-TAIL:] if (key >> 32) + TAIL_SECONDS >= seen[-1][0] >> 32]
        assert ring(profiles, user) == seen[-RING:]
        assert tail(profiles, user) == kept
        assert profiles.horizon[user] == max(set(older) - set(kept), default=0)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(an_event, min_size=1, max_size=60), st.randoms(use_true_random=False), st.integers(1, 7))
def test_within_the_tail_every_event_counts_once_however_it_arrives(events, chance, n_batches):
    profiles = fold_all(shuffled_and_cut(events, chance, n_batches), ENDLESS)

    for user in range(USERS):
        seen = distinct(events, user)
        sums, absolute = oracle_sums(events, user)
        assert profiles.n_interactions[user] == len(seen)
        assert profiles.as_of_s[user] == (seen[-1][0] >> 32 if seen else 0)
        assert (np.abs(profiles.sums[user] - sums) <= 1e-9 * np.array(absolute)).all()


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(an_event, min_size=1, max_size=60), st.randoms(use_true_random=False), st.integers(1, 7))
def test_beyond_the_tail_none_counts_twice(events, chance, n_batches):
    profiles = fold_all(shuffled_and_cut(events, chance, n_batches))

    for user in range(USERS):
        seen = distinct(events, user)
        assert min(len(seen), RING) <= profiles.n_interactions[user] <= len(seen)


def test_a_burst_of_one_second_counts_once_though_it_comes_twice_in_pieces():
    invoice = [(0, 7, line, 1) for line in range(300)]
    pieces = [invoice[i : i + 37] for i in range(0, 300, 37)]

    profiles = fold_all([*pieces, *pieces], ENDLESS)

    assert profiles.n_interactions[0] == 300
    np.testing.assert_allclose(profiles.sums[0], [150 * (1 - 3), 150 * (2 + 0.5)], rtol=1e-12)


def test_a_learner_is_shown_no_key_that_has_lost_its_item():
    before = fold_all([[(0, 7, line, 1) for line in range(RING + 4)]])

    folded = fold(before, interactions([(0, 8, 99, 2)], 100))

    assert before.tail_length[0] == 4
    assert folded.timeline.item.tolist() == [1] * RING + [2]


def test_ages_beyond_all_half_lives_are_nothing_and_no_error():
    profiles = nobody()
    newest = 40 * 365 * 86_400
    for offset, second in enumerate([0, newest, 1]):  # the last one decades late
        batch = interactions([(0, second, 0, 1)], offset)
        profiles = stored(fold(profiles, batch, ENDLESS.model_copy(update={"dedupe_hours": 1e6})).profiles)

    assert profiles.n_interactions[0] == 3 and profiles.sums[0].tolist() == list(WEIGHTS[1])


def test_a_ring_that_grew_keeps_the_keys_whose_items_are_gone():
    before = fold_all([[(0, second, second, 1) for second in range(RING + 3)]])
    wider = CONFIG.model_copy(update={"ring_size": RING + 2})

    profiles = stored(fold(before, interactions([(0, 22, 30, 1), (0, 1, 1, 1)], 100), wider).profiles)

    assert profiles.n_interactions[0] == RING + 4
    assert (profiles.length[0], profiles.tail_length[0]) == (RING + 1, 1)  # the tail's other two became too old


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(the_sums(version=5), id="another-version"),
        pytest.param(OnlineSums.none(version=4), id="the-same-version-with-other-sums"),
    ],
)
def test_sums_of_another_meaning_are_never_folded(other):
    before = fold_all([[(0, 1, 1, 5)]])

    with pytest.raises(FeaturesVersionError, match="liveshelf rebuild_profiles"):
        fold(before, interactions([(1, 2, 2, 6), (0, 2, 2, 6)]), online=other)


def test_online_sums_are_the_same_by_value():
    assert the_sums() == SUMS and hash(the_sums()) == hash(SUMS)
    assert the_sums(version=5) != SUMS


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(an_event, min_size=1, max_size=40), st.integers(1, 39))
def test_how_the_stream_is_cut_changes_no_profile_in_time_order(events, cut):
    events.sort(key=lambda event: event[1])

    whole = fold_all([events])
    parts = fold_all([part for part in (events[:cut], events[cut:]) if part])

    for name in ("n_interactions", "horizon", "as_of_s", "marks", "tail_length", "tail", "length", "key", "item"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name), name)
    np.testing.assert_allclose(whole.sums, parts.sums, rtol=1e-12, atol=1e-12)


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(an_event, min_size=1, max_size=20), st.lists(an_event, min_size=1, max_size=RING))
def test_a_replayed_batch_changes_nothing_but_is_learned_from_again(before, batch):
    profiles = fold_all([before])
    first = fold(profiles, interactions(batch, len(before)))
    after = _written(profiles, first)

    again = fold(after, interactions(batch, len(before)))

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
    n_kept = RING + TAIL
    profiles = fold_all([[(0, second, second, 1) for second in range(10, 10 + n_kept + 1)]])
    batch = interactions([(0, 30, 99, 1), (0, 30, 99, 1), (0, 12, 12, 1), (0, 1, 50, 1)], n_kept + 1)

    folded = fold(profiles, batch)

    assert (folded.n_new, folded.n_repeated, folded.n_replayed, folded.n_forgotten) == (1, 2, 0, 1)


def test_a_topic_made_anew_is_not_skipped_though_its_offsets_start_again():
    profiles = fold_all([[(0, 1, 1, 5), (0, 2, 2, 6)]])

    folded = fold(profiles, interactions([(0, 3, 3, 7)], first_offset=0, source=OTHER_SOURCE))

    assert folded.n_new == 1 and folded.n_replayed == 0


def test_a_user_who_moved_to_another_partition_keeps_the_mark_of_the_first():
    profiles = fold_all([[(0, 1, 1, 5), (0, 2, 2, 6)]])
    moved = stored(fold(profiles, interactions([(0, 3, 3, 7)], 0, OTHER_SOURCE)).profiles)

    folded = fold(moved, interactions([(0, 1, 1, 5), (0, 2, 2, 6)], 0, SOURCE))

    assert moved.marks[0].tolist() == [[OTHER_SOURCE, 1], [SOURCE, 2]]
    assert folded.n_replayed == 2


def test_an_entry_reads_back_what_was_packed():
    key = entry_keys(np.array([1_570_000_123]), np.array([0xABCDEF12], np.uint64), np.array([5]))

    assert (key_time_s(key)[0], key_code(key)[0]) == (1_570_000_123, 5)


def test_profiles_of_every_size_read_back_as_they_were_written():
    profiles = fold_all([[(0, second, second, 1) for second in range(RING + 3)], [(2, 5, 5, 5)]])

    again = decode([None, *encode(profiles, np.array([2, 0]))])

    assert again.length.tolist() == [0, 1, RING] and again.tail_length.tolist() == [0, 0, 3]
    np.testing.assert_array_equal(again.sums[1:], profiles.sums[[2, 0]])
    assert (ring(again, 2), tail(again, 2)) == (ring(profiles, 0), tail(profiles, 0))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        pytest.param(b"x" * 15, "16-byte", id="not-made-of-records"),
        pytest.param(b"\x09" + bytes(15), "format 9", id="another-version"),
        pytest.param(b"\x02\x01\x01" + bytes(45), "format 2.*liveshelf rebuild_profiles", id="an-earlier-format"),
        pytest.param(b"\x03" + bytes(15), "cut", id="cut-in-the-header"),
        pytest.param(b"\x03\x00\x02" + bytes(29), "cut", id="cut-short"),
    ],
)
def test_foreign_bytes_are_refused_by_name(value, says):
    with pytest.raises(ProfileFormatError, match=says):
        decode([None, value])
