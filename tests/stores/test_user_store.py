"""Profiles and lists in a real server: what is written, refused, replayed."""

from dataclasses import replace

import numpy as np
import pytest
from redis import Redis

from pipelines.errors import FeaturesVersionError
from pipelines.features.profile_bytes import decode, encode
from pipelines.stores.connection import connect
from pipelines.stores.features_version import FeaturesVersionStore
from pipelines.stores.keys import list_key, profile_key
from pipelines.stores.users import Refusals, UserState, UserStore

SOURCE, OTHER_SOURCE = (1 << 32) | 9, (2 << 32) | 9


WRITTEN = Refusals(0, [])


def a_profile(reached: int, source: int = SOURCE, generation: int = 0) -> bytes:
    nobody = decode([None])
    nobody.marks[0, 0] = (source, reached)
    return encode(replace(nobody, generation=np.array([generation])), np.array([0]))[0]


def without_a_mark(reached: int) -> bytes:
    """A profile whose sums have the bytes of a mark, where one would be."""
    sums = np.array([[SOURCE, reached]], np.uint64).view(np.float64)
    return encode(replace(decode([None]), sums=sums), np.array([0]))[0]


def a_store(url: str, **kwargs) -> tuple[UserStore, Redis]:
    client = connect(url)
    return UserStore(client, profile_ttl_seconds=100, list_ttl_seconds=50, **kwargs), client


def test_what_was_written_is_read_with_a_time_to_live(each_redis_url):
    store, client = a_store(each_redis_url)

    assert store.write([UserState("u1", a_profile(5), b"{}"), UserState("u2", a_profile(6), None)]) == WRITTEN

    assert store.read_profiles(["u1", "nobody", "u2"]) == [a_profile(5), None, a_profile(6)]
    assert client.get(list_key("u1")) == b"{}" and client.get(list_key("u2")) is None
    assert 0 < client.ttl(profile_key("u1")) <= 100 and 0 < client.ttl(list_key("u1")) <= 50


@pytest.mark.parametrize(
    ("stored", "written", "refused"),
    [
        pytest.param(a_profile(9), a_profile(5), 1, id="a-writer-that-lags-is-refused"),
        pytest.param(a_profile(300), a_profile(255), 1, id="offsets-compare-as-numbers"),
        pytest.param(a_profile(5), a_profile(5), 0, id="a-replay-writes-the-same-again"),
        pytest.param(a_profile(5), a_profile(9), 0, id="further-on-wins"),
        pytest.param(a_profile(9), a_profile(5, OTHER_SOURCE), 0, id="another-source-is-not-compared"),
        pytest.param(without_a_mark(9), a_profile(5), 0, id="sums-are-no-mark"),
        pytest.param(a_profile(9, generation=1), a_profile(9, generation=2), 0, id="a-later-generation-wins"),
        pytest.param(a_profile(9, generation=2), a_profile(5, generation=3), 1, id="but-not-from-behind"),
    ],
)
def test_who_may_write(each_redis_url, stored, written, refused):
    store, client = a_store(each_redis_url)
    store.write([UserState("u1", stored, b"old")])

    assert store.write([UserState("u1", written, b"new")]) == Refusals(refused, [])

    expected = (stored, b"old") if refused else (written, b"new")
    assert (client.get(profile_key("u1")), client.get(list_key("u1"))) == expected


def test_many_users_are_written_in_chunks_and_counted_together(redis_url):
    store, _ = a_store(redis_url, chunk_users=3)
    users = [f"u{i}" for i in range(10)]
    store.write([UserState(user, a_profile(9), None) for user in users])

    assert store.write([UserState(user, a_profile(i), None) for i, user in enumerate(users, 4)]) == Refusals(5, [])


@pytest.mark.parametrize("generation", [1, 256, 2**32 - 1])
def test_users_that_a_rebuild_overtook_are_named_and_kept(each_redis_url, generation):
    store, client = a_store(each_redis_url, chunk_users=2)
    rebuilt = a_profile(1, generation=generation)
    store.write([UserState(user, rebuilt, b"old") for user in ("u1", "u3", "u4")])

    refusals = store.write([UserState(f"u{i}", a_profile(5, generation=generation - 1), b"new") for i in range(6)])

    assert refusals == Refusals(0, ["u1", "u3", "u4"])
    assert client.get(profile_key("u3")) == rebuilt and client.get(list_key("u3")) == b"old"
    assert client.get(profile_key("u5")) == a_profile(5, generation=generation - 1)


