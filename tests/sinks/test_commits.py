"""Writers of one table wait for each other on a local disk, and try again where Delta saw two at once."""

import os
import subprocess
import sys
import threading

import pytest
from delta.exceptions import ConcurrentDeleteReadException

from pipelines.errors import ConflictError
from pipelines.locks import exclusive
from pipelines.sinks.commits import ATTEMPTS, CONFLICTS, commit, lock_file

HOLDER = """
import sys, time
from pipelines.sinks.commits import commit

def hold():
    print("held", flush=True)
    time.sleep(600)

commit(sys.argv[1], hold)
"""
SOON_SECONDS = 0.3
LONG_SECONDS = 30


@pytest.fixture
def holder(tmp_path):
    """A process in the middle of its commit."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "events")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_another_process_waits_and_goes_on_when_the_holder_is_killed(tmp_path, holder):
    path, done = os.path.relpath(tmp_path / "events"), threading.Event()
    waiting = threading.Thread(target=commit, args=(path, done.set))
    waiting.start()
    assert not done.wait(SOON_SECONDS)

    holder.kill()

    assert done.wait(LONG_SECONDS)
    waiting.join()


def test_a_table_does_not_wait_for_another_one_and_an_object_store_for_none(tmp_path, holder):
    assert commit(str(tmp_path / "quarantine"), lambda: "done") == "done"
    assert lock_file("s3a://lake/events") is None and commit("s3a://lake/events", lambda: "done") == "done"


def test_every_spelling_of_a_local_path_has_one_lock_beside_the_table(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    spellings = ["events", "link/events", "./x/../events", "events/"]
    paths = [f"{tmp_path}/{spelling}" for spelling in spellings] + [(tmp_path / "events").as_uri()]

    assert {lock_file(path) for path in [*paths, os.path.relpath(paths[0])]} == {tmp_path / ".events.lock"}


def test_a_thread_may_commit_inside_of_its_own_commit(tmp_path):
    path = str(tmp_path / "events")

    assert commit(path, lambda: commit(path, lambda: "inner")) == "inner"
    with exclusive(lock_file(path)):
        pass


@pytest.mark.parametrize("conflict", CONFLICTS)
def test_a_commit_that_met_another_one_is_made_again(tmp_path, conflict):
    outcomes = iter([conflict("another writer"), conflict("another writer"), 7])

    def write():
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert commit(str(tmp_path / "events"), write, first_pause_seconds=0) == 7


@pytest.mark.parametrize(
    ("error", "raised", "n_attempts"),
    [(ConcurrentDeleteReadException("it"), ConflictError, ATTEMPTS), (KeyError("it"), KeyError, 1)],
)
def test_it_gives_up_after_some_conflicts_and_at_once_on_anything_else(tmp_path, error, raised, n_attempts):
    attempts = []

    def write():
        attempts.append(1)
        raise error

    with pytest.raises(raised, match="it"):
        commit(str(tmp_path / "events"), write, first_pause_seconds=0)
    assert len(attempts) == n_attempts
