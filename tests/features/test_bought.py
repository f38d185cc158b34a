"""What was bought is known for longer than the ring is: the newest purchase of each item, whatever the order of events."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.features.fold import Interactions, fold
from pipelines.features.joining import handed_over, joined
from pipelines.features.online import OnlineSums
from pipelines.features.profile import Profiles, entry_keys
from pipelines.features.profile_bytes import decode, encode
from pipelines.features.rebuilding import FiledInteractions, rebuilt
from pipelines.sections import ProfileConfig
from tests.examples import examples

VIEW, PURCHASE = 1, 5
KEPT, RING = 3, 4
CONFIG = ProfileConfig(ring_size=RING, kept_purchases=KEPT)
SUMS = OnlineSums.none()
USERS = 2

# (user, second, event id, item, code)
an_event = st.tuples(
    st.integers(0, USERS - 1),
    st.integers(0, 60),
    st.integers(0, 40),
    st.integers(1, 6),
    st.sampled_from([VIEW, PURCHASE]),
)


def interactions(events, first_offset=0, source=7) -> Interactions:
    user, second, event_id, item, code = np.array(events, np.int64).reshape(-1, 5).T
    key = entry_keys(1_570_000_000 + second, event_id.astype(np.uint64), code)
    return Interactions(user, key, item.astype(np.uint64), first_offset + np.arange(len(user)), source)


def stored(profiles: Profiles) -> Profiles:
    return decode(encode(profiles, np.arange(USERS)))


def folded(batches, before: Profiles | None = None, config=CONFIG) -> Profiles:
    profiles, offset = before or decode([None] * USERS), 0
    for events in batches:
        profiles = stored(fold(profiles, interactions(events, offset), config, SUMS).profiles)
        offset += len(events)
    return profiles


def bought(profiles: Profiles, user: int) -> list[tuple[int, int]]:
    own = profiles.bought_owner == user
    return list(zip(profiles.bought_key[own].tolist(), profiles.bought_item[own].tolist(), strict=True))


def expected(events, user: int, kept: int = KEPT) -> list[tuple[int, int]]:
    """By the definition: below the ring, the newest of each item, the newest `kept` of these."""
    batch = interactions(events)
    own = batch.user == user
    every = sorted(set(zip(batch.key[own].tolist(), batch.item[own].tolist(), strict=True)))
    newest = {item: key for key, item in every[:-RING] if key & 0x7F == PURCHASE}
    return sorted((key, item) for item, key in newest.items())[-kept:] if kept else []


def distinct(events):
    """A key stands for one event, and so for one item."""
    return list({(user, second, event_id, code): (user, second, event_id, item, code) for user, second, event_id, item, code
                 in events}.values())  # fmt: skip


def filed(events) -> FiledInteractions:
    batch, n = interactions(events), len(events)
    return FiledInteractions(
        batch.user, batch.key, batch.item, np.full(n, 7, np.uint64), batch.offset, np.ones(n, np.bool_), np.zeros(n, np.bool_),
    )  # fmt: skip


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(an_event, min_size=1, max_size=50), st.randoms(use_true_random=False), st.integers(1, 6))
def test_it_is_the_newest_of_each_item_however_events_arrive(events, chance, n_batches):
    events = distinct(events)
    arriving = events + chance.sample(events, len(events) // 2)
    chance.shuffle(arriving)
    size = -(-len(arriving) // n_batches)

    profiles = folded([arriving[i : i + size] for i in range(0, len(arriving), size)])

    assert [bought(profiles, user) for user in range(USERS)] == [expected(events, user) for user in range(USERS)]


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(an_event, min_size=1, max_size=50), st.integers(0, 50), st.integers(0, 50))
def test_a_login_and_a_rebuild_know_the_same(events, at, login_at):
    events = distinct(events)
    visitors, users = events[:at], events[at:]
    early, late = visitors[:login_at], visitors[login_at:]

    whole = joined(folded([users]), folded([early]), CONFIG, SUMS)
    if late:
        whole, _ = handed_over(whole, interactions(late), CONFIG, SUMS)
    made = rebuilt(filed(events), decode([None] * USERS), CONFIG, SUMS)

    for profiles in (whole, made):
        assert [bought(profiles, user) for user in range(USERS)] == [expected(events, user) for user in range(USERS)]


def test_what_events_has_no_more_is_still_known_after_a_rebuild():
    live = folded([[(0, second, second, second % 3 + 1, PURCHASE) for second in range(8)]])

    assert bought(rebuilt(filed([]), live, CONFIG, SUMS), 0) == bought(live, 0) != []


def test_none_is_kept_where_none_is_to_be():
    profiles = folded(
        [[(0, second, second, second, PURCHASE) for second in range(1, 9)]],
        config=CONFIG.model_copy(update={"kept_purchases": 0}),
    )

    assert bought(profiles, 0) == []


def test_a_profile_of_the_format_before_is_read_and_has_bought_nothing_yet():
    (value,) = encode(folded([[(0, second, second, second, VIEW) for second in range(1, 9)]]), np.array([0]))
    before = decode([bytes([3]) + value[1:23] + bytes([value[23] & 3]) + value[24:]])

    assert before.key.tolist() == decode([value]).key.tolist() and len(before.bought_key) == 0
    assert before.progress.tolist() == [0] and decode([value]).progress.tolist() == [3]
