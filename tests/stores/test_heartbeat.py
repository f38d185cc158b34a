"""What outlives a stream's process: how often it started, and what it ended of."""

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from pipelines.stores.heartbeat import KILLED, MOST_KINDS, OTHER_ERROR, HeartbeatStore, SharedHeartbeat

JOB = "personalize"


def process(client, *figures) -> dict:
    """A process that tells these, one after the other; gives the last heartbeat."""
    beat = SharedHeartbeat(HeartbeatStore(client), JOB)
    for told in figures:
        beat.tell(told)
    return HeartbeatStore(client).read(JOB)


def test_starts_and_errors_go_on_counting_when_a_stream_starts_anew(redis_client):
    failing = {"state": "running"}, {"state": "failed", "failed_of": "ServerError"}

    first = process(redis_client, *failing)
    second = process(redis_client, *failing)
    third = process(redis_client, {"state": "running", "n_new": 1})

    assert [beat["n_starts"] for beat in (first, second, third)] == [1, 2, 3]
    assert [beat["errors_by_kind"] for beat in (first, second, third)] == [
        {KILLED: 0, "ServerError": 1}, {KILLED: 0, "ServerError": 2}, {KILLED: 0, "ServerError": 2},
    ]  # fmt: skip
    assert "failed_of" not in second and third["started_ms"] >= first["started_ms"] > 1_700_000_000_000


def test_a_stream_that_was_killed_could_not_say_so(redis_client):
    process(redis_client, {"state": "running"})

    assert process(redis_client, {"state": "running"})["errors_by_kind"] == {KILLED: 1}


def test_a_stream_is_starting_until_it_says_otherwise_and_what_dies_then_was_killed(redis_client):
    first = process(redis_client, {"state": "failed", "failed_of": "ServerError"}, {"state": "stopped"})
    second = process(redis_client, {"ruleset": "a hash"})
    third = process(redis_client, {"ruleset": "a hash"}, {"state": "running"})

    assert [beat["state"] for beat in (first, second, third)] == ["stopped", "starting", "running"]
    assert third["errors_by_kind"] == {"ServerError": 1, KILLED: 1}


def test_a_stream_that_dies_before_spark_is_up_has_said_that_it_starts(redis_client):
    store = HeartbeatStore(redis_client)
    for _ in range(2):
        SharedHeartbeat(store, JOB).begin()

    told = store.read(JOB)
    assert (told["state"], told["n_starts"], told["errors_by_kind"]) == ("starting", 2, {KILLED: 1})


def test_errors_of_all_kinds_are_told_from_0_on(redis_client):
    told = [
        process(redis_client, {"state": "running"}),
        process(redis_client, {"state": "running"}, {"state": "failed", "failed_of": "ServerError"}),
        process(redis_client, {"state": "running"}, {"state": "stopped"}),
    ]

    assert [beat["n_errors"] for beat in told] == [0, 2, 2]


def test_one_that_was_stopped_ended_of_nothing(redis_client):
    process(redis_client, {"state": "running"}, {"state": "stopped"})

    again = process(redis_client, {"state": "running"}, {"n_new": 1})
    assert (again["n_starts"], again["errors_by_kind"]) == (2, {KILLED: 0})


def test_a_redis_that_is_away_ends_no_stream_and_is_told_what_it_missed(redis_client, monkeypatch):
    store = HeartbeatStore(redis_client)
    beat = SharedHeartbeat(store, JOB).begin()
    with monkeypatch.context() as away:
        away.setattr(redis_client, "set", lambda *_, **__: (_ for _ in ()).throw(RedisConnectionError("refused")))
        beat.tell_batch({"n_valid": 7})
        with pytest.raises(RedisConnectionError):
            beat.tell({})  # who must know is told

    beat.tell({"state": "running"})
    assert store.read(JOB)["n_valid"] == 7


def test_kinds_are_bounded(redis_client):
    for number in range(MOST_KINDS + 5):
        process(redis_client, {"state": "failed", "failed_of": f"Odd{number}Error"})

    errors = HeartbeatStore(redis_client).read(JOB)["errors_by_kind"]
    assert len(errors) == MOST_KINDS + 1 and KILLED in errors and errors[OTHER_ERROR] == 6  # KILLED is a kind, too
