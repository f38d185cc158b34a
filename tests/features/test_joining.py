"""A visitor who becomes a user: whatever the order, the profile is that of one user who had done everything."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import FeaturesVersionError
from pipelines.features.fold import known_sums
from pipelines.features.joining import handed_over as hand_over
from pipelines.features.joining import identify_key, joined, linked, named
from pipelines.features.profile import Link, Profiles
from pipelines.features.profile_bytes import decode, encode
from tests.examples import examples
from tests.features.test_fold import (
    CONFIG,
    ENDLESS,
    OTHER_SOURCE,
    SOURCE,
    SUMS,
    USERS,
    an_event,
    fold,
    fold_all,
    interactions,
    nobody,
    ring,
    stored,
    tail,
    the_sums,
)

STEPS = ("user", "visitor", "identify")
some_events = st.lists(an_event, min_size=1, max_size=25)


def handed_over(*given) -> Profiles:
    return hand_over(*given)[0]


class Pair:
    """Users and their visitors, of the same indices, as the hot path treats them."""

    def __init__(self, config) -> None:
        self.users, self.visitors, self.config = nobody(), nobody(), config
        self.offset, self.is_linked = {SOURCE: 0, OTHER_SOURCE: 0}, False

    def user(self, events) -> None:
        self.users = stored(fold(self.users, self._batch(events, SOURCE), self.config).profiles)

    def visitor(self, events) -> None:
        batch = self._batch(events, OTHER_SOURCE)
        folded = fold(self.visitors, batch, self.config)
        self.visitors = stored(folded.profiles)
        if self.is_linked:
            at = folded.added
            new = replace(batch, user=batch.user[at], key=batch.key[at], item=batch.item[at], offset=batch.offset[at])
            self.users = stored(handed_over(self.users, new, self.config, SUMS))

    def identify(self, _events=None) -> None:
        if not self.is_linked:
            self.users, self.is_linked = stored(joined(self.users, self.visitors, self.config, SUMS)), True

    def _batch(self, events, source):
        first = self.offset[source]
        self.offset[source] += len(events)
        return interactions(events, first, source)


def played(steps, config) -> Profiles:
    pair = Pair(config)
    for step, events in steps:
        getattr(pair, step)(events)
    pair.identify()
    return pair.users


steps_of_both = st.lists(st.tuples(st.sampled_from(STEPS), some_events), min_size=1, max_size=8)


@settings(max_examples=examples(100), deadline=None)
@given(steps_of_both)
def test_the_ring_is_that_of_one_user_whenever_the_login_comes(steps):
    together = fold_all([events for step, events in steps if step != "identify"])
    users = played(steps, CONFIG)

    for user in range(USERS):
        assert ring(users, user) == ring(together, user)
        assert tail(users, user) == tail(together, user)
    assert users.horizon.tolist() == together.horizon.tolist()
    assert users.as_of_s.tolist() == together.as_of_s.tolist()


@settings(max_examples=examples(100), deadline=None)
@given(steps_of_both)
def test_within_the_tail_every_event_of_either_counts_once(steps):
    together = fold_all([events for step, events in steps if step != "identify"], ENDLESS)
    users = played(steps, ENDLESS)

    assert users.n_interactions.tolist() == together.n_interactions.tolist()
    np.testing.assert_allclose(users.sums, known_sums(together, SUMS), rtol=1e-9, atol=1e-9)


def a_profile(events, source=SOURCE, first_offset=0) -> Profiles:
    return stored(fold(nobody(), interactions(events, first_offset, source)).profiles)


def test_marks_stay_the_users_whatever_partition_the_visitor_was_in():
    users = a_profile([(0, 1, 1, 1)], first_offset=7)
    for source in (SOURCE, OTHER_SOURCE):
        visitors = a_profile([(0, 2, 2, 2)], source, first_offset=99)

        assert joined(users, visitors, CONFIG, SUMS).marks.tolist() == users.marks.tolist()
    batch = interactions([(0, 3, 3, 3)], 99, SOURCE)
    assert handed_over(users, batch, CONFIG, SUMS).marks.tolist() == users.marks.tolist()


def test_what_the_visitor_brings_is_history_and_what_the_user_just_did_stays_fresh():
    users, visitors = a_profile([(0, 1, 1, 1)]), a_profile([(0, 2, 2, 2)])

    for now in (joined(users, visitors, CONFIG, SUMS), handed_over(users, interactions([(0, 2, 2, 2)]), CONFIG, SUMS)):
        assert now.item[now.owner == 0].tolist() == [1, 2] and now.fresh[now.owner == 0].tolist() == [True, False]


def test_a_join_is_a_later_generation_of_a_user_with_a_name():
    users = linked(a_profile([(0, 1, 1, 1)]), {0: Link("u9", 1)})

    for now in (joined(users, nobody(), CONFIG, SUMS), handed_over(users, interactions([(0, 2, 2, 2)]), CONFIG, SUMS)):
        assert now.generation.tolist() == [2, 1, 1]
        assert now.is_named.all() and now.is_joined.all() and not now.links


def test_a_name_ends_a_link():
    visitors = linked(a_profile([(0, 1, 1, 1), (1, 1, 1, 1)]), {0: Link("u9", 1), 1: Link("u9", 1)})

    now = named(visitors, np.array([True, False, False]))

    assert now.is_named.tolist() == [True, False, False] and list(now.links) == [1]


@pytest.mark.parametrize("name", ["u", "u1234567", "u12345678", "Ünï", "x" * 128])
def test_a_link_reads_back_as_it_was_written(name):
    links = {0: Link(name, identify_key(1_570_000_000, -3)), 2: Link(name * 2, 5)}
    visitors = linked(a_profile([(0, 1, 1, 1), (1, 1, 1, 1)]), links)

    again = decode([None, *encode(named(visitors, np.array([False, True, False])), np.array([2, 1, 0]))])

    assert again.links == {1: links[2], 3: links[0]}
    assert again.is_named.tolist() == [False, False, True, False] and not again.is_joined.any()
    assert again.item.tolist() == [1, 1] and again.generation.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("is_visitor", [False, True])
def test_sums_of_another_meaning_are_never_joined(is_visitor):
    other = fold(nobody(), interactions([(0, 1, 1, 5)]), online=the_sums(version=5)).profiles
    pair = (nobody(), other) if is_visitor else (other, nobody())

    with pytest.raises(FeaturesVersionError, match="liveshelf rebuild_profiles"):
        joined(*pair, CONFIG, SUMS)
