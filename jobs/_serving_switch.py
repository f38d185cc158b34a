"""What `check_freshness` does with its verdicts: keeps what it must remember, and sets what is served."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from pipelines.config import Config
from pipelines.errors import ConflictError, ServerError
from pipelines.freshness.ages import Age
from pipelines.freshness.switching import Decision, Serving, Watch, decide
from pipelines.local.addresses import with_running_redis
from pipelines.logs.log import log
from pipelines.stores.connection import connect
from pipelines.stores.freshness import FreshnessStore, Remembered
from pipelines.stores.serving_mode import ServingMode

N_ATTEMPTS = 20


@dataclass(frozen=True)
class Served:
    """What is served after a look."""

    mode: ServingMode | None  # None: Redis cannot be asked
    is_changed: bool = False
    note: str = ""
    problem: str = ""

    @property
    def text(self) -> str:
        said = self.problem if self.mode is None else self.mode.mode
        because = self.mode.reason if self.mode else ""
        return "".join([said, because and f": {because}", self.note and f" ({self.note})"])

    def figures(self) -> dict[str, Any]:
        """For machines."""
        mode, reason, by = (self.mode.mode, self.mode.reason, self.mode.by) if self.mode else (None, self.problem, "")
        return {"mode": mode, "changed": self.is_changed, "reason": reason, "by": by, "note": self.note}


class ServingSwitch:
    """Takes looks in, one at a time in effect: who read before another wrote, decides again from what is there now.

    Memory and mode change in one step on the server, so no look can die between them. Safe to replay, and for several
    at once: a look older than the newest changes nothing.
    """

    def __init__(self, client: Redis | None, job: str, known_event_ms: int | None, problem: str) -> None:
        self.client, self.known_event_ms = client, known_event_ms
        self._job, self._problem = job, problem

    @classmethod
    def open(cls, config: Config, job: str) -> "ServingSwitch":
        """Connect. A Redis that is away is no error here: then the switch does nothing, and says so."""
        try:
            client = connect(str(with_running_redis(config).redis.url), timeout_seconds=3.0, retries=1)
            return cls(client, job, _watch(FreshnessStore(client).read()).newest_event_ms, "")
        except (ServerError, RedisError, OSError) as error:
            return cls(None, job, None, f"cannot be read: {str(error).splitlines()[0]}")

    def take_in(
        self, ages: Sequence[Age], event_ms: int | None, now_ms: int, recover_ms: int, *, is_dry_run: bool
    ) -> Served:
        """Switch where it is time. Raises ConflictError where others wrote each time, again and again."""
        if self.client is None:
            return Served(None, problem=self._problem)
        store = FreshnessStore(self.client)
        try:
            for _ in range(N_ATTEMPTS):
                read = store.read()
                decision = decide(_watch(read, event_ms), self._serving(read), ages, now_ms, recover_ms)
                if served := self._write(store, read, decision, now_ms, is_dry_run):
                    return served
        except RedisError as error:
            return Served(None, problem=f"cannot be set: {error}")
        raise ConflictError(
            f"serving:mode was changed by others {N_ATTEMPTS} times while {self._job} looked; run it again"
        )

    def _write(
        self, store: FreshnessStore, read: Remembered, decision: Decision, now_ms: int, is_dry_run: bool
    ) -> Served | None:
        switch = decision.switch
        if is_dry_run:
            return Served(read.mode, note=f"would be {switch.mode}: {switch.reason}" if switch else decision.note)
        mode = ServingMode(switch.mode, switch.reason, now_ms, self._job) if switch else None
        if not store.exchange(read, asdict(decision.watch), mode):
            return None
        if mode is not None:
            log.warning("serving_changed", mode=mode.mode)
        return Served(mode or read.mode, is_changed=mode is not None, note=decision.note)

    def _serving(self, read: Remembered) -> Serving:
        is_held = read.is_mode_set and read.mode.by != self._job
        return Serving(read.mode.mode, (read.mode.by or "somebody") if is_held else "")


def _watch(read: Remembered, event_ms: int | None = None) -> Watch:
    """What was remembered, and the newest event of this look."""
    known = Watch(**{name: read.values[name] for name in vars(Watch()) if isinstance(read.values.get(name), int)})
    newest_ms = max((at for at in (known.newest_event_ms, event_ms) if at is not None), default=None)
    return Watch(known.as_of_ms, known.fresh_since_ms, newest_ms)
