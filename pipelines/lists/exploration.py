"""New items get some places of every list, by Thompson sampling: each is drawn as often as it may be the best of them.

An item's click rate has a Beta posterior, of decayed clicks and impressions and of a prior at the shop's own rate. For each list
a rate is drawn for each new item, and the items with the highest ones are tried (Thompson, "On the Likelihood that One Unknown
Probability Exceeds Another", Biometrika 1933; Chapelle, Li, "An Empirical Evaluation of Thompson Sampling", NIPS 2011). What is
drawn depends on the list's seed and the item alone: same inputs, same list.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from pipelines.catalogue.arrays import text_hashes
from pipelines.features.profile import Floats, Ints, Words
from pipelines.models.ranker import Scores

PRIOR_IMPRESSIONS = 30.0  # the prior counts as so many
FIRST_RATE = 0.05  # of a shop of which nothing is known
N_QUANTILES = 64
MOST_TRIED = 128  # new items that one list chooses among
_ITEM, _SLOTS, _PLACES = 1, 2, 3  # what a number is drawn for


@dataclass(frozen=True)
class Trials:
    """How items did: decayed counts, by item hash in ascending order."""

    item: Words  # (T,)
    clicks: Floats  # (T,)
    impressions: Floats  # (T,)

    @classmethod
    def none(cls) -> "Trials":
        """Nothing is known yet."""
        return cls(np.empty(0, np.uint64), np.empty(0), np.empty(0))

    @classmethod
    def of(cls, item_ids: Sequence[str], clicks: Sequence[float], impressions: Sequence[float]) -> "Trials":
        """Counts by item id, in any order."""
        item = text_hashes(item_ids)
        order = np.argsort(item)
        return cls(item[order], np.array(clicks, np.float64)[order], np.array(impressions, np.float64)[order])

    @property
    def rate(self) -> float:
        """Clicks for each impression, of all items; a guess while there is none, or none is clicked."""
        clicks, impressions = self.clicks.sum(), self.impressions.sum()
        told: float = (clicks + FIRST_RATE * PRIOR_IMPRESSIONS) / (impressions + PRIOR_IMPRESSIONS)
        return min(told, 0.5)

    def counts_of(self, item: Words) -> tuple[Floats, Floats]:
        """Clicks and impressions of items, 0 of those not met."""
        if not len(self.item):
            return np.zeros(len(item)), np.zeros(len(item))
        row = np.minimum(np.searchsorted(self.item, item), len(self.item) - 1)
        is_met = self.item[row] == item
        return np.where(is_met, self.clicks[row], 0.0), np.where(is_met, self.impressions[row], 0.0)


@dataclass(frozen=True)
class NewItems:
    """X new items and what their click rates may be."""

    place: Ints  # (X,) in the assortment
    item: Words  # (X,) ascending
    rates: Scores  # (X, N_QUANTILES) quantiles of the posterior

    @classmethod
    def none(cls) -> "NewItems":
        """There are none."""
        return cls(np.empty(0, np.int64), np.empty(0, np.uint64), np.empty((0, N_QUANTILES), np.float32))

    @classmethod
    def of(cls, place: Ints, item: Words, trials: Trials, before: "NewItems | None" = None) -> "NewItems":
        """Work out the posteriors of the items at `place`, whose hashes are `item`.

        before: made by the same trials; of items that are in it, nothing is worked out again.
        """
        order = np.argsort(item)
        place, item = place[order], item[order]
        rates = np.empty((len(item), N_QUANTILES), np.float32)
        known = np.isin(item, before.item) if before else np.zeros(len(item), np.bool_)
        if before:
            rates[known] = before.rates[np.searchsorted(before.item, item[known])]
        rates[~known] = _posteriors(*trials.counts_of(item[~known]), trials.rate)
        return cls(place, item, rates)

    def __len__(self) -> int:
        return len(self.item)

    def drawn(self, seeds: Words, n: int) -> Ints:
        """(U, min(n, X, MOST_TRIED)) places of the items with the highest rates drawn, best first.

        Of many new items a list tries a run, which begins where its seed says.
        """
        n_tried = min(len(self), MOST_TRIED)
        first = (_mixed(seeds) % np.uint64(max(len(self), 1))).astype(np.int64)
        tried = (first[:, None] + np.arange(n_tried)) % max(len(self), 1)
        position = uniform(seeds[:, None] ^ self.item[tried], _ITEM) * (N_QUANTILES - 1)
        below = position.astype(np.int64)
        low, high = self.rates[tried, below], self.rates[tried, below + 1]
        rate = low + (high - low) * (position - below)
        best = np.argsort(-rate, axis=1, kind="stable")[:, :n]
        places: Ints = self.place[np.take_along_axis(tried, best, axis=1)]
        return places


def _posteriors(clicks: Floats, impressions: Floats, prior: float) -> Scores:
    """(n, N_QUANTILES) what the click rates may be; of items with equal counts worked out once, for it takes a while."""
    clicks = np.where(impressions > 0, np.minimum(clicks, impressions), clicks)
    hits = prior * PRIOR_IMPRESSIONS + clicks
    misses = (1 - prior) * PRIOR_IMPRESSIONS + np.maximum(impressions - clicks, 0.0)
    distinct, which = np.unique(np.stack([hits, misses], axis=1), axis=0, return_inverse=True)
    at = (np.arange(N_QUANTILES) + 0.5) / N_QUANTILES
    rates: Scores = betaincinv(distinct[:, :1], distinct[:, 1:], at).astype(np.float32)[which.reshape(-1)]
    return rates


def explored_slots(seeds: Words, n: int, share: float) -> NDArray[np.bool_]:
    """(U, n) which places of each list are for new items: never the first, spread over the others, `share` of n on average."""
    slots = np.zeros((len(seeds), n), np.bool_)
    number = np.minimum((n * share + uniform(seeds, _SLOTS)).astype(np.int64), n - 1)
    for slot in range(int(number.max(initial=0))):
        having = np.flatnonzero(number > slot)
        begin = slot * (n - 1) // number[having]
        end = (slot + 1) * (n - 1) // number[having]
        at = begin + (uniform(seeds[having], _PLACES + slot) * (end - begin)).astype(np.int64)
        slots[having, 1 + at] = True
    return slots


def uniform(seeds: Words, purpose: int) -> Floats:
    """Numbers from 0 up to 1, one for each seed; another purpose, other numbers."""
    mixed = _mixed(seeds + np.array([purpose], np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53


def _mixed(word: Words) -> Words:
    """SplitMix64's finalizer (Steele, Lea, Flood, OOPSLA 2014)."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))
