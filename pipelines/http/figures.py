"""Figures for Prometheus, of one process or of all workers."""

import os
from pathlib import Path

from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # workers share their figures by files in it
FIGURES_TYPE = "text/plain; version=0.0.4; charset=utf-8"
disable_created_metrics()  # type: ignore[no-untyped-call]  # a time stamp beside every figure says nothing to Prometheus


def render(registry: CollectorRegistry) -> bytes:
    """Return the figures in Prometheus' text format; with several workers, added up over all."""
    return generate_latest(of_all_workers(registry))


def of_all_workers(registry: CollectorRegistry) -> CollectorRegistry:
    """What all workers counted, where there are several; else the registry itself."""
    if not os.environ.get(MULTIPROCESS_VARIABLE):
        return registry
    _forget_gauges_of_the_dead()
    all_workers = CollectorRegistry()
    MultiProcessCollector(all_workers)  # type: ignore[no-untyped-call]  # registers itself
    return all_workers


def _forget_gauges_of_the_dead() -> None:
    """A worker that was killed could not: what it saw last would be told for as long as the service runs."""
    folder = Path(os.environ[MULTIPROCESS_VARIABLE])
    for pid in {int(file.stem.rpartition("_")[2]) for file in folder.glob("gauge_live*.db")}:
        try:
            os.kill(pid, 0)  # asks only whether it lives
        except OSError:  # no such process; or another user's, which has the number now
            mark_process_dead(pid)  # type: ignore[no-untyped-call]
