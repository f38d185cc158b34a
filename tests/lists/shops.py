"""Small shops: items with what the catalogue says of them, users by what they did, and a ranker that says what it is told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipelines.catalogue.arrays import CatalogueArrays, text_hash, text_hashes
from pipelines.catalogue.item import CatalogueItem
from pipelines.features.profile import entry_keys
from pipelines.list_sections import ListsConfig, RulesConfig
from pipelines.lists.assortment import Assortment
from pipelines.lists.exploration import NewItems, Trials
from pipelines.lists.filters import Doings
from pipelines.lists.making import REASONS, Asked, ListMaker
from pipelines.lists.selection import top_n
from pipelines.lists.shop_rules import ShopRules
from pipelines.models.ranker import Histories, ItemFacts
from pipelines.schemas import INTERACTION_CODES

NOW_S = 1_790_000_000
HOUR_S, DAY_S = 3_600, 86_400
SEPARATOR = " > "

Did = tuple[str, str, float]  # event type, item, seconds ago
Shown = tuple[str, int, float]  # item, how often, days ago


@dataclass(frozen=True)
class User:
    """What one user did, oldest first, and was shown."""

    did: Sequence[Did] = ()
    bought: Sequence[str] = ()  # longer ago than all that
    shown: Sequence[Shown] = ()


@dataclass
class ToldRanker:
    """A ranker whose scores are given: (U, I), by the number that a user's context carries."""

    items: Sequence[str]
    told: np.ndarray
    facts_of: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)  # category and brand
    asked_for: list[int] = field(default_factory=list)  # users in each question

    @property
    def n_items(self) -> int:
        return len(self.items)

    def facts(self) -> ItemFacts:
        category, brand = ([self.facts_of.get(name, (None, None))[part] for name in self.items] for part in (0, 1))
        hashes = text_hashes(self.items)
        return ItemFacts(hashes, np.array(self.items, object), text_hashes(category), text_hashes(brand))

    def best(self, histories: Histories, n: int, left_out=None):
        self.asked_for.append(histories.n_users)
        scores = self.told[histories.context[:, 0].astype(np.int64)].astype(np.float32)
        if left_out is not None:
            left_out.strike(scores)
        columns = top_n(scores, n)
        return columns, np.take_along_axis(scores, columns, axis=1)


def some_item(item_id: str, **more) -> CatalogueItem:
    return CatalogueItem(item_id, **more)


def an_assortment(ranked: ItemFacts, *catalogue: CatalogueItem, pins: Sequence[str] = ()) -> Assortment:
    arrays = CatalogueArrays.of(catalogue)
    return Assortment.of(ranked, arrays, SEPARATOR, pins)


def facts_of_items(*names: str) -> ItemFacts:
    nothing = np.zeros(len(names), np.uint64)
    return ItemFacts(text_hashes(names), np.array(names, object), nothing, nothing)


def doings(assortment: Assortment, *users: User) -> Doings:
    """What they did with items of the assortment, as of NOW_S."""
    here = set(assortment.item_id.tolist())
    did = [(number, *one) for number, user in enumerate(users) for one in user.did if one[1] in here]
    bought = [(number, item) for number, user in enumerate(users) for item in user.bought if item in here]
    shown = [(number, *one) for number, user in enumerate(users) for one in user.shown if one[0] in here]
    codes = np.array([INTERACTION_CODES[kind] for _, kind, _, _ in did], np.int64)
    time_s = np.array([NOW_S - int(ago) for *_, ago in did], np.int64)
    places = [
        assortment.find(text_hashes(names))
        for names in ([item for _, _, item, _ in did], [item for _, item in bought], [item for _, item, _, _ in shown])
    ]
    owners = [np.array([row[0] for row in rows], np.int64) for rows in (did, bought, shown)]
    return Doings(
        len(users),
        owners[0],
        places[0],
        entry_keys(time_s, np.arange(len(did), dtype=np.uint64), codes),
        owners[1],
        places[1],
        owners[2],
        places[2],
        np.array([count for _, _, count, _ in shown], np.int64),
        np.array([NOW_S - int(days * DAY_S) for *_, days in shown], np.int64),
    )


def asked(assortment: Assortment, *users: User, seed: int = 0) -> Asked:
    n_users, nothing = len(users), np.empty(0, np.int64)
    context = np.arange(n_users, dtype=np.uint64)[:, None]
    histories = Histories(
        n_users, nothing, nothing.astype(np.uint64), nothing.astype(np.uint64), np.full(n_users, NOW_S), context
    )
    seeds = np.arange(n_users, dtype=np.uint64) + np.uint64(1_000 * seed)
    return Asked(histories, doings(assortment, *users), seeds, NOW_S)


NO_NEW_ITEMS = RulesConfig(explore_share=0.0)


@dataclass(frozen=True)
class Shop:
    """A ranker, a catalogue and rules."""

    ranker: ToldRanker
    catalogue: Sequence[CatalogueItem] = ()
    n: int = 3
    n_spare: int = 0
    rules: RulesConfig = NO_NEW_ITEMS
    trials: Trials = field(default_factory=Trials.none)

    @property
    def maker(self) -> ListMaker:
        config = ListsConfig(n=self.n, n_spare=self.n_spare, rules=self.rules)
        pins = [pin.item for pin in self.rules.pins]
        shop = ShopRules.of(self.rules, an_assortment(self.ranker.facts(), *self.catalogue, pins=pins))
        new = shop.new_items(NOW_S)
        return ListMaker(config, shop, NewItems.of(new, shop.assortment.item[new], self.trials), self.ranker)

    def lists(self, *users: User, seed: int = 0) -> list[list[str]]:
        """The items of each user's list, spare ones included."""
        maker = self.maker
        made = maker.make(asked(maker.shop.assortment, *users, seed=seed))
        names = maker.shop.assortment.item_id
        return [[names[place] for place in row if place >= 0] for row in made.place]

    def reasons(self, *users: User, seed: int = 0) -> list[list[str | None]]:
        maker = self.maker
        made = maker.make(asked(maker.shop.assortment, *users, seed=seed))
        return [
            [REASONS.get(reason) for place, reason in zip(places, row, strict=True) if place >= 0]
            for places, row in zip(made.place, made.reason.tolist(), strict=True)
        ]


def a_ranker(*items: str, n_users: int = 1, facts_of=None) -> ToldRanker:
    """The items in this order, for everybody."""
    return ToldRanker(items, np.tile(np.arange(len(items), 0.0, -1.0), (n_users, 1)), facts_of or {})


def hash_of_item(name: str) -> np.ndarray:
    return np.array([text_hash(name)], np.uint64)
