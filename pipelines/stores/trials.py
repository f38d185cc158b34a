"""How items did where they were shown, for trying new ones: one JSON document for a segment. Format: docs/redis.md."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import orjson
from redis import Redis

from pipelines.stores.keys import explore_key

EVERYBODY = "all"


@dataclass(frozen=True)
class TrialCounts:
    """Decayed counts as of one moment."""

    as_of_ms: int  # newest event that is in it, epoch ms
    items: Sequence[str]
    clicks: Sequence[float]  # same order
    impressions: Sequence[float]


class TrialStore:
    """Publishes and reads the counts. Safe to replay: a document is a whole; it disappears after `ttl_seconds`."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def publish(self, counts: TrialCounts, *, ttl_seconds: int, segment: str = EVERYBODY) -> None:
        """Put the counts in the place of those that were there."""
        self._client.set(explore_key(segment), orjson.dumps(asdict(counts)), ex=ttl_seconds)

    def read(self, segment: str = EVERYBODY) -> TrialCounts | None:
        """The counts; None where there are none, or they expired."""
        document = self._client.get(explore_key(segment))
        return TrialCounts(**orjson.loads(document)) if isinstance(document, bytes) else None
