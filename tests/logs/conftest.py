"""Logging as a process of its own would have it, and as it was, afterwards."""

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
import structlog

from pipelines.logs import writing

Lines = Callable[[], list[dict]]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Put back what setting logging up changes in a process."""
    root = logging.getLogger()
    handlers, configured, hooks = root.handlers[:], structlog.get_config(), (sys.excepthook, threading.excepthook)
    variables = {name: os.environ.get(name) for name in (writing.VARIABLE, writing.JOB_VARIABLE)}
    levels = {name: logging.getLogger(name).level for name in writing._QUIET}
    yield
    root.handlers[:] = handlers
    logging.captureWarnings(False)
    structlog.configure(**configured)
    structlog.contextvars.clear_contextvars()
    sys.excepthook, threading.excepthook = hooks
    writing._taken_up.clear()
    for name, value in variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Lines of JSON that are said from now on, since they were last asked for."""
    writing.set_up("json", "info", "trial")

    def read() -> list[dict]:
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    return read
