"""What a stream's figures were in the last day, a point a minute: for small plots, not for proofs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from pipelines.stores.keys import history_key

N_POINTS = 24 * 60
TTL_SECONDS = 2 * 24 * 3600
# Totals since the start (a plot shows what they rose by), and figures as they are.
TOTALS = ("n_new", "n_lists", "n_valid", "n_quarantined")
NOTED = (*TOTALS, "kafka_lag", "lag_p50_ms", "progressive_ndcg", "progressive_ndcg_of_popularity")


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
        told: dict[Any, Any] = {name: figures[name] for name in NOTED if figures.get(name) is not None}
        if told:
            with self.client.pipeline(transaction=False) as pipe:
                pipe.xadd(history_key(job), told, maxlen=N_POINTS, approximate=True)
                pipe.expire(history_key(job), TTL_SECONDS)
                pipe.execute()

    def read(self, job: str) -> list[Point]:
        """The points of a job, the oldest first."""
        entries: Any = self.client.xrange(history_key(job))
        return [
            Point(int(entry_id.split(b"-")[0]), {name.decode(): float(value) for name, value in told.items()})
            for entry_id, told in entries
        ]
