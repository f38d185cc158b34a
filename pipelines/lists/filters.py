"""What may not be shown to a user: what was bought, what lies in the cart, what was shown too often, what costs too much or too
little. All users of a block at once; what a user did lies flat, by user and time.
"""

from dataclasses import dataclass

import numpy as np

from pipelines.features.profile import Flags, Floats, Ints, Words, key_code
from pipelines.list_sections import RulesConfig
from pipelines.lists.shop_rules import ShopRules
from pipelines.schemas import INTERACTION_CODES

DAY_S = 86_400
LOOKED_AT = 20  # prices of so many of the newest looks make the median
_PURCHASE = INTERACTION_CODES["purchase"]
_INTO_CART = INTERACTION_CODES["add_to_cart"]
_CART_CODES = [_INTO_CART, INTERACTION_CODES["remove_from_cart"], _PURCHASE]
_LOOK_CODES = [INTERACTION_CODES["product_view"], INTERACTION_CODES["click"]]


@dataclass(frozen=True)
class Doings:
    """What U users did, and what was shown to them; of items that are in the assortment, by their places."""

    n_users: int
    user: Ints  # (E,) ascending; the newest interactions, oldest first
    place: Ints  # (E,)
    key: Words  # (E,) see features/profile.py
    buyer: Ints  # (B,) purchases before those
    bought: Ints  # (B,) places
    viewer: Ints  # (S,)
    shown: Ints  # (S,) places
    shown_count: Ints  # (S,) how often since the user last touched it
    shown_s: Ints  # (S,) when last, epoch seconds

    def only(self, users: Ints) -> "Doings":
        """Of some of the users (ascending), who are numbered from 0 again."""
        row = np.full(self.n_users, -1)
        row[users] = np.arange(len(users))
        own, bought, shown = (row[owner] >= 0 for owner in (self.user, self.buyer, self.viewer))
        return Doings(
            len(users),
            row[self.user[own]],
            self.place[own],
            self.key[own],
            row[self.buyer[bought]],
            self.bought[bought],
            row[self.viewer[shown]],
            self.shown[shown],
            self.shown_count[shown],
            self.shown_s[shown],
        )

    @property
    def code(self) -> Ints:
        """(E,) event-type codes."""
        return key_code(self.key)


def excluded_pairs(rules: ShopRules, doings: Doings, now_s: float) -> dict[str, tuple[Ints, Ints]]:
    """By the name of the rule: (user, place) of what it keeps from users."""
    config = rules.config
    pairs = {}
    if config.exclude_purchased:
        pairs["purchased"] = purchased(doings, rules.is_repurchased)
    if config.exclude_in_cart:
        pairs["in_cart"] = in_cart(doings)
    if config.fatigue_impressions:
        pairs["fatigue"] = tired_of(doings, config, now_s)
    return pairs


def purchased(doings: Doings, is_repurchased: Flags) -> tuple[Ints, Ints]:
    """What was bought, but for what is bought again."""
    is_purchase = doings.code == _PURCHASE
    user = np.concatenate([doings.buyer, doings.user[is_purchase]])
    place = np.concatenate([doings.bought, doings.place[is_purchase]])
    once = ~is_repurchased[place]
    return user[once], place[once]


def in_cart(doings: Doings) -> tuple[Ints, Ints]:
    """Items whose newest event about the cart put them there; a purchase takes out."""
    about_cart = np.flatnonzero(np.isin(doings.code, _CART_CODES))[::-1]  # the newest first
    user, place, code = doings.user[about_cart], doings.place[about_cart], doings.code[about_cart]
    pair = np.stack([user, place], axis=1)
    _, newest = np.unique(pair, axis=0, return_index=True)
    lies = newest[code[newest] == _INTO_CART]
    return user[lies], place[lies]


def tired_of(doings: Doings, config: RulesConfig, now_s: float) -> tuple[Ints, Ints]:
    """What was shown so often, and not long ago, without being touched."""
    is_tired = doings.shown_count >= config.fatigue_impressions
    is_tired &= doings.shown_s > now_s - config.fatigue_days * DAY_S
    return doings.viewer[is_tired], doings.shown[is_tired]


def median_price(doings: Doings, price: Floats) -> Floats:
    """(U,) of what each user looked at last; NaN of who looked at nothing with a price."""
    looks = np.flatnonzero(np.isin(doings.code, _LOOK_CODES) & ~np.isnan(price[doings.place]))
    looks = looks[is_newest(doings.user[looks], doings.n_users, LOOKED_AT)]
    user, paid = doings.user[looks], price[doings.place[looks]]
    ordered = paid[np.lexsort((paid, user))]
    n = np.bincount(user, minlength=doings.n_users)
    first = np.cumsum(n) - n
    median = np.full(doings.n_users, np.nan)
    has = n > 0
    lower, upper = first[has] + (n[has] - 1) // 2, first[has] + n[has] // 2
    median[has] = (ordered[lower] + ordered[upper]) / 2
    return median


def is_newest(user: Ints, n_users: int, most: int) -> Flags:
    """Whether each row, by user and time, is one of the newest of its user."""
    end = np.cumsum(np.bincount(user, minlength=n_users))
    return end[user] - np.arange(len(user)) <= most
