"""What figures were, point by point: of a stream in the last day, of a job that ends in weeks. For plots, not for proofs."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from redis import Redis

from pipelines.stores.keys import history_key

N_POINTS = 24 * 60
TTL_SECONDS = 2 * 24 * 3600
# Totals since the start (a plot shows what they rose by), and figures as they are.
TOTALS = ("n_new", "n_lists", "n_valid", "n_quarantined")
NOTED_OF_JOBS = {  # that end: each of these figures, of all that it is of
    "detect_drift": ("worst_psi_ratio", "served_ndcg"),
    "evaluate_model": ("ndcg", "click_through"),
}
N_RUNS, RUNS_TTL_SECONDS = 2_000, 70 * 24 * 3600
RUNS_APART_MS = 5 * 60_000  # a job that looks more often is noted less often than it looks, or weeks would not fit
MOST_OF_A_RUN = 40  # numbers
NOTED = (
    *TOTALS, "kafka_lag", "lag_p50_ms", "n_timed", "n_late", "progressive_ndcg", "progressive_ndcg_of_popularity",
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """Figures by name, as they were at an instant."""

    at_ms: int  # epoch ms
    figures: Mapping[str, float]


@dataclass(frozen=True)
class HistoryStore:
    """Notes and reads points. A replayed note is one point more: a plot does not show it."""

    client: Redis

    def note(self, job: str, figures: Mapping[str, Any]) -> None:
        """Keep those of the figures that are NOTED; nothing where there is none."""
        told = {name: figures[name] for name in NOTED if figures.get(name) is not None}
        self._add(job, told, N_POINTS, TTL_SECONDS)

    def note_run(self, job: str, figures: Mapping[str, Mapping[str, float]]) -> None:
        """Keep what NOTED_OF_JOBS names of the figures of a run (`figure.label`); nothing of a run too soon after one noted."""
        named = {
            f"{name}.{of}": value for name in NOTED_OF_JOBS.get(job, ()) for of, value in figures.get(name, {}).items()
        }
        if self._is_due(job):
            self._add(job, dict(islice(named.items(), MOST_OF_A_RUN)), N_RUNS, RUNS_TTL_SECONDS)

    def _is_due(self, job: str) -> bool:
        """By the clock of Redis, which the points have, too."""
        newest: Any = self.client.xrevrange(history_key(job), count=1)
        now_s: Any = self.client.time()[0]
        return not newest or now_s * 1000 - _instant(newest[0][0]) >= RUNS_APART_MS

    def _add(self, job: str, told: dict[Any, Any], most: int, ttl_seconds: int) -> None:
        if told:
            with self.client.pipeline(transaction=False) as pipe:
                pipe.xadd(history_key(job), told, maxlen=most, approximate=True)
                pipe.expire(history_key(job), ttl_seconds)
                pipe.execute()

    def read(self, job: str, n_newest: int | None = None) -> list[Point]:
        """The points of a job, or its newest, the oldest first."""
        entries: Any = self.client.xrevrange(history_key(job), count=n_newest)
        return [
            Point(_instant(entry_id), {name.decode(): float(value) for name, value in told.items()})
            for entry_id, told in reversed(entries)
        ]


def _instant(entry_id: bytes) -> int:
    """Epoch ms."""
    return int(entry_id.split(b"-")[0])
