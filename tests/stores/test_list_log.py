"""Lists on their way to Delta: logged in the step that publishes them, filed by a plan that can be done again."""

import pytest

from pipelines.stores.connection import connect
from pipelines.stores.keys import list_log_key
from pipelines.stores.list_log import N_LOGS, ListLog, LoggedList, Plan
from pipelines.stores.users import UserState, UserStore
from tests.stores.test_user_store import a_profile


@pytest.fixture
def client(each_redis_url):
    return connect(each_redis_url)


@pytest.fixture
def log(client) -> ListLog:
    return ListLog(client)


def a_store(client, max_logged: int = 1_000) -> UserStore:
    return UserStore(client, profile_ttl_seconds=100, list_ttl_seconds=50, max_logged=max_logged, chunk_users=2)


def all_in(log: ListLog, plan: Plan) -> list[LoggedList]:
    return [one for number, end in enumerate(plan.ends) for lists in log.read(number, end, n=2) for one in lists]


def by_user(lists: list[LoggedList]) -> list[LoggedList]:
    return sorted(lists, key=lambda one: one.user)


def test_every_way_to_publish_a_list_logs_it_with_its_cause(client, log):
    store = a_store(client)
    store.write([UserState("u1", a_profile(1), b"one"), UserState("u2", a_profile(1), None)])
    store.replace([UserState("u3", a_profile(1), b"three", "rebuild")], [None])
    store.replace_together([UserState("u}4", a_profile(1), b"four", "login")], [None])
    store.publish([UserState("u2", a_profile(1), b"two", "time")])

    assert by_user(all_in(log, log.plan())) == [
        LoggedList("u1", "interactions", b"one"),
        LoggedList("u2", "time", b"two"),
        LoggedList("u3", "rebuild", b"three"),
        LoggedList("u}4", "login", b"four"),
    ]


def test_what_is_refused_or_replayed_is_not_logged(client, log):
    store = a_store(client)
    for _ in range(2):
        store.write([UserState("u1", a_profile(5), b"one")])
    store.write([UserState("u1", a_profile(4), b"from behind")])
    store.replace([UserState("u1", a_profile(9), b"not as read")], [a_profile(8)])

    assert store.publish([UserState("u1", a_profile(4), b"of an older profile")]) == ["u1"]
    assert all_in(log, log.plan()) == [LoggedList("u1", "interactions", b"one")]


def test_nothing_is_logged_unless_it_is_asked_for(client, log):
    a_store(client, max_logged=0).write([UserState("u1", a_profile(1), b"one")])

    assert log.plan().is_empty and not any(client.exists(list_log_key(number)) for number in range(N_LOGS))


def test_a_plan_that_was_begun_stays_the_same_whatever_comes(client, log):
    store = a_store(client)
    store.write([UserState(f"u{i}", a_profile(1), b"first") for i in range(20)])
    begun = log.plan()
    store.write([UserState("u99", a_profile(1), b"later")])

    assert log.plan() == begun and len(all_in(log, begun)) == 20
    log.finish(begun)
    log.finish(begun)

    after = log.plan()
    assert (after.series, after.number) == (begun.series, begun.number + 1)
    assert [one.user for one in all_in(log, after)] == ["u99"]


def test_nothing_to_file_is_no_plan(client, log):
    first = log.plan()
    assert first.is_empty and log.plan().series != first.series

    a_store(client).write([UserState("u1", a_profile(1), b"one")])
    plan = log.plan()
    log.finish(plan)
    assert log.plan().is_empty and log.plan().number == plan.number + 1


def test_an_outbox_that_nobody_empties_keeps_the_newest(client, log):
    store = a_store(client, max_logged=100)
    for i in range(1_000):
        store.write([UserState("u1", a_profile(1), f"{i}".encode())])

    kept = [int(one.document) for one in all_in(log, log.plan())]
    assert len(kept) < 400 and kept == list(range(1_000 - len(kept), 1_000))
