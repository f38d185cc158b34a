"""Ranks of the whole shop, and the lists for whoever has none of their own, in Redis. Format: docs/redis.md."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from redis import Redis

from pipelines.stores.keys import fallback_key, rank_about_key, rank_key, rank_next_key

CHUNK = 5_000  # members in one ZADD: it blocks the server for some milliseconds
CHUNK_LISTS = 200


@dataclass(frozen=True)
class PublishedRank:
    """The best of all, by one feature."""

    name: str
    members: Sequence[str]  # best first
    scores: Sequence[float]  # same order; log form where there is a half-life
    as_of_ms: int  # newest event that is in it, epoch ms
    feature: str
    version: int  # of the definitions
    half_life_s: float | None  # None: the scores are values as of `as_of_ms`

    def values_at(self, time_s: float) -> list[float]:
        """The feature of each member at `time_s` (epoch seconds); their order is the same at any time."""
        if self.half_life_s is None:
            return list(self.scores)
        return [2.0 ** ((score - time_s) / self.half_life_s) for score in self.scores]

    @property
    def about(self) -> dict[str, Any]:
        """What is kept beside the members."""
        return {
            "as_of_ms": self.as_of_ms,
            "feature": self.feature,
            "version": self.version,
            "half_life_s": self.half_life_s,
            "n": len(self.members),
        }


class RankStore:
    """Publishes and reads ranks and fallback lists.

    Safe to replay: what is set is absolute, a rank as a whole and a list as a whole. A reader gets the rank of before or
    of after, never a part. What is not published again disappears after `ttl_seconds`, and is then read as None.
    """

    def __init__(self, client: Redis, *, ttl_seconds: int) -> None:
        self._client = client
        self.ttl_seconds = ttl_seconds

    def publish_rank(self, rank: PublishedRank) -> None:
        """Put `rank` in the place of the one of its name; one without members leaves none."""
        key, about, coming = rank_key(rank.name), rank_about_key(rank.name), rank_next_key(rank.name)
        if not rank.members:
            self._client.delete(key, about)
            return
        self._fill(coming, rank)
        with self._client.pipeline(transaction=True) as pipe:
            pipe.rename(coming, key)
            pipe.expire(key, self.ttl_seconds)
            pipe.set(about, orjson.dumps(rank.about), ex=self.ttl_seconds)
            pipe.execute()

    def read_rank(self, name: str, n: int | None = None) -> PublishedRank | None:
        """The `n` best of the rank `name` (None: all); None where there is no such rank, or it expired."""
        with self._client.pipeline(transaction=True) as pipe:
            pipe.zrange(rank_key(name), 0, -1 if n is None else n - 1, desc=True, withscores=True)
            pipe.get(rank_about_key(name))
            entries, stored = pipe.execute()
        if not entries or stored is None:
            return None
        about = orjson.loads(stored)
        del about["n"]
        members, scores = [member.decode() for member, _ in entries], [score for _, score in entries]
        return PublishedRank(name, members, scores, **about)

    def publish_fallbacks(self, documents: Mapping[str, bytes]) -> None:
        """Set the list (a PublishedList as JSON) of each segment; each is a whole, and together they are not."""
        segments = iter(documents.items())
        while chunk := list(itertools.islice(segments, CHUNK_LISTS)):
            with self._client.pipeline(transaction=False) as pipe:
                for segment, document in chunk:
                    pipe.set(fallback_key(segment), document, ex=self.ttl_seconds)
                pipe.execute()

    def read_fallback(self, segment: str) -> bytes | None:
        """The list of `segment`, a PublishedList as JSON; None where there is none, or it expired."""
        document = self._client.get(fallback_key(segment))
        return document if isinstance(document, bytes) else None

    def _fill(self, key: str, rank: PublishedRank) -> None:
        self._client.delete(key)  # what a publisher that was killed left
        scored = iter(zip(rank.members, rank.scores, strict=True))
        while chunk := dict(itertools.islice(scored, CHUNK)):
            with self._client.pipeline(transaction=True) as pipe:
                pipe.zadd(key, chunk)
                pipe.expire(key, self.ttl_seconds)
                pipe.execute()
