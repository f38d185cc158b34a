"""Where the items of an answer come from: the user's own list first, then fallbacks, in order, until it is full. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipelines.lists.document import PublishedList
from pipelines.serving.sieve import Sieve

PERSONAL, SIMILAR, PIN = "personal", "similar", "pin"
HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Fallback:
    """A list for everybody of a kind, and the word that says why its items are shown."""

    source: str  # segment, category, global, static
    reason: str
    items: Sequence[str]
    as_of_ms: int | None
    list_id: str
    model: str


@dataclass
class Answer:
    """The items so far, and where the first of them came from."""

    n: int
    items: list[dict[str, Any]] = field(default_factory=list)
    source: str = "none"
    list_id: str = ""
    as_of_ms: int | None = None
    model: str = ""
    is_stale: bool = False
    n_own: int = 0  # items that are no fallback

    @property
    def is_full(self) -> bool:
        return len(self.items) >= self.n

    def begin(self, source: str, list_id: str, as_of_ms: int | None, model: str, is_stale: bool) -> None:
        """Say what the answer is, by the list that its first item is from."""
        self.source, self.list_id, self.as_of_ms, self.model, self.is_stale = source, list_id, as_of_ms, model, is_stale

    def add_personal(self, published: PublishedList, sieve: Sieve, is_stale: bool, near: Collection[str] = ()) -> None:
        """Put in what may be shown of the user's own list, its spare items last. Pinned items keep their places.

        near: items like the one on whose page the list is shown; they come first, in the order of the list.
        """
        scores = dict(zip(published.items, published.scores, strict=False))
        if near or published.reasons:
            self._put_in_order(published, sieve, scores, near)
        else:
            for item in published.items:
                if len(self.items) >= self.n:
                    break
                if sieve.takes(item):
                    self._put(item, PERSONAL, scores.get(item))
            for item in published.spare if not self.is_full else ():
                if len(self.items) >= self.n:
                    break
                if sieve.takes(item):
                    self._put(item, PERSONAL, None)
        self.n_own = len(self.items)
        if self.items:
            self.begin(PERSONAL, published.list_id, published.as_of_ms, published.model, is_stale)

    def add_similar(self, nearest: Mapping[str, float], version: str, sieve: Sieve) -> None:
        """Put in items that are like an item, the most alike first."""
        for item, score in nearest.items():
            if self.is_full:
                break
            if sieve.takes(item):
                self._put(item, SIMILAR, score)
        self.n_own = len(self.items)
        if self.items:
            self.begin(SIMILAR, f"{SIMILAR}-{version}", None, version, is_stale=False)

    def add_fallback(self, fallback: Fallback, sieve: Sieve, is_stale: bool) -> None:
        """Put in what may be shown of a list for everybody."""
        was_empty = not self.items
        for item in fallback.items:
            if self.is_full:
                break
            if sieve.takes(item):
                self._put(item, fallback.reason, None)
        if was_empty and self.items:
            self.begin(fallback.source, fallback.list_id, fallback.as_of_ms, fallback.model, is_stale)

    def _put_in_order(
        self, published: PublishedList, sieve: Sieve, scores: Mapping[str, float], near: Collection[str]
    ) -> None:
        pins, reason_of = _places(published)
        pinned = set(pins.values())
        free = [item for item in (*published.items, *published.spare) if item not in pinned]
        rest = iter(sorted(free, key=lambda item: item not in near) if near else free)
        while not self.is_full:
            item = pins.pop(len(self.items), None) or next(rest, None)
            if item is None and pins:  # the list came to its end before their places
                item = pins.pop(min(pins))
            if item is None:
                return
            if sieve.takes(item):
                self._put(item, reason_of.get(item, PERSONAL), scores.get(item))

    def _put(self, item: str, reason: str, score: float | None) -> None:
        told: dict[str, Any] = {"item_id": item, "rank": len(self.items), "reason": reason}
        if score is not None:
            told["score"] = score
        self.items.append(told)


def _places(published: PublishedList) -> tuple[dict[int, str], dict[str, str]]:
    """(Place → pinned item, item → why it is there if not for its score alone)."""
    items = published.items
    reason_of = {
        items[place]: reason
        for reason, places in published.reasons.items()
        for place in places
        if 0 <= place < len(items)
    }
    return {place: items[place] for place in published.reasons.get(PIN, ()) if 0 <= place < len(items)}, reason_of


def age_ms(as_of_ms: int, now_ms: int) -> int:
    """How old a list is; 0 of one that a faster clock made."""
    return max(now_ms - as_of_ms, 0)
