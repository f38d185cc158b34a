"""Makes the answers: reads what is needed, and lets the chain put it in order."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from pipelines.list_sections import CatalogueConfig, ListsConfig, ServingConfig
from pipelines.serving.asking import Asking
from pipelines.serving.bought import Bought, Hashes, is_one_of
from pipelines.serving.chain import HOUR_MS, Answer, Fallback, age_ms
from pipelines.serving.contact import AwayError, Contact
from pipelines.serving.fallbacks import ALL, TRENDING, Fallbacks
from pipelines.serving.following import Following
from pipelines.serving.metrics import BOUGHT, UNAVAILABLE, UNWANTED, Metrics
from pipelines.serving.query import ListQuery
from pipelines.serving.reading import Found, Reader
from pipelines.serving.sieve import Sieve
from pipelines.serving.similar import SimilarItems
from pipelines.serving.static_file import StaticFile
from pipelines.stores.keys import profile_key

_CATEGORIES = 3  # of a list's first items: theirs stand in


@dataclass(frozen=True)
class Parts:
    """What answers are made from."""

    contact: Contact
    following: Following
    reader: Reader
    fallbacks: Fallbacks
    static_file: StaticFile
    similar: SimilarItems | None
    asking: Asking
    metrics: Metrics


# Why an answer is what it is. Asked for: nobody's own list was.
OWN, ASKED_FOR, UNKNOWN, AWAY = "own", "asked_for", "no_list", "redis_away"
SWITCHED_OFF, TOO_OLD, LEFT_OUT, FAILED = "switched_off", "too_old", "all_left_out", "failed"
REASONS = (OWN, ASKED_FOR, UNKNOWN, AWAY, SWITCHED_OFF, TOO_OLD, LEFT_OUT, FAILED)


@dataclass
class _Started:
    """An answer with what of the user's own list may be shown, and why that is nothing, where it is."""

    user: str
    answer: Answer
    sieve: Sieve
    reason: str = ASKED_FOR


