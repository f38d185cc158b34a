"""Figures of several workers, one of which was killed."""

import os
import subprocess
import sys

from pipelines.http.figures import render

TOLD = """
import os
from prometheus_client import CollectorRegistry, Counter, Gauge
registry = CollectorRegistry()
Gauge("up", "whether Redis answers", registry=registry, multiprocess_mode="livemin").set({up})
Counter("answers", "answers", registry=registry).inc(5)
os.kill(os.getpid(), 9)
"""


def test_a_number_that_another_users_process_has_now_is_no_worker(tmp_path, monkeypatch):
    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr("pipelines.http.figures.os.kill", refuse)
    (tmp_path / "gauge_livemin_4711.db").write_bytes(b"")

    render(None)

    assert not list(tmp_path.iterdir())


def test_what_a_killed_worker_saw_last_is_told_no_more_and_what_it_counted_is(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    subprocess.run([sys.executable, "-c", TOLD.format(up=0)], env={**os.environ}, check=False)
    assert list(tmp_path.glob("gauge_livemin_*.db"))

    told = render(None).decode()

    assert "answers_total 5.0" in told
    assert "\nup{" not in told and "\nup " not in told
