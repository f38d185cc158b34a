import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import tenacity

from pipelines.errors import ServerError
from pipelines.local.processes import OwnedProcess, clear_the_way, free_port
from pipelines.local.records import ProcessId, Record, read_record, record_path, write_record

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
OWNER = """
import sys, time
from pathlib import Path
from pipelines.local.processes import OwnedProcess, exit_on_signals
with exit_on_signals():
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    OwnedProcess("sleeper", Path(sys.argv[1]), 1).start(sleep, lambda: True, 5)
    print("started", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(SLEEP)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def owner(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    yield process
    process.kill()
    process.wait()


def a_dead_process() -> ProcessId:
    process = subprocess.Popen(["true"])
    process_id = ProcessId.of(process.pid)
    process.wait()
    return process_id


def a_record(server: ProcessId, owner: ProcessId, home: Path) -> Path:
    path = record_path(home, "sleeper")
    write_record(path, Record(server, owner, 1))
    return path


def server_of(home: Path) -> psutil.Process:
    record = read_record(record_path(home, "sleeper"))
    assert record is not None
    process = record.server.process()
    assert process is not None
    return process


def becomes_true(condition: Callable[[], bool]) -> bool:
    retrying = tenacity.Retrying(
        stop=tenacity.stop_after_delay(10),
        wait=tenacity.wait_fixed(0.02),
        retry=tenacity.retry_if_result(lambda value: not value),
        retry_error_callback=lambda _: False,
    )
    return bool(retrying(condition))


def has_ended(process: psutil.Process) -> bool:
    return becomes_true(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)


def test_a_wanted_port_is_taken_where_nobody_listens_on_it() -> None:
    wanted = free_port()
    assert free_port(wanted) == wanted and free_port(0) != 0
    with socket.create_server(("127.0.0.1", wanted)):
        assert free_port(wanted) != wanted
        assert free_port(wanted, other := free_port()) == other


def test_a_process_that_ends_while_it_starts_is_an_error_with_the_end_of_its_log(tmp_path: Path) -> None:
    process = OwnedProcess("broken", tmp_path, 1)
    with pytest.raises(ServerError, match=r"exit code 3(?s:.)*logs/broken\.log(?s:.)*the disk is on fire"):
        process.start([sys.executable, "-c", "print('the disk is on fire'); exit(3)"], lambda: False, 10)


def test_a_process_that_is_never_ready_is_an_error_and_is_stopped(tmp_path: Path) -> None:
    process = OwnedProcess("sleeper", tmp_path, 1)
    seen = []
    with pytest.raises(ServerError, match=r"not ready after 0\.3 s"):
        process.start(SLEEP, lambda: bool(seen.append(server_of(tmp_path))), 0.3)
    assert has_ended(seen[0])
    assert not record_path(tmp_path, "sleeper").exists()


@pytest.mark.crash
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_owner_stops_its_server(
    number: signal.Signals, owner: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    server = server_of(tmp_path)
    owner.send_signal(number)
    owner.wait(10)
    assert has_ended(server)
    assert not record_path(tmp_path, "sleeper").exists()  # so it was stopped in order, not by the owner's death


@pytest.mark.crash
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
def test_a_server_ends_with_an_owner_that_is_killed(owner: "subprocess.Popen[str]", tmp_path: Path) -> None:
    server = server_of(tmp_path)
    assert becomes_true(lambda: "time.sleep" in server.cmdline()[2])  # it is past its own check of the parent
    owner.kill()
    assert has_ended(server)


def test_an_orphan_is_stopped_before_the_next_start(sleeper: "subprocess.Popen[bytes]", tmp_path: Path) -> None:
    record = a_record(ProcessId.of(sleeper.pid), a_dead_process(), tmp_path)
    clear_the_way("sleeper", tmp_path)
    assert not psutil.pid_exists(sleeper.pid)
    assert not record.exists()


def test_a_process_that_got_the_pid_of_a_dead_server_is_left_alone(
    sleeper: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    now = ProcessId.of(sleeper.pid)
    record = a_record(ProcessId(now.pid, now.created - 1000), a_dead_process(), tmp_path)
    clear_the_way("sleeper", tmp_path)
    assert sleeper.poll() is None
    assert not record.exists()


def test_a_server_whose_owner_lives_is_refused_and_left_alone(
    sleeper: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    record = a_record(ProcessId.of(sleeper.pid), ProcessId.of(os.getpid()), tmp_path)
    with pytest.raises(ServerError, match=rf"already running.*kill {os.getpid()}"):
        clear_the_way("sleeper", tmp_path)
    assert sleeper.poll() is None
    assert record.exists()


@pytest.mark.parametrize(("port", "where"), [(0, ""), (6379, " on 127.0.0.1:6379")])
def test_where_it_listens_is_said_of_what_listens(port: int, where: str, tmp_path: Path) -> None:
    alive = ProcessId.of(os.getpid())
    write_record(record_path(tmp_path, "sleeper"), Record(alive, alive, port))

    with pytest.raises(ServerError, match=f"is already running{where}, started by"):
        clear_the_way("sleeper", tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"server": 1}'])
def test_a_record_that_cannot_be_read_is_forgotten(text: str, tmp_path: Path) -> None:
    record = record_path(tmp_path, "sleeper")
    record.parent.mkdir()
    record.write_text(text)
    clear_the_way("sleeper", tmp_path)
    assert not record.exists()