class ListMaker:
    """Answers for users, items and everybody. None of them raises for want of Redis."""

    def __init__(
        self,
        serving: ServingConfig,
        lists: ListsConfig,
        catalogue: CatalogueConfig,
        parts: Parts,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._parts, self._lists, self._separator, self.now_ms = parts, lists, catalogue.category_separator, now_ms
        self._fresh_ms, self._limit_ms = serving.fresh_hours * HOUR_MS, serving.hard_limit_hours * HOUR_MS
        self._bought = Bought(lists.rules, serving.remembered_lists)

    async def list_for(self, user: str, query: ListQuery) -> Answer:
        """The user's list."""
        started = self._start(user, await self._parts.reader.read(user), query)
        if not started.answer.is_full:
            await self._fill([started], query)
        self._count(started)
        return started.answer

    async def lists_for(self, users: Sequence[str], query: ListQuery) -> list[Answer]:
        """The lists of some users, in their order. All are read together: not too many at once, for others wait meanwhile."""
        found = await self._parts.reader.read_many(list(users))
        started = [self._start(user, of_user, query) for user, of_user in zip(users, found, strict=True)]
        if lacking := [one for one in started if not one.answer.is_full]:
            await self._fill(lacking, query)
        for one in started:
            self._count(one)
        return [one.answer for one in started]

    async def trending(self, query: ListQuery) -> Answer:
        """What is popular now, in a category or in the whole shop."""
        await self._parts.reader.refresh()
        started = self._empty("", query)
        segments = [ALL] if query.category is None else [f"category:{query.category}", ALL]
        if query.category is None:
            await self._parts.fallbacks.read_trending()
            self._add(started, self._parts.fallbacks.of([TRENDING]))
        await self._fill([started], query, segments)
        self._count(started)
        return started.answer

    async def similar_to(self, item_id: str, query: ListQuery) -> Answer:
        """Items like an item, then the trending ones of its category."""
        await self._parts.reader.refresh()
        started = self._empty("", replace(query, context_item=item_id))
        similar = self._parts.similar
        if similar is not None and self._parts.reader.mode.mode == "personal":
            started.answer.add_similar(await similar.of(item_id), similar.version, started.sieve)
        if not started.answer.is_full:
            item = self._parts.following.copy.get(item_id)
            category = query.category or (item.category if item else None)
            await self._fill([started], query, [*([f"category:{category}"] if category else []), ALL])
        self._count(started)
        return started.answer

    def from_file(self, query: ListQuery) -> Answer:
        """An answer that needs nothing but memory, where making another has failed."""
        started = self._empty("", query)
        started.reason = FAILED
        self._add(started, self._parts.static_file.of([ALL]))
        self._count(started)
        return started.answer

    def _empty(self, user: str, query: ListQuery) -> _Started:
        sieve = Sieve(query, self._parts.following.copy, self._lists.rules, self._separator)
        return _Started(user, Answer(query.n or self._lists.n), sieve)

    def _start(self, user: str, found: Found, query: ListQuery) -> _Started:
        started, published = self._empty(user, query), found.published
        if self._parts.reader.mode.mode != "personal":
            started.reason = SWITCHED_OFF
            return started
        if published is None:
            started.reason = AWAY if found.is_remembered else UNKNOWN
            return started
        age = age_ms(published.as_of_ms, self.now_ms())
        if age > self._limit_ms:
            started.reason = TOO_OLD
            return started
        is_stale = found.is_remembered or age > self._fresh_ms
        started.answer.add_personal(published, started.sieve, is_stale, self._near(query))
        started.reason = OWN if started.answer.items else LEFT_OUT
        if found.is_remembered:
            self._parts.metrics.remembered.inc()
        elif started.sieve.n_gone:
            self._parts.asking.ask(user)
        return started

    def _near(self, query: ListQuery) -> dict[str, float]:
        """Items like the one on whose page the list is shown, if that is known without waiting."""
        similar = self._parts.similar
        return (similar.known_or_ask(query.context_item) or {}) if similar and query.context_item else {}

    async def _fill(self, lacking: Sequence[_Started], query: ListQuery, given: Sequence[str] | None = None) -> None:
        """Put in what stands in: lists of segments, of categories, of the whole shop, and what the file has."""
        segments = [given or self._segments(one.answer, query) for one in lacking]
        bought = await self._read(lacking, list(dict.fromkeys(name for names in segments for name in names)))
        for one, names in zip(lacking, segments, strict=True):
            if hashes := bought.get(one.user):
                one.sieve.leave_out(is_one_of(hashes))
            self._add(one, self._parts.fallbacks.of(names))
        if any(not one.answer.is_full for one in lacking):
            await self._parts.fallbacks.read_trending()
            for one, names in zip(lacking, segments, strict=True):
                self._add(one, self._parts.fallbacks.of([TRENDING]))
                self._add(one, self._parts.static_file.of(names))

    async def _read(self, lacking: Sequence[_Started], segments: Sequence[str]) -> dict[str, Hashes]:
        """Bring the lists of `segments` up to date; gives what each user bought."""
        parts = self._parts
        users = list(dict.fromkeys(one.user for one in lacking if one.user)) if self._bought.is_asked_for else []
        keys = parts.fallbacks.keys(segments)
        try:
            values = await parts.contact.read([*map(profile_key, users), *keys]) if users or keys else []
        except AwayError:
            return self._bought.known(users)
        parts.fallbacks.learn(dict(zip(keys, values[len(users) :], strict=True)))
        return self._bought.learn(users, values[: len(users)])

    def _segments(self, answer: Answer, query: ListQuery) -> list[str]:
        of_visitor = [("country", query.country), ("device", query.device)]
        asked = [f"{name}:{value}" for name, value in of_visitor if value]
        categories = [query.category] if query.category is not None else self._categories(answer)
        return [*asked, *(f"category:{category}" for category in categories), ALL]

    def _categories(self, answer: Answer) -> list[str]:
        items = (self._parts.following.copy.get(told["item_id"]) for told in answer.items[: 2 * _CATEGORIES])
        return list(dict.fromkeys(item.category for item in items if item and item.category))[:_CATEGORIES]

    def _add(self, started: _Started, fallbacks: Iterable[Fallback]) -> None:
        is_away = self._parts.contact.is_away
        for fallback in fallbacks:
            if started.answer.is_full:
                return
            age = age_ms(fallback.as_of_ms or 0, self.now_ms())
            started.answer.add_fallback(fallback, started.sieve, is_away or age > self._fresh_ms)

    def _count(self, started: _Started) -> None:
        metrics, answer, sieve = self._parts.metrics, started.answer, started.sieve
        metrics.count_list(answer.source, started.reason)
        if answer.is_stale:
            metrics.stale.inc()
        if answer.n_own and answer.as_of_ms is not None:
            metrics.age_seconds.observe(age_ms(answer.as_of_ms, self.now_ms()) / 1000)
        if answer.n_own < len(answer.items):
            for told in answer.items[answer.n_own :]:
                metrics.filled.labels(told["reason"]).inc()
        for why, n in ((UNAVAILABLE, sieve.n_gone), (UNWANTED, sieve.n_unwanted), (BOUGHT, sieve.n_bought)):
            if n:
                metrics.filtered.labels(why).inc(n)
        if not answer.is_full:
            metrics.short.inc()
