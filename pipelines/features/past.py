"""What each of many instants sees of the events of its key: those that had happened, and had arrived.

A sum over "happened before t and arrived by k" has two bounds, so prefix sums along one of them do not give it, and to take
away what had not arrived yet would leave a rounding error of what was taken. So the events, by key and time, are cut into
blocks of 1, 2, 4, … events. The past of an instant is a few whole blocks, at most two of each size; within a block the
events lie in order of arrival, and those that had arrived are a prefix of it. Nothing is ever taken away: a sum of
positive numbers loses nothing. It decays to the end of its block, and from there to the instant: no power of two overflows.

Cost: O((n + m) · log² n) in numpy, n events of the longest key. Memory: O(n · log n).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipelines.features.decay import Floats, decay_factor
from pipelines.features.online import Ints

NONE = -1  # an event that does not count, and what is found where none does


@dataclass(frozen=True)
class Events:
    """(n,) each: when something happened and arrived, in microseconds; ascending by key, then by event_us."""

    key: Ints
    event_us: Ints
    ingest_us: Ints

    def __len__(self) -> int:
        return len(self.key)

    def chosen(self, which: Ints | slice) -> "Events":
        """Take some of them, in the order given."""
        return Events(self.key[which], self.event_us[which], self.ingest_us[which])


@dataclass(frozen=True)
class Instants:
    """(m,) each: from when one looks back, and what is known then. It sees event_us < as_of_us, ingest_us <= known_by_us."""

    key: Ints
    as_of_us: Ints
    known_by_us: Ints

    def __len__(self) -> int:
        return len(self.key)


@dataclass(frozen=True)
class _Blocks:
    """Blocks of one size, and the instants that look at one of them."""

    event: Ints  # (blocks, size): places of events, each block in order of arrival
    newest: Ints  # (blocks,): the place of each block's last event in time
    instant: Ints  # (k,): places of instants, each once
    block: Ints  # (k,): the block each of them looks at
    n_arrived: Ints  # (k,): how many of its events had arrived, never 0


class Past:
    """Looks back from many instants on many events."""

    def __init__(self, events: Events, instants: Instants) -> None:
        """Take n events and m instants."""
        self._n, self._m = len(events), len(instants)
        self._arrival = order_of_arrival(events)
        self._n_known = np.searchsorted(np.sort(events.ingest_us), instants.known_by_us, side="right")
        moments, moment = np.unique(events.event_us, return_inverse=True)
        place = events.key * (self._n + 1) + moment  # ascending, as the events are
        of_key = instants.key * (self._n + 1)
        self._begin = np.searchsorted(place, of_key)
        self._end = np.searchsorted(place, of_key + np.searchsorted(moments, instants.as_of_us))

    def sum(self, weights: Floats, half_life_s: float, time_s: Ints, at_s: Ints) -> Floats:
        """Sum what each instant sees, decayed to it; 0.0 where it sees nothing.

        In:   weights (n,); time_s (n,) and at_s (m,), whole seconds.
        Out:  (m,).
        """
        total = np.zeros(self._m)
        for blocks in self._sizes:
            end_s = time_s[blocks.newest]
            decayed = weights[blocks.event] * decay_factor(end_s[:, None] - time_s[blocks.event], half_life_s)
            seen = np.cumsum(decayed, axis=1)[blocks.block, blocks.n_arrived - 1]
            total[blocks.instant] += seen * decay_factor(at_s[blocks.instant] - end_s[blocks.block], half_life_s)
        return total

    def greatest(self, numbers: Ints) -> Ints:
        """Find the greatest number that each instant sees, NONE where it sees no number.

        In:   numbers (n,), NONE where an event has none.
        Out:  (m,).
        """
        best = np.full(self._m, NONE)
        for blocks in self._sizes:
            so_far = np.maximum.accumulate(numbers[blocks.event], axis=1)
            seen = so_far[blocks.block, blocks.n_arrived - 1]
            best[blocks.instant] = np.maximum(best[blocks.instant], seen)
        return best

    def first_of_group(self, group: Ints, wanted: Ints, instant: Ints) -> Ints:
        """Find the earliest event of a group among those that had arrived by an instant, which sees one of the group.

        In:   group (n,): NONE, or 0 and above, of one key; wanted (k,) groups; instant (k,) places of instants.
        Out:  (k,) places of events. No bound in time is needed: what is earlier than a seen event had happened too.
        """
        events = np.flatnonzero(group != NONE)
        events = events[np.lexsort((self._arrival[events], group[events]))]
        # Each group's numbers lie below those of the group before: so the least so far starts again with each group.
        number = (self._n - group[events]) * self._n + events
        earliest = np.minimum.accumulate(number) % max(self._n, 1)
        ascending = group[events] * self._n + self._arrival[events]
        found: Ints = earliest[np.searchsorted(ascending, wanted * self._n + self._n_known[instant]) - 1]
        return found

    @cached_property
    def _sizes(self) -> list[_Blocks]:
        return list(self._cut())

    def _cut(self) -> Iterator[_Blocks]:
        """As a segment tree is asked: from both ends, a block where the next size would reach beyond the end."""
        begin, end, size = self._begin.copy(), self._end.copy(), 1
        while (open_ := begin < end).any():
            left = np.flatnonzero(open_ & (begin & 1 == 1))
            yield from self._in_order_of_arrival(begin[left], size, left)
            begin[left] += 1
            right = np.flatnonzero(open_ & (end & 1 == 1))
            end[right] -= 1
            yield from self._in_order_of_arrival(end[right], size, right)
            begin, end, size = begin // 2, end // 2, size * 2

    def _in_order_of_arrival(self, looked_at: Ints, size: int, instant: Ints) -> Iterator[_Blocks]:
        numbers, block = np.unique(looked_at, return_inverse=True)
        event = numbers[:, None] * size + np.arange(size)
        event = np.take_along_axis(event, np.argsort(self._arrival[event], axis=1), axis=1)
        # One ascending array of all blocks, so that one search finds the place of every instant in its own.
        ascending = np.arange(len(numbers))[:, None] * self._n + self._arrival[event]
        n_arrived = np.searchsorted(ascending.ravel(), block * self._n + self._n_known[instant]) - block * size
        sees = n_arrived > 0
        if sees.any():
            yield _Blocks(event, (numbers + 1) * size - 1, instant[sees], block[sees], n_arrived[sees])


def order_of_arrival(events: Events) -> Ints:
    """(n,) the place of each event in order of arrival; of equal ones, in their own order."""
    places = np.empty(len(events), np.int64)
    places[np.argsort(events.ingest_us, kind="stable")] = np.arange(len(events))
    return places


def numbered(*columns: Ints) -> Ints:
    """(n,) a number for each different row of `columns`, in their order."""
    number = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        different, of_column = np.unique(column, return_inverse=True)
        number = np.unique(number * len(different) + of_column, return_inverse=True)[1]
    return number
