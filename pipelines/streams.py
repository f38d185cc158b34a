"""The only place that starts a stream, and the one that stops it without cutting a micro-batch in two."""

import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Protocol

from pyspark.sql import DataFrame
from pyspark.sql.streaming.query import StreamingQuery

from pipelines.errors import LiveshelfError
from pipelines.logs.batches import micro_batch
from pipelines.logs.log import log
from pipelines.logs.trouble import Trouble
from pipelines.progress import BatchCount, kind_of, progress_figures

POLL_SECONDS = 0.05
PULSE_SECONDS = 5.0


class BatchSink(Protocol):
    """Takes one micro-batch. Spark may call it again with the same batch and id: what then happens is its docstring's matter."""

    def __call__(self, batch: DataFrame, batch_id: int, /) -> None: ...


Replan = Callable[[], DataFrame | None]
Pulse = Callable[[Mapping[str, Any]], None]


class StopRequestedError(LiveshelfError):
    """Ends a stream before a micro-batch begins: nothing of that batch is done, and it comes again at the next start."""


@dataclass
class _Requests:
    """What ends a query before its next micro-batch."""

    stop: threading.Event = field(default_factory=threading.Event)
    frame: DataFrame | None = None  # what the query is to begin again with

    def are_there(self) -> bool:
        return self.stop.is_set() or self.frame is not None


class RunningStream:
    """A started query. `wait` returns when it ended, raises what it failed of, and stops it cleanly on SIGTERM or Ctrl-C."""

    def __init__(
        self,
        begin: Callable[[DataFrame], StreamingQuery],
        frame: DataFrame,
        requests: _Requests,
        pulse: Pulse,
        name: str,
    ) -> None:
        self.query = begin(frame)
        self._name = name
        self._silence = Trouble("pulse_failing", "pulse_back")
        self._pulse, self._next_pulse = pulse, 0.0
        self._begin = begin
        self._context = frame.sparkSession.sparkContext
        self._requests = requests
        self._count = BatchCount()

    def stop(self, *, patience_seconds: float = 60.0) -> None:
        """End between two micro-batches. Raises the stream's own error where it failed before.

        `query.stop()` inside a Python sink can end in a StackOverflowError (Spark 4.2), so the sink itself refuses the
        next batch; only a stream that has nothing to do is stopped from outside.
        """
        self._requests.stop.set()
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
        told = {"state": "stopped"}
        try:
            self._wait()
            log.info("stream_stopped", stream=self._name)
        except BaseException as error:
            told = {"state": "failed", "failed_of": kind_of(error)}
            log.error("stream_failed", stream=self._name, error=error)
            raise
        finally:
            self._give_pulse(told)

    def _wait(self) -> None:
        stop = self._requests.stop
        _on_stop_signals(stop.set)
        while not stop.is_set() and (self.query.isActive or self._began_again()):
            if time.monotonic() >= self._next_pulse:
                self._next_pulse = time.monotonic() + PULSE_SECONDS
                self._give_pulse({"state": "running"})
            stop.wait(POLL_SECONDS)
        if stop.is_set():
            self.stop()
        elif error := self.query.exception():
            raise error

    def _give_pulse(self, told: Mapping[str, str]) -> None:
        """Tell that the stream lives or how it ended, micro-batches or not, and whether Spark can say more or not.

        Whoever cannot be told is told the next time.
        """
        figures, trouble = self._figures_of_spark()
        try:
            self._pulse({**told, **figures})
        except Exception as error:  # of Redis: no reason to end a stream that works
            trouble = trouble or error
        if trouble:
            self._silence.failed(trouble, stream=self._name)
        else:
            self._silence.over(stream=self._name)

    def _figures_of_spark(self) -> tuple[Mapping[str, Any], Exception | None]:
        """What Spark says of the query; none, and why, where it cannot be asked, as when the driver's JVM has died."""
        try:
            return {**progress_figures(self.query), **self._count.figures(self.query)}, None
        except Exception as error:
            return {}, error

    def _began_again(self) -> bool:
        """Begin anew where the query ended for another plan: from the same checkpoint, with the batch that it refused."""
        frame, self._requests.frame = self._requests.frame, None
        if frame is None:
            return False
        self._context.setLogLevel("WARN")
        self._count.figures(self.query)  # what it did since the last pulse is not in the next query's progress
        self.query = self._begin(frame)
        log.info("plan_renewed", stream=self._name)
        return True


def start_stream(
    frame: DataFrame,
    sink: BatchSink,
    *,
    name: str,
    checkpoint: str,
    once: bool = False,
    trigger_seconds: float = 0.0,
    replan: Replan = lambda: None,
    pulse: Pulse = lambda _figures: None,
) -> RunningStream:
    """Start `frame` → `sink`.

    `once`: all that is available now, in as many micro-batches as the source's bound makes of it, then end.
    `trigger_seconds` 0: the next micro-batch begins when the one before has ended.
    `replan`: asked before each micro-batch, on a thread of its own. None: go on. A frame: do nothing of this micro-batch,
    and begin it again from that frame, which must read the same source and need no other checkpoint.
    `pulse`: called every PULSE_SECONDS while the stream is waited for, and when it ends, with its state (running, stopped or
    failed; then `failed_of` names the exception) and what Spark says of it (progress.py).
    """
    requests = _Requests()

    def begin(rows: DataFrame) -> StreamingQuery:
        writer = rows.writeStream.queryName(name).option("checkpointLocation", checkpoint)
        writer = writer.foreachBatch(_refusing_on(requests, replan, sink, name))
        if once:
            writer = writer.trigger(availableNow=True)
        elif trigger_seconds:
            writer = writer.trigger(processingTime=f"{int(trigger_seconds * 1000)} milliseconds")
        return writer.start()

    trigger = "once" if once else f"every {trigger_seconds:g} s" if trigger_seconds else "at once"
    stream = RunningStream(begin, frame, requests, pulse, name)
    log.info("stream_started", stream=name, checkpoint=checkpoint, trigger=trigger)
    return stream


def _refusing_on(requests: _Requests, replan: Replan, sink: BatchSink, name: str) -> Callable[[DataFrame, int], None]:
    def run(batch: DataFrame, batch_id: int) -> None:
        if not requests.are_there():
            requests.frame = replan()
        if requests.are_there():
            # the refusal is ours: Spark would print it with the whole plan
            batch.sparkSession.sparkContext.setLogLevel("OFF")
            raise StopRequestedError(f"stopped before batch {batch_id}")
        with micro_batch(name, batch_id):
            sink(batch, batch_id)

    return run


def _on_stop_signals(stop: Callable[[], None]) -> None:
    if threading.current_thread() is not threading.main_thread():
        return

    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
