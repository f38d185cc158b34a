"""Figures for Prometheus, of one process or of all workers."""

import os

from prometheus_client import CollectorRegistry, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

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
    all_workers = CollectorRegistry()
    MultiProcessCollector(all_workers)  # type: ignore[no-untyped-call]  # registers itself
    return all_workers
