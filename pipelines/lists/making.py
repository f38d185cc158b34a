"""Makes the lists of many users: candidates of the ranker → filters → boosts → places for new items → diversity and caps → pins.

Nothing here knows Redis or the clock. Same inputs, same lists, whoever else is in the block.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from pipelines.features.profile import Flags, Floats, Ints, Words
from pipelines.list_sections import ListsConfig, RulesConfig
from pipelines.lists.arrangement import Candidates, Wanted, arranged
from pipelines.lists.exploration import NewItems, explored_slots
from pipelines.lists.filters import Doings, excluded_pairs, median_price
from pipelines.lists.pins import pinned_places
from pipelines.lists.pool import MAX_CANDIDATES, pool_of
from pipelines.lists.shop_rules import ShopRules
from pipelines.lists.sieve import Excluded, Sieve
from pipelines.models.best import blocks
from pipelines.models.ranker import Histories, Ranker

POOL_LISTS = 4  # candidates, in lists, where rules choose among them
ROOM = 64  # items that the model does not know, beside those that are wanted, at most, for what the filters take
SPARE_TRIED = 8  # new items drawn beyond those wanted: some may be excluded or capped
ABOVE = 1 + 1e-6  # so that what is lifted as high as another comes before it
MORE = 8  # times as many candidates, for lists that are not full
EXPLORE, PIN, BOOST = 1, 2, 3
REASONS: Mapping[int, str] = {EXPLORE: "explore", PIN: "pin", BOOST: "boost"}


@dataclass(frozen=True)
class Asked:
    """For which U users lists are made, and as of when."""

    histories: Histories
    doings: Doings
    seeds: Words  # (U,) of chance: of the lists' identities
    now_s: float

    @property
    def n_users(self) -> int:
        return self.histories.n_users

    def only(self, users: Ints) -> "Asked":
        """Of some of the users (ascending), who are numbered from 0 again."""
        if len(users) == self.n_users:
            return self
        return Asked(self.histories.only(users), self.doings.only(users), self.seeds[users], self.now_s)


@dataclass(frozen=True)
class MadeLists:
    """P places for each of U users: those of the list, then those for spare items."""

    place: Ints  # (U, P) in the assortment, −1 where there was nothing left
    score: Floats  # (U, P) of a new or a pinned item: that of what comes after it
    reason: Ints  # (U, P) 0: it is the model's choice; else see REASONS

    @classmethod
    def none(cls, n_users: int, n_places: int) -> "MadeLists":
        """Nothing yet."""
        shape = (n_users, n_places)
        return cls(np.full(shape, -1), np.zeros(shape), np.zeros(shape, np.int64))

    def set(self, users: Ints, lists: "MadeLists") -> None:
        """Put the lists of some users in."""
        self.place[users], self.score[users], self.reason[users] = lists.place, lists.score, lists.reason


@dataclass(frozen=True)
class ListMaker:
    """Makes lists by the rules from what a ranker says, at one moment."""

    config: ListsConfig
    shop: ShopRules
    new_items: NewItems
    ranker: Ranker = field(repr=False)

    def make(self, asked: Asked) -> MadeLists:
        """The lists of all users. Those that are not full are made again from more candidates, while there are more."""
        n_pool = self.config.n_kept * (POOL_LISTS if self._chooses(asked.now_s) else 1)
        made = MadeLists.none(asked.n_users, self.config.n_kept)
        waiting = np.arange(asked.n_users)
        while True:
            for part in blocks(len(waiting), MAX_CANDIDATES // n_pool):
                made.set(waiting[part], self._made_of(asked.only(waiting[part]), n_pool))
            n_items = (made.place[waiting, : self.config.n] >= 0).sum(axis=1)
            waiting = waiting[n_items < min(self.config.n, self._n_allowed)]
            if not len(waiting) or n_pool >= self.ranker.n_items:
                return made
            n_pool *= MORE

    def sieve(self, asked: Asked) -> Sieve:
        """What may not be shown to whom."""
        rules, price = self.rules, self.shop.assortment.price
        pairs = excluded_pairs(self.shop, asked.doings, asked.now_s).values()
        excluded = Excluded.of(len(self.shop.assortment), *pairs)
        if rules.price_band is None:
            return Sieve(self.shop.is_barred, excluded, price, None)
        return Sieve(self.shop.is_barred, excluded, price, median_price(asked.doings, price), rules.price_band)

    @property
    def rules(self) -> RulesConfig:
        return self.config.rules

    def _made_of(self, asked: Asked, n_pool: int) -> MadeLists:
        sieve = self.sieve(asked)
        lift = self.shop.lift(asked.now_s)
        place, score = self._ranked(asked, sieve, n_pool, lift)
        pinned = pinned_places(self.shop.pins_at(asked.now_s), asked.doings, sieve, self.config.n)
        slots = self._slots(asked)
        tried = self._tried(asked, sieve, int(slots.sum(axis=1).max(initial=0)))
        candidates, first_pinned = self._candidates(place, score, pinned, tried)
        chosen = arranged(candidates, self._wanted(pinned, slots, first_pinned), self.rules)
        return self._told(candidates, score, chosen, lift)

    def _ranked(self, asked: Asked, sieve: Sieve, n: int, lift: Floats | None) -> tuple[Ints, Floats]:
        """(U, C) places and scores of the candidates, best first, boosts included; what is lifted is looked for by itself."""
        barred = self.shop.is_barred[: self.ranker.n_items]
        if lift is None:
            return self._with_unseen(sieve, *pool_of(self.ranker, asked.histories, sieve, n, barred))
        is_lifted = lift[: self.ranker.n_items] > 0
        place, score = pool_of(self.ranker, asked.histories, sieve, n, barred | is_lifted)
        if is_lifted.any():
            lifted = pool_of(self.ranker, asked.histories, sieve, self.config.n_kept, barred | ~is_lifted)
            place, score = np.concatenate([place, lifted[0]], axis=1), np.concatenate([score, lifted[1]], axis=1)
        place, score = self._with_unseen(sieve, place, score)
        return _in_order(place, boosted(place, score, lift, self.config.n))

    def _with_unseen(self, sieve: Sieve, place: Ints, score: Floats) -> tuple[Ints, Floats]:
        """The same and, for users with too few candidates, items of the catalogue that the model does not know behind them."""
        is_short = (place >= 0).sum(axis=1) < self.config.n_kept
        if not is_short.any() or not len(self._unseen):
            return place, score
        some = self._unseen[: self.config.n_kept + min(ROOM, sieve.excluded.most_of_a_user())]
        unseen = np.tile(some, (len(place), 1))
        may = sieve.passes(unseen) & is_short[:, None]
        least = np.min(score, axis=1, where=score > -np.inf, initial=0.0, keepdims=True)
        behind = np.where(may, least - np.arange(1, len(some) + 1), -np.inf)
        return np.concatenate([place, np.where(may, unseen, -1)], axis=1), np.concatenate([score, behind], axis=1)

    @cached_property
    def _unseen(self) -> Ints:
        """Places of what the catalogue has and the model does not know, where everybody may be shown it: the newest first."""
        assortment, n = self.shop.assortment, self.ranker.n_items
        places = n + np.flatnonzero(~self.shop.is_barred[n:] & (assortment.row[n:] >= 0))
        newest: Ints = places[np.lexsort((assortment.item[places], -assortment.created_s[places]))]
        return newest

    def _slots(self, asked: Asked) -> Flags:
        """(U, n) which places are for new items."""
        share = self.rules.explore_share if len(self.new_items) else 0.0
        return explored_slots(asked.seeds, self.config.n, share)

    def _tried(self, asked: Asked, sieve: Sieve, n_slots: int) -> Ints:
        """(U, E) new items, the one to try first in front; −1 where one may not be shown."""
        if not n_slots:
            return np.empty((asked.n_users, 0), np.int64)
        drawn = self.new_items.drawn(asked.seeds, n_slots + SPARE_TRIED)
        return np.where(sieve.passes(drawn), drawn, -1)

    def _candidates(self, place: Ints, score: Floats, pinned: Ints, tried: Ints) -> tuple[Candidates, int]:
        """All that may come into the lists, and the column of the first pinned item: ranked, pinned, to be tried."""
        n_users, order = len(place), np.arange(tried.shape[1])
        ranks = np.where(tried >= 0, 1.0 - order / max(len(order), 1), -np.inf)
        relevances = [relevance(score), np.full(pinned.shape, -np.inf), ranks]
        everything = np.concatenate([place, pinned, tried], axis=1)
        assortment, known = self.shop.assortment, np.maximum(everything, 0)
        candidates = Candidates(
            everything,
            np.concatenate([part.reshape(n_users, -1) for part in relevances], axis=1),
            assortment.category[known],
            assortment.brand[known],
            place.shape[1] + pinned.shape[1],
        )
        return candidates, place.shape[1]

    def _wanted(self, pinned: Ints, slots: Flags, first_pinned: int) -> Wanted:
        spare = np.full((len(pinned), self.config.n_spare), -1)
        index = np.where(pinned >= 0, first_pinned + np.arange(pinned.shape[1]), -1)
        return Wanted(
            self.config.n,
            np.concatenate([index, spare], axis=1),
            np.concatenate([slots & (pinned < 0), spare >= 0], axis=1),
        )

    def _told(self, candidates: Candidates, score: Floats, chosen: Ints, lift: Floats | None) -> MadeLists:
        """Read places, scores and reasons off the chosen candidates; a gap is closed by what comes after it."""
        n = self.config.n
        n_ranked = score.shape[1]
        place = np.where(chosen >= 0, np.take_along_axis(candidates.place, np.maximum(chosen, 0), axis=1), -1)
        reason = np.zeros(place.shape, np.int64)
        if lift is not None:
            reason[(place >= 0) & (lift[place] > 0)] = BOOST
        reason[place >= self.ranker.n_items] = EXPLORE  # nobody did anything with it yet
        reason[chosen >= n_ranked] = PIN
        reason[chosen >= candidates.first_tried] = EXPLORE
        is_ranked = (chosen >= 0) & (chosen < n_ranked)
        own = np.take_along_axis(score, np.clip(chosen, 0, n_ranked - 1), axis=1)
        told = _filled(np.where(is_ranked, own, np.nan))
        for part in (slice(0, n), slice(n, None)):
            order = np.argsort(place[:, part] < 0, axis=1, kind="stable")
            for values in (place, told, reason):
                values[:, part] = np.take_along_axis(values[:, part], order, axis=1)
        return MadeLists(place, told, reason)

    def _chooses(self, now_s: float) -> bool:
        """Whether the rules choose among candidates: else a list holds the first of them."""
        rules = self.rules
        caps = rules.max_per_category is not None or rules.max_per_brand is not None
        return caps or rules.diversity > 0 or self.shop.lift(now_s) is not None

    @cached_property
    def _n_allowed(self) -> int:
        """How many items the caps let into one list at most, whoever the user is: it is in vain to look for more."""
        assortment, n = self.shop.assortment, self.ranker.n_items
        may = ~self.shop.is_barred[:n]
        rules, counts = self.rules, [int(may.sum())]
        for attribute, most in ((assortment.category, rules.max_per_category), (assortment.brand, rules.max_per_brand)):
            if most is not None:
                _, number = np.unique(attribute[:n][may & (attribute[:n] != 0)], return_counts=True)
                counts.append(int(np.minimum(number, most).sum() + (may & (attribute[:n] == 0)).sum()))
        return min(counts)


def boosted(place: Ints, score: Floats, lift: Floats, n: int) -> Floats:
    """(U, C) scores with the boosts: parts of the range from a list's first to its last, the n-th best of the candidates."""
    best = -np.sort(-score, axis=1)[:, :n]
    is_one = best > -np.inf
    first = np.where(is_one[:, :1], best[:, :1], 0.0)
    last = np.min(best, axis=1, where=is_one, initial=np.inf, keepdims=True)
    span = np.where(is_one[:, :1], ABOVE * (first - last), 0.0)
    return np.where(score > -np.inf, score + lift[place] * span, -np.inf)


