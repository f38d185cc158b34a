"""Puts candidates into the places of a list, one place after the other, for many users at once.

At each place comes the candidate with the highest marginal relevance, λ · relevance − (1 − λ) · likeness to the most alike above
it (Carbonell, Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and Producing Summaries", SIGIR
1998), of those whose category and brand may still have one more.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.features.profile import Flags, Floats, Ints, Words
from pipelines.list_sections import RulesConfig

LIKE_CATEGORY, LIKE_BRAND = 0.5, 0.5  # two items of one category and one brand are as alike as can be
LEAST = 1e-6  # of relevance at all: it orders what is as alike
USERS_AT_ONCE = 128  # so that what a step reads stays in the processor's cache


@dataclass(frozen=True)
class Candidates:
    """C items for each of U users, with what tells them apart; those from `first_tried` on are to be tried.

    An item may be there twice, to be ranked and to be tried: it is taken once.
    """

    place: Ints  # (U, C) in the assortment
    relevance: Floats  # (U, C) from 0 to 1; −inf: it comes only where it is pinned
    category: Words  # (U, C) 0 where it is not known
    brand: Words  # (U, C)
    first_tried: int

    def of_users(self, users: slice) -> "Candidates":
        """Of some of the users."""
        by_user = (self.place[users], self.relevance[users], self.category[users], self.brand[users])
        return Candidates(*by_user, self.first_tried)


@dataclass(frozen=True)
class Wanted:
    """What is known of the places of a list beforehand."""

    n: int  # items in the list; the places after them are for spare ones
    pinned: Ints  # (U, P) index of the candidate that is pinned there, −1 where none is
    is_explored: Flags  # (U, P) it is for an item to be tried

    def of_users(self, users: slice) -> "Wanted":
        """Of some of the users."""
        return Wanted(self.n, self.pinned[users], self.is_explored[users])


def arranged(candidates: Candidates, wanted: Wanted, config: RulesConfig) -> Ints:
    """(U, P) index of the candidate at each place, −1 where there is none.

    What is to be tried comes at the places for it alone. A pinned item counts for the caps, and stands whatever they say.
    Among spare items, those that the caps keep out come last: a list that loses items rather stays full.
    """
    chosen = np.empty(wanted.pinned.shape, np.int64)
    for first in range(0, len(chosen), USERS_AT_ONCE):
        users = slice(first, first + USERS_AT_ONCE)
        chosen[users] = _Arranging(candidates.of_users(users), config).all_places(wanted.of_users(users))
    return chosen


class _Arranging:
    """The state of a block of lists between two places."""

    def __init__(self, candidates: Candidates, config: RulesConfig) -> None:
        self._of, self._config = candidates, config
        self._ranked, self._tried = slice(0, candidates.first_tried), slice(candidates.first_tried, None)
        self._rows = np.arange(len(candidates.place))
        self._value = candidates.relevance.copy()
        self._likeness = np.zeros_like(self._value) if config.diversity else None
        self._is_capped = np.zeros(self._value.shape, np.bool_)
        self._caps = [
            (attribute, most, np.zeros(attribute.shape, np.int16))
            for attribute, most in (
                (candidates.category, config.max_per_category),
                (candidates.brand, config.max_per_brand),
            )
            if most is not None
        ]

    def all_places(self, wanted: Wanted) -> Ints:
        """(U, P)."""
        for place in range(wanted.pinned.shape[1]):  # before all others: what is pinned counts for the caps
            self._take(wanted.pinned[:, place])
        chosen = wanted.pinned.copy()
        for place in range(chosen.shape[1]):
            best = self._best(wanted.is_explored[:, place], is_spare=place >= wanted.n)
            chosen[:, place] = np.where(wanted.pinned[:, place] >= 0, wanted.pinned[:, place], best)
            self._take(np.where(wanted.pinned[:, place] >= 0, -1, best))
        return chosen

    def _best(self, is_explored: Flags, *, is_spare: bool) -> Ints:
        """(U,) the next candidate of each list, −1 where there is none left."""
        value = self._value
        if self._likeness is not None:
            of_relevance = max(1.0 - self._config.diversity, LEAST)
            value = of_relevance * value - self._config.diversity * self._likeness
        allowed = np.where(self._is_capped, -np.inf, value) if self._caps else value
        best = self._highest(allowed, self._ranked)
        if self._caps and is_spare:
            best = np.where(best < 0, self._highest(value, self._ranked), best)
        if is_explored.any():
            tried = self._highest(allowed, self._tried)
            best = np.where(is_explored & (tried >= 0), tried, best)
        return best

    def _highest(self, value: Floats, among: slice) -> Ints:
        if not value[:, among].shape[1]:
            return np.full(len(value), -1)
        best = among.start + value[:, among].argmax(axis=1)
        return np.where(value[self._rows, best] > -np.inf, best, -1)

    def _take(self, index: Ints) -> None:
        """Take the candidate at `index` (U,) out of all that follows, and count it; nothing where it is −1."""
        rows = np.flatnonzero(index >= 0)
        if not len(rows):
            return
        of, index = self._of, index[rows]
        self._value[rows] = np.where(of.place[rows] == of.place[rows, index][:, None], -np.inf, self._value[rows])
        for attribute, most, count in self._caps:
            own = attribute[rows, index][:, None]
            count[rows] += (attribute[rows] == own) & (own != 0)
            self._is_capped[rows] |= count[rows] >= most
        if self._likeness is not None:
            self._likeness[rows] = np.maximum(self._likeness[rows], self._alike(rows, index))

    def _alike(self, rows: Ints, index: Ints) -> Floats:
        parts: list[NDArray[np.float64]] = []
        for attribute, share in ((self._of.category, LIKE_CATEGORY), (self._of.brand, LIKE_BRAND)):
            own = attribute[rows, index][:, None]
            parts.append(share * ((attribute[rows] == own) & (own != 0)))
        return parts[0] + parts[1]
