"""What is said inside a micro-batch carries its id: on the driver, in threads that it starts, and in the workers' tasks."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import Any, ParamSpec, TypeVar

from pyspark import TaskContext
from structlog.contextvars import bound_contextvars

from pipelines.logs.log import log
from pipelines.logs.writing import take_up

_figures: ContextVar[dict[str, Any] | None] = ContextVar("figures", default=None)
_P = ParamSpec("_P")
_T = TypeVar("_T")


@contextmanager
def micro_batch(stream: str, batch_id: int) -> Iterator[None]:
    """Say when the micro-batch is done, with what `tell_batch` told; nothing where it told of no rows. An error is told too."""
    began_s, figures = time.perf_counter(), dict[str, Any]()
    token = _figures.set(figures)
    try:
        with bound_contextvars(stream=stream, batch_id=batch_id):
            try:
                yield
            except Exception as error:
                log.error("batch_failed", error=error, duration_ms=_ms_since(began_s))
                raise
            if figures.get("rows"):
                log.info("batch_done", duration_ms=_ms_since(began_s), **figures)
    finally:
        _figures.reset(token)


def tell_batch(*, rows: int, **figures: Any) -> None:
    """Say what the micro-batch that runs here did: rows that it read, and the few figures that matter, units in names."""
    told = _figures.get()
    if told is not None:
        told.update(rows=rows, **{name: value for name, value in figures.items() if value is not None})


def carried(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """`function` for another thread: what it logs carries what is bound here."""
    context = copy_context()

    def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        return context.run(function, *args, **kwargs)

    return run


@contextmanager
def in_task() -> Iterator[None]:
    """Around what a Python worker does for one task: binds its micro-batch and partition, and tells an error before it is raised.

    Costs some microseconds a task.
    """
    take_up()
    context = TaskContext.get()
    bound: dict[str, Any] = {}
    if context is not None:
        bound["partition"] = context.partitionId()
        if batch_id := context.getLocalProperty("streaming.sql.batchId"):
            bound["batch_id"] = int(batch_id)
    with bound_contextvars(**bound):
        try:
            yield
        except Exception as error:
            log.error("task_failed", error=error)
            raise


def _ms_since(began_s: float) -> int:
    return round((time.perf_counter() - began_s) * 1000)
