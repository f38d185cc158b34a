"""Snapshots and the watch: MLflow may hang or be away, and no micro-batch notices."""

import threading
import time
from dataclasses import replace

import pytest

from pipelines.errors import ServerError
from pipelines.tracking.champion_watch import ChampionWatch
from pipelines.tracking.later import registry_later
from pipelines.tracking.promotion import promote, rollback
from pipelines.tracking.snapshots import OnlineSnapshots, Snapshot
from pipelines.tracking.versions import Version
from tests.tracking.builders import Facts, deaf_server

pytestmark = pytest.mark.slow

PATIENCE_S = 30.0


def until(condition):
    """Wait for what another thread does."""
    end = time.monotonic() + PATIENCE_S
    never = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        never.wait(0.005)
    return found


def a_snapshot(batch_id=1, **changes):
    facts = Facts(batch_id=batch_id)
    return Snapshot(facts.config, facts.data, replace(facts.origin, offsets=None), **changes)


class Gate:
    """A registry whose every version waits for `open`; it remembers the batches."""

    def __init__(self):
        self.opened, self.reached, self.batches, self.fails = threading.Event(), threading.Event(), [], False

    def add(self, config, data, origin, metrics):
        self.reached.set()
        self.opened.wait(PATIENCE_S)
        if self.fails:
            raise ServerError("it is away")
        self.batches.append(origin.batch_id)
        return Version(len(self.batches), "a run", 0, {}, ())

    def versions(self):
        return []


@pytest.fixture
def snapshots():
    """Make OnlineSnapshots that are stopped at the end."""
    made = []

    def make(open_registry, **changes):
        made.append(OnlineSnapshots(open_registry, **{"every_seconds": 1800.0, "n_kept": 20, **changes}))
        return made[-1]

    yield make
    for each in made:
        each.stop(0.0)


@pytest.fixture
def watch(tracking):
    made = []

    def make(in_use=None, open_registry=None):
        made.append(ChampionWatch(open_registry or registry_later(tracking), every_seconds=0.01, in_use=in_use))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def test_a_snapshot_becomes_a_version_with_its_offsets(snapshots, tracking, registry, add):
    parent = add()
    snapshot = a_snapshot(batch_id=9, metrics={"progressive_ndcg20": 0.25}, offsets=lambda: {"0": 55})
    snapshot = replace(snapshot, origin=replace(snapshot.origin, parent=parent.number))
    beside = snapshots(registry_later(tracking))

    beside.offer(snapshot)
    beside.stop(PATIENCE_S)

    version = registry.version(parent.number + 1)
    assert beside.figures() == {
        "n_versions": 1, "n_version_failures": 0, "newest_version": version.number, "version_error": None,
    }  # fmt: skip
    assert registry.model_bytes(version) == snapshot.data
    assert registry.metrics(version) == {"progressive_ndcg20": 0.25}
    assert registry.parameters(version)["factorization.dimensions"] == "3"
    assert (
        version.parent == parent.number and version.tags["offsets"] == '{"0": 55}' and version.tags["batch_id"] == "9"
    )


def test_old_snapshots_leave(snapshots, tracking, registry):
    beside = snapshots(registry_later(tracking), n_kept=1)
    for n in (1, 2):
        beside.offer(a_snapshot(n))
        until(lambda n=n: beside.figures()["n_versions"] == n)
    beside.stop(PATIENCE_S)

    assert [version.tags["batch_id"] for version in registry.versions()] == ["2"]


def test_of_those_that_wait_the_newest_wins(snapshots):
    gate = Gate()
    beside = snapshots(lambda: gate)
    beside.offer(a_snapshot(1))
    assert gate.reached.wait(PATIENCE_S)

    for batch_id in (2, 3, 4):
        beside.offer(a_snapshot(batch_id))
    gate.opened.set()
    beside.stop(PATIENCE_S)

    assert gate.batches == [1, 4]


def test_a_failure_is_counted_and_the_next_snapshot_tried(snapshots):
    gate, n_opened = Gate(), []
    gate.opened.set()
    gate.fails = True
    beside = snapshots(lambda: n_opened.append(1) or gate)

    beside.offer(a_snapshot(1))
    figures = until(lambda: beside.figures()["n_version_failures"] and beside.figures())
    assert figures["version_error"] == "ServerError: it is away" and figures["n_versions"] == 0
    gate.fails = False
    beside.offer(a_snapshot(2))
    beside.stop(PATIENCE_S)

    assert gate.batches == [2] and len(n_opened) == 2
    assert beside.figures()["n_versions"] == 1 and beside.figures()["version_error"] is None


def test_an_mlflow_that_hangs_holds_up_neither_a_batch_nor_the_end(snapshots, tracking, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", str(int(PATIENCE_S)))
    with deaf_server() as (address, accepted):
        beside = snapshots(registry_later(tracking.model_copy(update={"uri": address})))
        beside.offer(a_snapshot(1))
        assert accepted.wait(PATIENCE_S)

        snapshot, start = a_snapshot(2), time.monotonic()
        for _ in range(1_000):
            beside.offer(snapshot)
            beside.figures()
        beside.stop(0.1)

        assert time.monotonic() - start < 1.0


def test_it_is_time_for_a_snapshot_once_in_a_while(snapshots):
    now, gate = [0.0], Gate()
    beside = snapshots(lambda: gate, every_seconds=10.0, clock=lambda: now[0])
    never = snapshots(lambda: gate, every_seconds=0.0, clock=lambda: now[0])

    due = []
    for now[0] in (0.0, 9.0, 10.0, 19.0, 20.0):
        due.append(beside.is_due)
        if beside.is_due:
            beside.offer(a_snapshot())
        assert not never.is_due

    assert due == [False, False, True, False, True]


def test_a_promoted_version_is_seen_once_and_so_is_its_rollback(watch, registry, add):
    first, second = add(), add(batch_id=8)
    promote(registry, first)
    seen = watch(in_use=first.number)
    until(lambda: seen.figures().get("champion") == first.number)
    assert seen.take() is None

    promote(registry, second)
    promoted = until(seen.take)
    assert promoted.version == second.number
    assert promoted.data == registry.model_bytes(second) and promoted.config == registry.model_config(second)
    assert seen.take() is None

    rollback(registry)
    assert until(seen.take).version == first.number


def test_the_first_champion_is_seen(watch, registry, add):
    seen = watch(in_use=None)
    version = add()
    promote(registry, version)

    assert until(seen.take).version == version.number


def test_what_is_champion_no_more_is_not_taken(watch, registry, add):
    first, second = add(), add()
    promote(registry, first)
    seen = watch(in_use=first.number)
    promote(registry, second)
    until(lambda: seen._ready)

    rollback(registry)
    until(lambda: seen.figures()["champion"] == first.number and seen._ready is None)

    assert seen.take() is None


def test_an_mlflow_that_is_away_is_counted_and_asked_again(watch, registry, add):
    promote(registry, version := add())
    answers = iter([ServerError("it is away"), RuntimeError("strange"), registry])

    def open_registry():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    seen = watch(open_registry=open_registry)

    assert until(seen.take).version == version.number
    assert seen.figures() == {"n_champion_failures": 2, "champion": version.number, "champion_error": None}
