"""A visitor logs in, on the hot path: two partitions in any order, repetitions, kills between any two steps."""

from itertools import count
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from pipelines.features.profile import Link, Profiles, key_time_s
from pipelines.features.profile_bytes import decode
from pipelines.hot_path.arrivals import read_arrivals
from pipelines.hot_path.stage import personalize_partition
from pipelines.hot_path.worker import StageSettings, Worker, worker_for
from pipelines.list_sections import ListsConfig
from pipelines.model_sections import ModelConfig
from pipelines.sections import ProfileConfig
from pipelines.stores.keys import profile_key
from tests.hot_path.micro_batches import FakeBatch, a_learner, hash_of, list_of, run, some_logins, some_rows, the_sums
from tests.hot_path.turns import SteppedStore, Turns

TAG, START_S, RING = 77, 1_570_000_000, 5
CONFIG = ProfileConfig(ring_size=RING, dedupe_keys=1000)
PARTITIONS = {"u1": 0, "a1": 1}


@pytest.fixture
def settings(redis_url, tmp_path) -> StageSettings:
    worker_for.cache_clear()
    model = ModelConfig(shared_folder=str(tmp_path))
    return StageSettings(redis_url, TAG, CONFIG, ListsConfig(n=3), model, the_sums())


def clicks(user: str, *event_ids: int):
    return [(user, f"i{event_id % 7}", event_id) for event_id in event_ids]


def profile_of(client, user: str) -> Profiles:
    return decode([client.get(profile_key(user))])


def link_of(client, visitor: str) -> str | None:
    link: Link | None = profile_of(client, visitor).links.get(0)
    return link.user if link else None


class Stream:
    """What comes, each with the next offset of its partition."""

    def __init__(self, settings) -> None:
        self.settings, self._batch_id = settings, count()
        self._offsets = dict.fromkeys(range(4), 0)

    def does(self, user, *event_ids, partition=None, is_named=None):
        partition = PARTITIONS.get(user, 2) if partition is None else partition
        named = not user.startswith("a") if is_named is None else is_named
        rows = some_rows(clicks(user, *event_ids), self._took(partition, len(event_ids)), partition, is_named=named)
        return self.comes(rows)

    def logs_in(self, user, visitor, event_id=0, partition=0):
        return self.comes(some_logins([(user, visitor, event_id)], self._took(partition, 1), partition))

    def comes(self, *rows) -> dict:
        (report,) = run(self.settings, next(self._batch_id), *rows)
        return report

    def _took(self, partition, n) -> int:
        self._offsets[partition] += n
        return self._offsets[partition] - n


@pytest.fixture
def stream(settings) -> Stream:
    return Stream(settings)


def assert_is_of(client, user, *event_ids) -> None:
    """The profile is that of one who did these, and nothing else."""
    profile, seen = profile_of(client, user), sorted(event_ids)
    assert profile.n_interactions[0] == len(seen)
    assert (key_time_s(profile.key) - START_S).tolist() == seen[-RING:]
    assert profile.item.tolist() == [hash_of(f"i{event_id % 7}") for event_id in seen[-RING:]]
    np.testing.assert_allclose(profile.sums[0], [sum(2.0 ** ((i - seen[-1]) / 3600) for i in seen)], rtol=1e-9)


# ------------------------------------------------------------------------------------------ any order, any crash


@st.composite
def micro_batches(draw):
    """Some micro-batches, each of what u1 did, what a1 did, and how often a1 logs in as u1 in it; at least once in all."""
    ids = st.lists(st.integers(0, 40), max_size=6)
    batches = draw(st.lists(st.tuples(ids, ids, st.integers(0, 2)), min_size=1, max_size=4))
    return [*batches, ([], [], 1)] if not any(n_logins for _, _, n_logins in batches) else batches


def rows_of(batches, is_one_partition: bool):
    """Per micro-batch the row batches of each task, with offsets as Kafka gives them."""
    offsets, per_batch = [0, 0], []
    for ids_of_user, ids_of_visitor, n_logins in batches:
        tasks: list[list[pa.RecordBatch]] = [[], []]
        for user, ids in (("u1", ids_of_user), ("a1", ids_of_visitor)):
            partition = 0 if is_one_partition else PARTITIONS[user]
            if ids:
                named = user == "u1"
                tasks[partition].append(some_rows(clicks(user, *ids), offsets[partition], partition, is_named=named))
                offsets[partition] += len(ids)
        if n_logins:
            tasks[0].insert(0, some_logins([("u1", "a1", 50)] * n_logins, offsets[0], 0))
            offsets[0] += n_logins
        per_batch.append([rows for rows in tasks if rows])
    return per_batch