def relevance(score: Floats) -> Floats:
    """(U, C) scores brought to 0 … 1 in each user's own range; −inf stays."""
    is_one = score > -np.inf
    least = np.min(score, axis=1, where=is_one, initial=np.inf, keepdims=True)
    most = np.max(score, axis=1, where=is_one, initial=-np.inf, keepdims=True)
    span = np.where(most > least, most - least, 1.0)
    return np.where(is_one, (score - np.where(np.isfinite(least), least, 0.0)) / span, -np.inf)


def _in_order(place: Ints, score: Floats) -> tuple[Ints, Floats]:
    order = np.argsort(-score, axis=1, kind="stable")
    return np.take_along_axis(place, order, axis=1), np.take_along_axis(score, order, axis=1)


def _filled(score: Floats) -> Floats:
    """(U, P) scores with each gap (NaN) filled from the next place that has one, else from the one before; else 0."""
    columns = np.arange(score.shape[1])
    has = ~np.isnan(score)
    after = np.minimum.accumulate(np.where(has, columns, len(columns))[:, ::-1], axis=1)[:, ::-1]
    before = np.maximum.accumulate(np.where(has, columns, -1), axis=1)
    source = np.where(after < len(columns), after, before)
    return np.where(source >= 0, np.take_along_axis(score, np.maximum(source, 0), axis=1), 0.0)
