"""Lists that no interaction makes, on a real server, with a clock that is given."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from pipelines.features.profile_bytes import decode, encode
from pipelines.hot_path import stage
from pipelines.hot_path.sweep import SweepReport, sweep_shard
from pipelines.hot_path.worker import StageSettings, Worker, worker_for
from pipelines.list_sections import ListsConfig
from pipelines.model_sections import ModelConfig
from pipelines.sections import ProfileConfig
from pipelines.stores.connection import connect
from pipelines.stores.due import N_SHARDS, DueStore, shard_of
from pipelines.stores.keys import list_key, profile_key
from pipelines.stores.list_log import ListLog
from tests.hot_path.micro_batches import FakeBatch, a_learner, list_of, run, some_rows, the_sums

START_MS = 1_700_000_000_000
MINUTE_MS = 60_000


class Clock:
    """What the stage takes the time from."""

    def __init__(self):
        self.ms = START_MS

    def time_ns(self) -> int:
        return self.ms * 1_000_000

    @staticmethod
    def perf_counter_ns() -> int:
        return 0


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stage, "time", clock)
    return clock


@pytest.fixture
def settings(redis_url, clock) -> StageSettings:
    """A shop with a model of eight items: one user has clicked on all of them, and has a list."""
    worker_for.cache_clear()
    settings = StageSettings(redis_url, 7, ProfileConfig(), ListsConfig(n=3), ModelConfig(), the_sums())
    rows = some_rows([("teacher", f"i{number}", 100 + number) for number in range(10)], first_offset=1_000)
    a_learner(redis_url)(FakeBatch(run(settings, 0, rows)), 0)
    return settings


def clicks(settings, *numbers, user="u1", first_offset=0):
    rows = [(user, f"i{number}", number) for number in numbers]
    return run(settings, first_offset, some_rows(rows, first_offset=first_offset))


def sweep(settings, now_ms: int, kind="due") -> SweepReport:
    reports = [sweep_shard(settings, Worker(settings), kind, shard, now_ms, 100) for shard in range(N_SHARDS)]
    return sum(reports[1:], reports[0])


@pytest.mark.parametrize(
    ("n_clicks", "by_clicks", "after_10_minutes"),
    [(0, False, False), (4, False, True), (5, True, False), (6, True, True)],
)
def test_when_a_list_is_made(settings, clock, redis_client, n_clicks, by_clicks, after_10_minutes):
    if n_clicks:
        clicks(settings, *range(n_clicks))
    made = list_of(redis_client, "u1")
    assert (made is not None) == by_clicks

    assert sweep(settings, clock.ms + 10 * MINUTE_MS - 1).n_claimed == 0
    if n_clicks == 6:  # the sixth came in the micro-batch of the list, and is in it
        clicks(settings, 6, first_offset=50)
    report = sweep(settings, clock.ms + 10 * MINUTE_MS)

    assert report.n_lists == after_10_minutes
    assert (list_of(redis_client, "u1") != made) == after_10_minutes
    assert sweep(settings, clock.ms + 60 * MINUTE_MS).n_claimed == 0


def test_the_ten_minutes_begin_with_the_first_interaction_that_waits(settings, clock, redis_client):
    clicks(settings, 0)
    clock.ms += 9 * MINUTE_MS
    clicks(settings, 1, first_offset=1)

    assert sweep(settings, START_MS + 10 * MINUTE_MS).n_lists == 1
    assert sweep(settings, START_MS + 19 * MINUTE_MS).n_lists == 0


def test_a_list_by_clicks_takes_the_wait_away(settings, clock):
    clicks(settings, *range(4))
    clicks(settings, 4, first_offset=4)

    assert sweep(settings, clock.ms + 60 * MINUTE_MS).n_claimed == 0


def test_two_executors_make_one_list(settings, clock, redis_url):
    for number in range(40):
        clicks(settings, 0, user=f"u{number}", first_offset=number)
    due_ms = clock.ms + 10 * MINUTE_MS

    with ThreadPoolExecutor(2) as executors:
        first, second = executors.map(lambda _: sweep(settings, due_ms), range(2))

    log = ListLog(connect(redis_url))
    plan = log.plan()
    logged = [one.user for number, end in enumerate(plan.ends) for lists in log.read(number, end) for one in lists]
    assert first.n_lists + second.n_lists == 40
    assert sorted(logged) == sorted(["teacher", *(f"u{number}" for number in range(40))])


def test_a_profile_that_moved_on_keeps_its_list_and_is_due_again(settings, clock, redis_client, monkeypatch):
    clicks(settings, 0)
    moved = decode([redis_client.get(profile_key("u1"))])
    (further,) = encode(replace(moved, n_interactions=np.array([2])), np.array([0]))
    worker = Worker(settings)
    read = worker.users.read_with_shown

    def read_before_somebody_writes(users, viewers):
        stored = read(users, viewers)
        redis_client.set(profile_key("u1"), further)
        return stored

    monkeypatch.setattr(worker.users, "read_with_shown", read_before_somebody_writes)
    now_ms = clock.ms + 10 * MINUTE_MS

    assert sweep_shard(settings, worker, "due", shard_of("u1"), now_ms, 100) == SweepReport(1, 0, 1)
    assert redis_client.get(list_key("u1")) is None
    assert sweep(settings, now_ms + 5_000).n_lists == 1


def test_a_worker_that_died_with_a_claim_leaves_it_to_another(settings, clock, redis_url):
    clicks(settings, 0)
    now_ms = clock.ms + 10 * MINUTE_MS
    DueStore(connect(redis_url)).claim("due", shard_of("u1"), now_ms, now_ms, 10)

    assert sweep(settings, now_ms).n_lists == 0
    assert sweep(settings, now_ms + MINUTE_MS).n_lists == 1


def test_nobody_is_forgotten_while_there_is_no_model(redis_url, clock, redis_client):
    worker_for.cache_clear()
    settings = StageSettings(redis_url, 7, ProfileConfig(), ListsConfig(n=3), ModelConfig(), the_sums())
    clicks(settings, 0)
    due_ms = clock.ms + 10 * MINUTE_MS

    assert sweep(settings, due_ms) == SweepReport(1, 0, 1)
    assert sweep(settings, due_ms + 5_000).n_claimed == 1


def test_a_user_whose_profile_expired_has_no_list(settings, clock, redis_client):
    clicks(settings, 0)
    redis_client.delete(profile_key("u1"))

    assert sweep(settings, clock.ms + 10 * MINUTE_MS) == SweepReport(1, 0, 0)


def test_a_sweep_takes_no_more_than_it_may(settings, clock):
    users = [f"u{i}" for i in range(400) if shard_of(f"u{i}") == 3]
    for number, user in enumerate(users):
        clicks(settings, 0, user=user, first_offset=number)

    assert sweep_shard(settings, Worker(settings), "due", 3, clock.ms + 10 * MINUTE_MS, 7).n_lists == 7


def test_lists_of_one_event_have_names_of_their_own(settings, clock, redis_client):
    clicks(settings, *range(5))
    first = list_of(redis_client, "u1")
    DueStore(redis_client).renew(["u1"], [0.0])
    sweep(settings, START_MS + 1_000, kind="renewal")
    second = list_of(redis_client, "u1")

    assert second.list_id == f"{first.list_id}-renewal-{START_MS // 1000 + 1}"
