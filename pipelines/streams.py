"""The only place that starts a stream, and the one that stops it without cutting a micro-batch in two."""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Protocol

from pyspark import SparkContext
from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from pipelines.errors import LiveshelfError

POLL_SECONDS = 0.05


class BatchSink(Protocol):
    """Takes one micro-batch. Spark may call it again with the same batch and id: what then happens is its docstring's matter."""

    def __call__(self, batch: DataFrame, batch_id: int, /) -> None: ...


class StopRequestedError(LiveshelfError):
    """Ends a stream before a micro-batch begins: nothing of that batch is done, and it comes again at the next start."""


class RunningStream:
    """A started query. `wait` returns when it ended, raises what it failed of, and stops it cleanly on SIGTERM or Ctrl-C."""

    def __init__(self, query: StreamingQuery, context: SparkContext, stop_event: threading.Event) -> None:
        self.query = query
        self._context = context
        self._stop = stop_event

    def stop(self, *, patience_seconds: float = 60.0) -> None:
        """End between two micro-batches. Raises the stream's own error where it failed before.

        `query.stop()` inside a Python sink can end in a StackOverflowError (Spark 4.2), so the sink itself refuses the
        next batch; only a stream that has nothing to do is stopped from outside.
        """
        self._stop.set()
        self._context.setLogLevel("OFF")  # the refusal is ours: Spark would print it with the whole plan
        deadline = time.monotonic() + patience_seconds
        while self.query.isActive and time.monotonic() < deadline:
            if not self.query.status["isTriggerActive"]:
                self.query.stop()
            time.sleep(POLL_SECONDS)
        self._context.setLogLevel("WARN")
        error = self.query.exception()
        if error and StopRequestedError.__name__ not in str(error):
            raise error

    def wait(self) -> None:
        """Block until the stream ends. Raises the stream's own error unless a stop was asked for."""
        _on_stop_signals(self._stop.set)
        while self.query.isActive and not self._stop.is_set():
            self._stop.wait(POLL_SECONDS)
        if self._stop.is_set():
            self.stop()
        elif error := self.query.exception():
            raise error


def start_stream(
    frame: DataFrame, sink: BatchSink, *, name: str, checkpoint: str, once: bool = False, trigger_seconds: float = 0.0
) -> RunningStream:
    """Start `frame` → `sink`.

    `once`: all that is available now, in as many micro-batches as the source's bound makes of it, then end.
    `trigger_seconds` 0: the next micro-batch begins when the one before has ended.
    """
    stop_event = threading.Event()
    writer = (
        frame.writeStream.queryName(name)
        .option("checkpointLocation", checkpoint)
        .foreachBatch(_refusing_when(stop_event.is_set, sink))
    )
    if once:
        writer = writer.trigger(availableNow=True)
    elif trigger_seconds:
        writer = writer.trigger(processingTime=f"{int(trigger_seconds * 1000)} milliseconds")
    return RunningStream(writer.start(), frame.sparkSession.sparkContext, stop_event)


def _refusing_when(stopping: Callable[[], bool], sink: BatchSink) -> Callable[[DataFrame, int], None]:
    def run(batch: DataFrame, batch_id: int) -> None:
        if stopping():
            raise StopRequestedError(f"stopped before batch {batch_id}")
        sink(batch, batch_id)

    return run


def _on_stop_signals(stop: Callable[[], None]) -> None:
    if threading.current_thread() is not threading.main_thread():
        return

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