def attempt(settings, workers, batch_id, tasks, choices, n_steps=None) -> bool:
    """Run the tasks of a micro-batch in turns; whether none was killed."""

    def task(worker, rows):
        def run_it(wait):
            stepped = object.__new__(Worker)
            stepped.__dict__.update(worker.__dict__, users=SteppedStore(worker.users, wait))
            table = pa.Table.from_batches(rows).combine_chunks()
            partition = table["partition"][0].as_py()
            return personalize_partition(settings, stepped, batch_id, read_arrivals(table, TAG, partition))

        return run_it

    return Turns(choices, n_steps).run([task(*pair) for pair in zip(workers, tasks, strict=False)])


@pytest.mark.parametrize("is_one_partition", [False, True], ids=["two-partitions", "one-partition"])
@pytest.mark.parametrize("n_twins", [0, 1], ids=["", "with-tasks-that-were-given-up"])
def test_the_user_is_one_who_did_everything_whatever_the_order_and_wherever_it_dies(
    settings, redis_client, is_one_partition, n_twins
):
    workers = [Worker(settings) for _ in range(4)]

    @examples(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(micro_batches(), st.integers(0, 10**6), st.lists(st.integers(0, 15), max_size=4))
    def check(batches, seed, kills):
        redis_client.flushall()
        chance, dying = Random(seed), iter(kills)
        turns = iter(lambda: chance.randrange(12), None)
        for batch_id, of_partitions in enumerate(rows_of(batches, is_one_partition)):
            tasks = of_partitions * (1 + n_twins)
            while not attempt(settings, workers, batch_id, tasks, turns, next(dying, None)):
                pass

        everything = {event_id for user, visitor, _ in batches for event_id in user + visitor}
        if everything:
            assert_is_of(redis_client, "u1", *everything)
        visited = {event_id for _, visitor, _ in batches for event_id in visitor}
        if visited:
            assert_is_of(redis_client, "a1", *visited)
        assert link_of(redis_client, "a1") == "u1"

    check()


# ------------------------------------------------------------------------------------------ one story each


@pytest.mark.parametrize("order", ["before", "after", "late"])
def test_what_a_visitor_does_is_the_users_whenever_it_comes(stream, redis_client, order):
    stream.does("u1", 10, 11)
    if order == "after":
        stream.logs_in("u1", "a1", 20)
    stream.does("a1", 3, 12, 14)
    if order != "after":
        stream.logs_in("u1", "a1", 20)
    if order == "late":
        stream.does("a1", 5, 3, 40, partition=3)  # one again, from another partition

    assert_is_of(redis_client, "u1", 10, 11, 3, 12, 14, *([5, 40] if order == "late" else []))
    assert profile_of(redis_client, "u1").marks[0, 0].tolist() == [TAG, 2]


def taught(stream, report) -> None:
    """A model in Redis that knows the items of a report."""
    a_learner(stream.settings.redis_url)(FakeBatch([report]), 0)


def test_a_login_is_seen_in_the_list_at_once(stream, redis_client):
    stream.does("u1", 10)
    taught(stream, stream.does("a1", 3, 12))
    assert list_of(redis_client, "u1") is None

    stream.logs_in("u1", "a1", 20)

    made = list_of(redis_client, "u1")
    assert {"i3", "i5"} <= set(made.items), "made of what the visitor did, before the fifth interaction"
    assert made.list_id == f"{TAG:x}-0-1-login", "named after the login"


def test_what_is_handed_over_makes_the_users_list_due_at_the_fifth(stream, redis_client):
    stream.does("u1", 10, 11)
    taught(stream, stream.does("a1", 3, 12))
    stream.logs_in("u1", "a1", 20)
    at_the_login = list_of(redis_client, "u1")

    stream.does("a1", 13, 14)

    made = list_of(redis_client, "u1")
    assert made.list_id == f"{TAG:x}-1-3-login" != at_the_login.list_id
    assert list_of(redis_client, "a1") is None, "of the visitor's own it is the fourth"


def test_a_visitors_list_goes_on_with_what_the_visitor_does(stream, redis_client):
    taught(stream, stream.does("a1", 1, 2, 3, 4))
    stream.logs_in("u1", "a1", 20)

    stream.does("a1", 5)

    assert list_of(redis_client, "a1").list_id == f"{TAG:x}-1-4"
    assert_is_of(redis_client, "a1", 1, 2, 3, 4, 5)


def test_a_crash_after_a_login_loses_no_gradient_and_teaches_nothing_twice(stream, redis_client):
    taught(stream, stream.does("u9", *range(7)))
    visitor = some_rows(clicks("a1", 1, 2, 3, 4), 0, 1, is_named=False)
    user = some_rows(clicks("u1", 11, 12, 13), 0, 0)
    first = [stream.comes(visitor), stream.comes(user)]
    stream.comes(some_logins([("u1", "a1", 20)], 3, 0))
    before = {key: redis_client.get(key) for key in redis_client.keys("*:{?1}")}
    worker_for.cache_clear()

    again = [run(stream.settings, batch_id, rows)[0] for batch_id, rows in enumerate((visitor, user))]
    (login,) = run(stream.settings, 2, some_logins([("u1", "a1", 20)], 3, 0))

    assert {key: redis_client.get(key) for key in redis_client.keys("*:{?1}")} == before
    assert again[0]["gradient"] == first[0]["gradient"] != login["gradient"]
    assert again[1]["gradient"] != login["gradient"], "what the user had just done is still to be learned"


def test_a_login_of_a_visitor_who_did_nothing_writes_the_link_alone(stream, redis_client):
    report = stream.logs_in("u1", "a1")

    assert report["n_joined"] == 1 and (report["n_interactions"], report["n_users"]) == (0, 0)
    assert redis_client.keys("profile:*") == [b"profile:{a1}"] and link_of(redis_client, "a1") == "u1"


def test_the_same_login_again_changes_no_byte(stream, redis_client):
    stream.does("a1", 1, 2)
    stream.logs_in("u1", "a1", 5)
    before = {key: redis_client.dump(key) for key in redis_client.keys("*")}

    assert stream.logs_in("u1", "a1", 5)["n_joined"] == 0
    assert stream.logs_in("u1", "a1", 9)["n_joined"] == 0
    assert {key: redis_client.dump(key) for key in redis_client.keys("*")} == before


def test_an_id_that_logs_in_as_itself_is_left_alone(stream, redis_client):
    stream.does("a1", 1)
    before = redis_client.get(profile_key("a1"))

    assert stream.logs_in("a1", "a1", 2)["n_joined"] == 0
    assert redis_client.get(profile_key("a1")) == before


def test_on_a_shared_device_each_gets_what_was_done_since_the_login(stream, redis_client):
    stream.does("a1", 1, 2)
    stream.logs_in("u1", "a1", 5)
    stream.does("a1", 6)
    stream.logs_in("u2", "a1", 10)
    stream.does("a1", 11)
    stream.logs_in("u1", "a1", 7)  # late: older than the one of u2
    stream.does("a1", 12)

    assert_is_of(redis_client, "u1", 1, 2, 6)
    assert_is_of(redis_client, "u2", 11, 12)


def test_no_login_gives_away_the_profile_of_a_user(stream, redis_client):
    stream.does("u2", 1, 2)
    before = redis_client.get(profile_key("u2"))

    assert stream.logs_in("u1", "u2", 5)["n_joined"] == 0
    assert redis_client.get(profile_key("u2")) == before and redis_client.get(profile_key("u1")) is None


def test_a_visitors_id_that_turns_out_to_be_a_users_gives_nothing_more(stream, redis_client):
    stream.logs_in("thief", "u2", 1)
    stream.does("u2", 2, 3)
    stream.logs_in("thief", "u2", 4)
    stream.does("u2", 5, is_named=False)

    assert redis_client.get(profile_key("thief")) is None
    assert_is_of(redis_client, "u2", 2, 3, 5)


def test_a_user_who_got_a_visitors_profile_is_nobodys_visitor(stream, redis_client):
    stream.does("a1", 1, 2)
    stream.logs_in("u1", "a1", 5)

    assert stream.logs_in("thief", "u1", 6)["n_joined"] == 0
    assert redis_client.get(profile_key("thief")) is None


def test_logins_come_in_one_batch_with_interactions(stream, redis_client):
    stream.does("a1", 1, 2)

    report = stream.comes(
        some_rows(clicks("u1", 3), 0, 0),
        some_logins([("u1", "a1", 4), ("u2", "a9", 4)], 1, 0),
        some_rows(clicks("u1", 5), 3, 0),
    )

    assert (report["n_new"], report["n_joined"]) == (2, 2)
    assert_is_of(redis_client, "u1", 1, 2, 3, 5)


def test_many_visitors_of_one_user_hand_over_in_one_step(stream, redis_client):
    visitors = [f"a{number}" for number in range(2, 9)]
    for visitor in visitors:
        stream.logs_in("u1", visitor)

    stream.comes(some_rows([(visitor, f"i{n}", n) for n, visitor in enumerate(visitors)], 0, 1, is_named=False))

    assert_is_of(redis_client, "u1", *range(7))
    assert profile_of(redis_client, "u1").generation[0] == 1
