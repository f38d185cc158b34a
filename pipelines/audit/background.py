"""Audits a sample of what a stream has just written, beside the stream and never in its way."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone

import pandas as pd
from pyspark.sql import DataFrame

from pipelines.audit.comparison import audit_sample
from pipelines.audit.results import AuditResult
from pipelines.audit.sampling import take_sample
from pipelines.events.rules import CompiledRules
from pipelines.logs.batches import carried
from pipelines.logs.log import log


class BackgroundAudit:
    """Runs Great Expectations in a thread of its own, on samples of the micro-batches that it is offered.

    At most one audit runs at a time, and one begins every `every_seconds` at most. The stream waits for the sample alone
    (one Spark job over the batch's cache). `on_result` and `on_error` are called in the audit's thread. Nothing that
    fails here, the two included, reaches the stream.
    """

    def __init__(
        self,
        rules: CompiledRules,
        *,
        every_seconds: float,
        max_rows: int,
        on_result: Callable[[AuditResult], None],
        on_error: Callable[[Exception], None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._rules = rules
        self._every_seconds, self._max_rows = every_seconds, max_rows
        self._on_result, self._on_error = on_result, on_error
        self._clock, self._now = clock, now
        self._due_at = clock()  # the first batch is audited
        self._running: threading.Thread | None = None
        self._is_stopped = threading.Event()

    def offer(self, rows: DataFrame, batch_id: int) -> None:
        """Audit a sample of `rows` (Contract.verdicts, cached) if it is time for it; else do nothing. Raises nothing."""
        if self._is_stopped.is_set() or self._is_running() or self._clock() < self._due_at:
            return
        self._due_at = self._clock() + self._every_seconds
        try:
            sample = take_sample(rows, self._max_rows)
        except Exception as error:  # whatever Spark says: the stream goes on
            self._fail(error)
            return
        self._running = threading.Thread(
            target=carried(self._audit), args=(sample, batch_id), name="audit", daemon=True
        )
        self._running.start()

    def stop(self, patience_seconds: float = 10.0) -> None:
        """Take no more batches; wait for a running audit, and where it takes too long, forget it: it reports nothing then."""
        if self._running:
            self._running.join(patience_seconds)
        self._is_stopped.set()

    def _is_running(self) -> bool:
        return self._running is not None and self._running.is_alive()

    def _audit(self, sample: pd.DataFrame, batch_id: int) -> None:
        scope = f"micro-batch {batch_id}: a sample of at most {self._max_rows:,} rows"
        try:
            rules, ruleset = self._rules.rules, self._rules.ruleset
            result = audit_sample(sample, rules, ruleset=ruleset, scope=scope, as_of=self._now())
            if not self._is_stopped.is_set():
                _log_verdict(result)
                self._on_result(result)
        except Exception as error:  # whatever Great Expectations or the table of results says: the stream goes on
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if self._is_stopped.is_set():
            return
        log.warning("audit_failed", error=error)
        try:
            self._on_error(error)
        except Exception as unreported:  # such as Redis being away
            log.warning("audit_unreported", error=unreported)


def _log_verdict(result: AuditResult) -> None:
    log.info("audit_done", verdict=result.verdict, rules=len(result.rules), differing=len(result.differing))
    for rule in result.differing:
        log.error(
            "rule_differs", rule=rule.outcome.rule.name, unexpected=rule.outcome.n_unexpected, compiled=rule.n_compiled
        )
