"""What a stream last did, for whoever watches: one small JSON document a job."""

import threading
import time
from collections.abc import Mapping
from typing import Any

import orjson
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from pipelines.logs.trouble import Trouble
from pipelines.stores.history import HistoryStore
from pipelines.stores.keys import heartbeat_key

TTL_SECONDS = 7 * 24 * 3600
STARTING, RUNNING = "starting", "running"
NOTE_SECONDS = 60.0
KILLED, OTHER_ERROR = "killed", "other"
MOST_KINDS = 20


class HeartbeatStore:
    """Sets and reads heartbeats. Safe to replay: the newest wins. It is no ledger: figures of an interrupted batch may repeat."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def beat(self, job: str, figures: Mapping[str, Any]) -> None:
        """Tell that `job` lives and what its last micro-batch did."""
        document = orjson.dumps({**figures, "as_of_ms": time.time_ns() // 1_000_000}, option=orjson.OPT_SERIALIZE_NUMPY)
        self._client.set(heartbeat_key(job), document, ex=TTL_SECONDS)

    def note(self, job: str, figures: Mapping[str, Any]) -> None:
        """Keep a point of the history of `job`."""
        HistoryStore(self._client).note(job, figures)

    def read(self, job: str) -> dict[str, Any] | None:
        """The last heartbeat of `job`, with its `as_of_ms`; None when there was none."""
        document = self._client.get(heartbeat_key(job))
        return orjson.loads(document) if isinstance(document, bytes) else None


class SharedHeartbeat:
    """The heartbeat of a stream: each of its threads tells its own figures, and every beat has the last of all.

    `as_of_ms` is when it last gave a sign of life, `batch_as_of_ms` when it last ended a micro-batch, `started_ms` when its
    process began to tell. Once a minute a beat is noted in the history, too. Two figures outlive a process, as the first beat
    takes them over from the last one of the process before: `n_starts`, and `errors_by_kind`, what streams ended of. One that was
    killed could not say so, nor one that died before its query ran: it is an error of the kind KILLED, for it still starts or
    runs by its last word. KILLED is told from 0 on, and so is `n_errors`, the sum: of any other kind the first error is no rise.
    """

    def __init__(self, store: HeartbeatStore, job: str) -> None:
        self._store, self._job = store, job
        self._figures: dict[str, Any] = {}
        self._lock = threading.Lock()  # else an older beat could overtake a newer one
        self._next_note_s = 0.0
        self._silence = Trouble("pulse_failing", "pulse_back")

    def begin(self) -> "SharedHeartbeat":
        """Tell that the process starts: before Spark does, which may take long, or fail."""
        self.tell({})
        return self

    def tell(self, figures: Mapping[str, Any]) -> None:
        """Beat with these figures and what others told before."""
        with self._lock:
            if not self._figures:
                self._figures.update(_taken_over(self._store.read(self._job) or {}))
            self._figures.update(figures)
            if failed_of := self._figures.pop("failed_of", None):
                self._figures["errors_by_kind"] = _one_more(self._figures["errors_by_kind"], failed_of)
            self._figures["n_errors"] = sum(self._figures["errors_by_kind"].values())
            self._store.beat(self._job, self._figures)
            if time.monotonic() >= self._next_note_s:
                self._next_note_s = time.monotonic() + NOTE_SECONDS
                self._store.note(self._job, self._figures)

    def tell_batch(self, figures: Mapping[str, Any]) -> None:
        """Tell what a micro-batch did that has just ended; with the next beat, where Redis does not answer."""
        try:
            self.tell({**figures, "batch_as_of_ms": time.time_ns() // 1_000_000})
        except (RedisConnectionError, RedisTimeoutError) as error:  # no reason to end a stream that works
            self._silence.failed(error, stream=self._job)
        else:
            self._silence.over(stream=self._job)


def _taken_over(last: Mapping[str, Any]) -> dict[str, Any]:
    """What a process begins with, after one that said `last`."""
    errors = {KILLED: 0, **last.get("errors_by_kind", {})}
    if last.get("state") in (STARTING, RUNNING):
        errors = _one_more(errors, KILLED)
    n_starts = last.get("n_starts", 0) + 1
    started_ms = time.time_ns() // 1_000_000
    return {"state": STARTING, "started_ms": started_ms, "n_starts": n_starts, "errors_by_kind": errors}


def _one_more(errors: Mapping[str, int], kind: str) -> dict[str, int]:
    kind = kind if kind in errors or len(errors) < MOST_KINDS else OTHER_ERROR
    return {**errors, kind: errors.get(kind, 0) + 1}
