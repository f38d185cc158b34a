"""Lists for whoever has none of their own, remembered for some seconds: they are the same for everybody."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from pipelines.lists.document import PublishedList
from pipelines.serving.chain import Fallback
from pipelines.serving.contact import AwayError, Contact
from pipelines.serving.metrics import Metrics
from pipelines.serving.recent import Recent
from pipelines.stores.keys import fallback_key, rank_about_key, rank_key

ALL = "all"
TRENDING = "trending"  # the rank of the whole shop: of this hour
_KNOWN = 5_000  # segments
_OF_RANK = 200  # items
_WORDS = {  # kind of segment → (source, reason)
    "category": ("category", "popular_in_category"),
    "country": ("segment", "popular_in_country"),
    "device": ("segment", "popular_on_device"),
    ALL: ("global", "popular"),
    TRENDING: ("global", "trending"),
}


@dataclass(frozen=True)
class _Known:
    fallback: Fallback | None  # None: there is none
    read_s: float


class Fallbacks:
    """The lists of segments (`all`, `category:Shoes`, `country:DE`, …) and of the rank `trending`."""

    def __init__(
        self, contact: Contact, seconds: float, metrics: Metrics, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._contact, self._seconds, self._metrics, self._clock_s = contact, seconds, metrics, clock_s
        self._known: Recent[str, _Known] = Recent(_KNOWN)
        self._reading_trending = asyncio.Lock()

    @property
    def segments(self) -> list[str]:
        """Those that somebody needed lately."""
        return [segment for segment, known in self._known.items() if known.fallback is not None]

    def keys(self, segments: Sequence[str]) -> list[str]:
        """Keys to read (and to `learn`) before the lists of `segments` are up to date."""
        return [key for segment in segments if not self._is_fresh(segment) for key in _keys_of(segment)]

    def learn(self, values: dict[str, bytes | None]) -> None:
        """Take what was read under `keys`."""
        now_s = self._clock_s()
        for key, value in values.items():
            if key.startswith("fallback:{"):
                segment = key.removeprefix("fallback:{").removesuffix("}")
                self._known.put(segment, _Known(self._fallback_of(segment, value), now_s))

    def of(self, segments: Sequence[str]) -> Iterator[Fallback]:
        """The lists that are known, in this order; while Redis is away, as they were."""
        for segment in segments:
            known = self._known.get(segment)
            if known is not None and known.fallback is not None:
                yield known.fallback

    async def read_trending(self) -> None:
        """Bring the rank up to date, unless it is. It is no value for MGET, so it is read alone."""
        async with self._reading_trending:  # for all who want it now
            if not self._is_fresh(TRENDING):
                await self._read_trending()

    async def _read_trending(self) -> None:
        try:
            members = await self._contact.call(("ZRANGE", rank_key(TRENDING), 0, _OF_RANK - 1, "REV"))
            about = await self._contact.read([rank_about_key(TRENDING)])
        except AwayError:
            return
        items = [member.decode() for member in members]
        as_of_ms = _as_of_ms(about[0])
        source, reason = _WORDS[TRENDING]
        found = Fallback(source, reason, items, as_of_ms, f"{TRENDING}-{as_of_ms or 0}", "") if items else None
        self._known.put(TRENDING, _Known(found, self._clock_s()))

    def _is_fresh(self, segment: str) -> bool:
        known = self._known.get(segment)
        is_fresh = known is not None and self._clock_s() - known.read_s < self._seconds
        self._metrics.fallback_reads.labels("memory" if is_fresh else "redis").inc()
        return is_fresh

    def _fallback_of(self, segment: str, value: bytes | None) -> Fallback | None:
        if value is None:
            return None
        try:
            published = PublishedList.from_json(value)
        except (ValueError, TypeError, AttributeError):
            self._metrics.unreadable.inc()
            return None
        source, reason = _WORDS.get(segment.partition(":")[0], ("segment", "popular_in_segment"))
        return Fallback(source, reason, published.items, published.as_of_ms, published.list_id, published.model)


def _keys_of(segment: str) -> list[str]:
    return [] if segment == TRENDING else [fallback_key(segment)]


def _as_of_ms(about: Any) -> int | None:
    try:
        return int(orjson.loads(about)["as_of_ms"])
    except (ValueError, TypeError, KeyError):
        return None
