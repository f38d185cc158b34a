"""How a line looks, and what is kept out of it."""

import io
import json
import logging
import re
import subprocess
import sys
import threading
import warnings
from contextlib import suppress

import numpy as np
import pytest
import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from rich.console import Console
from rich.file_proxy import FileProxy

from pipelines.errors import ConflictError, ServerError
from pipelines.logs import writing
from pipelines.logs.batches import carried, micro_batch, tell_batch
from pipelines.logs.libraries import Libraries, unheard
from pipelines.logs.lines import Paced
from pipelines.logs.log import log
from pipelines.logs.reasons import masked, short, told

CANARY = "personal-canary-1"


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now_s = 100.0

    def __call__(self):
        return self.now_s


def test_a_line_is_one_json_object_with_what_every_line_has(lines):
    log.info("batch_done", rows=3, by=np.int64(2))

    (line,) = lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line["at"])
    assert {name: line[name] for name in ("level", "event", "job", "rows", "by")} == {
        "level": "info", "event": "batch_done", "job": "trial", "rows": 3, "by": 2,
    }  # fmt: skip
    assert list(line)[:4] == ["at", "level", "event", "job"]
    assert isinstance(line["pid"], int)


def test_what_is_less_important_than_the_level_is_not_said(capsys):
    writing.set_up("json", "warning", "trial")

    log.info("batch_done", rows=3)
    log.warning("kafka_away")

    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["kafka_away"]


def test_a_terminal_gets_lines_for_people(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("NO_COLOR", "1")
    writing.set_up("auto", "info", "trial")

    log.info("ranks_published", members=12)

    assert re.fullmatch(r"\d\d:\d\d:\d\d ranks_published +members=12\n", terminal.getvalue())


def test_what_is_no_terminal_gets_json(capsys):
    writing.set_up("auto", "info", "trial")

    log.info("ranks_published", members=12)

    assert json.loads(capsys.readouterr().err)["members"] == 12


def test_a_progress_bar_takes_lines_of_a_terminal_in_but_never_those_that_go_to_a_file(monkeypatch):
    """rich prints what goes to stderr while it draws on its own console, which may be stdout."""
    screen, file, terminal = io.StringIO(), io.StringIO(), Terminal()
    writing.set_up("json", "info", "trial")

    monkeypatch.setattr(sys, "stderr", FileProxy(Console(file=screen), file))
    log.info("job_started")
    assert (screen.getvalue(), file.getvalue().count("job_started")) == ("", 1)

    monkeypatch.setattr(sys, "stderr", FileProxy(Console(file=screen, width=300), terminal))
    log.info("job_started")
    assert (screen.getvalue().count("job_started"), terminal.getvalue()) == (1, "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://:s3cret@host:6379/0", "redis://***@host:6379/0"),
        ("amqp://me:s3cret@rabbit/shop is away", "amqp://***@rabbit/shop is away"),
        ("jaas password=s3cret; user=x", "jaas password=***; user=x"),
        ("a=1 b@c", "a=1 b@c"),
    ],
)
def test_passwords_are_masked(lines, text, expected):
    assert masked(text) == expected

    log.info("stream_started", checkpoint=text)

    assert lines()[0]["checkpoint"] == expected


def raised(error):
    try:
        raise error
    except Exception as caught:
        return caught


@pytest.mark.parametrize(
    "error",
    [
        ConflictError(f"the profiles of '{CANARY}' changed"),
        ResponseError(f"Command # 1 (HSET profile:{CANARY}) of pipeline caused error: WRONGTYPE"),
        ValueError(CANARY),
        KeyError(CANARY),
    ],
)
def test_of_an_error_that_may_name_somebody_the_kind_is_told_and_where_it_was(lines, error):
    log.error("task_failed", error=raised(error))

    (line,) = lines()
    assert line["error"] == type(error).__name__
    assert line["where"].startswith("tests/logs/test_lines.py:")
    assert CANARY not in json.dumps(line)


@pytest.mark.parametrize(
    ("error", "because"),
    [
        (ServerError("Kafka at a:1 is away\nsecond line"), "Kafka at a:1 is away"),
        (RedisConnectionError("Error 111 connecting to redis://:pw@h:1."), "Error 111 connecting to redis://***@h:1."),
        (FileNotFoundError(2, "No such file or directory", CANARY), "No such file or directory"),
    ],
)
def test_of_an_error_that_says_addresses_and_paths_the_first_line_is_told(error, because):
    assert told(error)["because"] == because


def test_what_is_said_is_no_longer_than_a_line_bears():
    assert len(short("x" * 10_000)) <= 301