def test_a_profile_is_replaced_only_while_it_is_the_one_that_was_read(each_redis_url):
    store, client = a_store(each_redis_url, chunk_users=2)
    stored = [a_profile(i + 1) for i in range(4)]
    store.write([UserState(f"u{i}", profile, b"old") for i, profile in enumerate(stored)])
    new = [UserState(f"u{i}", a_profile(9, generation=7), b"new" if i else None) for i in range(6)]
    expected = [stored[0], a_profile(77), stored[2], None, None, a_profile(1)]

    assert store.replace(new, expected) == ["u1", "u3", "u5"]

    assert store.read_profiles([f"u{i}" for i in range(6)]) == [
        new[0].profile, stored[1], new[2].profile, stored[3], new[4].profile, None,
    ]  # fmt: skip
    assert [client.get(list_key(f"u{i}")) for i in range(5)] == [b"old", b"old", b"new", b"old", b"new"]
    assert 0 < client.ttl(profile_key("u4")) <= 100 and 0 < client.ttl(list_key("u4")) <= 50


def test_a_replayed_replacement_is_one_until_somebody_goes_on_from_it(redis_url):
    store, client = a_store(redis_url)
    state, further = UserState("u1", a_profile(1, generation=7), b"new"), a_profile(2, generation=7)
    store.replace([state], [None])

    assert store.replace([state], [None]) == []
    store.write([UserState("u1", further, None)])
    assert store.replace([state], [None]) == ["u1"]
    assert client.get(profile_key("u1")) == further


@pytest.mark.parametrize(
    ("first", "second", "is_written"),
    [
        pytest.param(1, None, True, id="as-they-were-read"),
        pytest.param(9, None, False, id="the-first-changed"),
        pytest.param(1, 2, False, id="the-second-came"),
        pytest.param(7, 8, True, id="a-replay"),
        pytest.param(7, None, False, id="one-is-new-and-one-is-old"),
    ],
)
def test_some_users_are_replaced_together_or_not_at_all(each_redis_url, first, second, is_written):
    store, client = a_store(each_redis_url, chunk_users=1)
    there = {"u1": first, "u2": second}
    store.write([UserState(user, a_profile(reached), b"old") for user, reached in there.items() if reached])
    before = store.read_profiles(["u1", "u2"])
    new = [UserState("u1", a_profile(7), None), UserState("u2", a_profile(8), b"new")]

    assert store.replace_together(new, [a_profile(1), None]) == is_written

    assert store.read_profiles(["u1", "u2"]) == ([a_profile(7), a_profile(8)] if is_written else before)
    if is_written:
        assert client.get(list_key("u1")) == b"old" and client.get(list_key("u2")) == b"new"
        assert 0 < client.ttl(profile_key("u2")) <= 100 and 0 < client.ttl(list_key("u2")) <= 50


def test_the_first_stream_says_which_features_the_profiles_have(redis_url, redis_client):
    store = FeaturesVersionStore(connect(redis_url))
    assert store.read() is None

    store.claim(3)
    store.claim(3)

    assert store.read() == 3 and all(redis_client.ttl(key) > 0 for key in redis_client.keys("*"))


def test_a_stream_of_other_features_is_refused_until_a_rebuild(redis_url):
    store = FeaturesVersionStore(connect(redis_url))
    store.claim(3)

    with pytest.raises(FeaturesVersionError, match=r"version 3.*version 4.*liveshelf rebuild_profiles"):
        store.claim(4)
    store.set(4)
    store.claim(4)


def test_a_restarted_server_that_forgot_the_script_gets_it_again(redis_url):
    store, client = a_store(redis_url)
    store.write([UserState("u1", a_profile(1), None)])
    client.script_flush()

    assert store.write([UserState("u1", a_profile(2), None)]) == WRITTEN


def test_a_users_keys_share_a_slot():
    assert profile_key("u}1").split("{")[1] == list_key("u}1").split("{")[1]
