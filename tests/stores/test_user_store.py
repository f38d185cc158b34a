"""Profiles and lists in a real server: what is written, refused, replayed."""

import numpy as np
import pytest
from redis import Redis

from pipelines.features.profile import decode, encode
from pipelines.stores.connection import connect
from pipelines.stores.keys import list_key, profile_key
from pipelines.stores.users import UserState, UserStore

SOURCE, OTHER_SOURCE = (1 << 32) | 9, (2 << 32) | 9


def a_profile(reached: int, source: int = SOURCE) -> bytes:
    nobody = decode([None])
    nobody.marks[0, 0] = (source, reached)
    return encode(nobody, np.array([0]))[0]


def a_store(url: str, **kwargs) -> tuple[UserStore, Redis]:
    client = connect(url)
    return UserStore(client, profile_ttl_seconds=100, list_ttl_seconds=50, **kwargs), client


def test_what_was_written_is_read_with_a_time_to_live(each_redis_url):
    store, client = a_store(each_redis_url)

    assert store.write([UserState("u1", a_profile(5), b"{}"), UserState("u2", a_profile(6), None)]) == 0

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
    ],
)
def test_who_may_write(each_redis_url, stored, written, refused):
    store, client = a_store(each_redis_url)
    store.write([UserState("u1", stored, b"old")])

    assert store.write([UserState("u1", written, b"new")]) == refused

    expected = (stored, b"old") if refused else (written, b"new")
    assert (client.get(profile_key("u1")), client.get(list_key("u1"))) == expected


def test_many_users_are_written_in_chunks_and_counted_together(redis_url):
    store, _ = a_store(redis_url, chunk_users=3)
    users = [f"u{i}" for i in range(10)]
    store.write([UserState(user, a_profile(9), None) for user in users])

    assert store.write([UserState(user, a_profile(i), None) for i, user in enumerate(users, 4)]) == 5


def test_a_restarted_server_that_forgot_the_script_gets_it_again(redis_url):
    store, client = a_store(redis_url)
    store.write([UserState("u1", a_profile(1), None)])
    client.script_flush()

    assert store.write([UserState("u1", a_profile(2), None)]) == 0


def test_a_users_keys_share_a_slot():
    assert profile_key("u}1").split("{")[1] == list_key("u}1").split("{")[1]