def test_libraries_speak_in_the_same_lines(lines):
    logging.getLogger("kafka.conn").error("connecting to %s failed\nmore", "127.0.0.1:1")
    logging.getLogger("kafka.conn").warning("not said: it tries again")
    logging.getLogger("uvicorn.error").info("not said")
    logging.getLogger("a.stranger").warning("it was %s", CANARY)
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("in the application")
    warnings.warn("a warning", stacklevel=1)

    said = lines()
    assert {line["event"] for line in said} == {"library_said"}
    assert [line["message"] for line in said[:3]] == [
        "connecting to 127.0.0.1:1 failed",
        "it was %s",
        "in the application",
    ]
    assert (said[2]["error"], said[2]["level"]) == ("ValueError", "error")
    assert "a warning" in said[3]["message"]
    assert CANARY not in json.dumps(said)


def test_a_library_is_not_heard_about_what_is_being_found_out(lines):
    logger = logging.getLogger("uvicorn")
    with unheard("uvicorn"):
        logger.error("away")
    logger.error("still away")

    assert [line["message"] for line in lines()] == ["still away"]


def test_a_library_that_says_the_same_again_and_again_is_told_once_a_minute(lines):
    clock = Clock()
    logger = logging.Logger("kafka.conn")  # of no other, and without a parent
    logger.addHandler(Libraries(clock))

    for node in range(5):
        logger.warning("node %s is away", node)
    clock.now_s += 61
    logger.warning("node %s is away", 5)

    assert [(line["message"], line["times"]) for line in lines()] == [("node 0 is away", 1), ("node 5 is away", 5)]


def test_a_micro_batch_is_told_when_it_did_something_and_what_it_says_carries_its_id(lines):
    with micro_batch("s", 7):
        log.info("records_quarantined", records=1)
        thread = threading.Thread(target=carried(lambda: log.info("audit_done")))
        thread.start()
        thread.join()
        tell_batch(rows=12, lists=3, lag_p50_ms=None)
    with micro_batch("s", 8):
        tell_batch(rows=0)
    with micro_batch("s", 9):
        pass
    log.info("learner_thawed")

    said = lines()
    assert [(line["event"], line.get("stream"), line.get("batch_id")) for line in said] == [
        ("records_quarantined", "s", 7),
        ("audit_done", "s", 7),
        ("batch_done", "s", 7),
        ("learner_thawed", None, None),
    ]
    assert (said[2]["rows"], said[2]["lists"], "lag_p50_ms" in said[2]) == (12, 3, False)
    assert said[2]["duration_ms"] >= 0


def test_a_micro_batch_that_fails_is_told_and_fails(lines):
    with pytest.raises(ValueError, match="canary"), micro_batch("s", 7):
        raise ValueError(CANARY)

    (line,) = lines()
    assert (line["event"], line["batch_id"], line["error"]) == ("batch_failed", 7, "ValueError")


def test_in_a_terminal_the_micro_batches_of_a_busy_stream_are_added_up():
    clock = Clock()
    paced, out = Paced(clock), []
    for seconds, rows in ((0, 1), (0.1, 2), (0.2, 4), (2.5, 8), (9, 16)):
        clock.now_s = 100.0 + seconds
        with suppress(structlog.DropEvent):
            out.append(paced(None, "info", {"event": "batch_done", "stream": "s", "rows": rows}))

    assert [(line["batches"], line["rows"]) for line in out] == [(1, 1), (3, 14), (1, 16)]
    assert "batches" not in paced(None, "info", {"event": "job_started"})
    with suppress(structlog.DropEvent):
        paced(None, "info", {"event": "batch_done", "stream": "s", "rows": 32})
    ended = paced(None, "info", {"event": "stream_stopped", "stream": "s"})
    assert ended["not_told_yet"] == "1 batches, 32 rows"
    assert "not_told_yet" not in paced(None, "info", {"event": "stream_stopped", "stream": "s"})


@pytest.mark.parametrize("wanted", ["auto", "console"])
def test_what_nobody_caught_becomes_a_line_without_its_text(wanted):
    """But for people at a terminal, who get Python's traceback."""
    code = (
        "from pipelines.logs.writing import set_up; import threading\n"
        f"set_up('{wanted}', 'info', 'trial')\n"
        f"def fail(): raise ValueError('{CANARY}')\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join()\n"
        "fail()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert run.returncode == 1
    if wanted == "auto":
        said = [json.loads(line) for line in run.stderr.splitlines()]
        assert [(line["event"], line["error"]) for line in said] == [("crashed", "ValueError")] * 2
        assert CANARY not in run.stderr
    else:
        assert CANARY in run.stderr


def test_a_child_writes_as_its_parent_does(lines, capsys):
    code = "from pipelines.logs.writing import take_up; from pipelines.logs.log import log\ntake_up(); log.info('job_started')"

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert json.loads(run.stderr)["job"] == "trial"
