"""What the hot path's driver sees to beside the stream: lists that time makes, renewals at leisure, and the log of lists.

The stream has no micro-batch while nobody clicks, so this has a clock of its own. The work itself is done by Spark's tasks, on
several executors; the driver asks Redis how much there is, and starts a job only then.
"""

import threading
import time
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any, Protocol

from pyspark.sql import DataFrame, SparkSession

from pipelines.hot_path.list_rows import logged_lists
from pipelines.hot_path.spark import renewals_sought, swept
from pipelines.hot_path.worker import StageSettings
from pipelines.logs.log import log
from pipelines.logs.trouble import Trouble
from pipelines.stores.due import DueStore, Kind
from pipelines.stores.list_log import ListLog
from pipelines.stores.renewals import RenewalStore

MAX_LISTS_A_SWEEP = 20_000  # of all shards together: the micro-batches want the cores too
SHARE_OF_TIME = 20  # looking through all lists takes at most this part of the time


class ListFile(Protocol):
    """Where published lists are filed. What happens on a replay is its docstring's matter."""

    def append(self, rows: DataFrame, series: str, number: int, /) -> None: ...


class ListKeeper:
    """Runs a round every `lists.sweep_seconds` on a thread of its own; what fails is told, and tried again in the next."""

    def __init__(
        self,
        spark: SparkSession,
        settings: StageSettings,
        due: DueStore,
        log: ListLog,
        renewals: RenewalStore,
        file: ListFile,
        model_version: Callable[[], str | None],
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._spark, self._settings, self._lists = spark, settings, settings.lists
        self._due, self._log, self._renewals, self._file = due, log, renewals, file
        self._model_version, self._now_s = model_version, now_s
        self._filed_s = self._sought_until_s = 0.0
        self._figures: dict[str, Any] = {
            "n_swept_lists": 0,
            "n_lists_by_time": 0,
            "n_lists_renewed": 0,
            "n_renewals_sought": 0,
            "n_filings": 0,
            "lists_error": None,
        }
        self._trouble = Trouble("lists_failing", "lists_back")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lists", daemon=True)

    def start(self) -> None:
        """Begin with the rounds."""
        self._thread.start()

    def stop(self, patience_seconds: float = 60.0) -> None:
        """Let the round that runs end, and do a last one, so that what was published is filed."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(patience_seconds)
        if not self._thread.is_alive():
            self._round(is_last=True)

    def figures(self) -> Mapping[str, Any]:
        """For the heartbeat."""
        return self._figures

    def _run(self) -> None:
        while not self._stopped.wait(self._lists.sweep_seconds):
            self._round()

    def _round(self, *, is_last: bool = False) -> None:
        """Sweep, seek, file. Nothing that fails here reaches the stream."""
        try:
            self._sweep("due", MAX_LISTS_A_SWEEP)
            self._sweep("renewal", ceil(self._lists.renewals_per_second * self._lists.sweep_seconds))
            self._seek_renewals()
            self._file_lists(is_last=is_last)
            self._figures["lists_error"] = None
            self._trouble.over()
        except Exception as error:  # of Redis, Spark or Delta
            self._figures["lists_error"] = f"{type(error).__name__}: {error}".splitlines()[0]
            self._trouble.failed(error)

    def _sweep(self, kind: Kind, n_most: int) -> None:
        now_ms = round(self._now_s() * 1000)
        upto = float(now_ms) if kind == "due" else float("inf")
        waiting = {shard: n for shard, n in enumerate(self._due.waiting(kind, upto, now_ms)) if n}
        if waiting:
            portions = shared_out(waiting, n_most)
            reports = swept(self._spark, self._settings, kind, portions, now_ms).collect()
            n_lists = sum(report["n_lists"] for report in reports)
            self._figures["n_swept_lists"] += n_lists
            self._figures["n_lists_by_time" if kind == "due" else "n_lists_renewed"] += n_lists
            if n_lists:
                duration_ms = round(self._now_s() * 1000) - now_ms
                log.info(
                    "lists_swept", queue=kind, lists=n_lists, waiting=sum(waiting.values()), duration_ms=duration_ms
                )

    def _seek_renewals(self) -> None:
        """Look through all lists when another model is in use, or the catalogue has changed."""
        began_s = self._now_s()
        if began_s < self._sought_until_s:
            return
        now, done = self._renewals.now(self._model_version()), self._renewals.done()
        if now == done:
            return
        if done is not None:
            since_s = round(began_s - self._lists.renewal_days * 24 * 3600)
            (report,) = renewals_sought(self._spark, self._settings, since_s).collect()
            self._figures["n_renewals_sought"] += report["n_sought"]
            log.info("renewals_sought", users=report["n_sought"], model_version=report["model_version"])
            self._sought_until_s = self._now_s() + SHARE_OF_TIME * (self._now_s() - began_s)
            if report["model_version"] != now.split(" ", maxsplit=1)[0]:
                return  # the workers do not have it yet
        self._renewals.set_done(now)

    def _file_lists(self, *, is_last: bool) -> None:
        if not self._lists.log_seconds or (self._now_s() < self._filed_s + self._lists.log_seconds and not is_last):
            return
        self._filed_s = self._now_s()
        plan = self._log.plan()
        if not plan.is_empty:
            rows = logged_lists(self._spark, self._settings.redis_url, plan)
            self._file.append(rows, plan.series, plan.number)
            self._log.finish(plan)
            self._figures["n_filings"] += 1
            log.info("lists_filed", filing=plan.number, duration_ms=round((self._now_s() - self._filed_s) * 1000))


def shared_out(waiting: Mapping[int, int], n_most: int) -> dict[int, int]:
    """How many of each shard's waiting users are taken: about as many of each, `n_most` together at most."""
    share, rest = divmod(n_most, len(waiting))
    portions = {shard: min(n, share + (place < rest)) for place, (shard, n) in enumerate(waiting.items())}
    return {shard: n for shard, n in portions.items() if n}
