"""The rules of the configuration, worked out for an assortment: which items each is about, and whether it holds now."""

from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np

from pipelines.features.profile import Flags, Floats, Ints
from pipelines.list_sections import BoostConfig, Dated, PinConfig, RulesConfig
from pipelines.lists.assortment import Assortment

DAY_S = 86_400
MOST_NEW = 2_000


@dataclass(frozen=True)
class Pin:
    """An item at a fixed place."""

    config: PinConfig
    place: int  # in the assortment
    of_interest: Flags | None  # (P,) items that a user must be busy with; None: it is for everybody


@dataclass(frozen=True)
class Boost:
    """Items that are lifted, or pushed down."""

    config: BoostConfig
    items: Flags  # (P,)


@dataclass(frozen=True)
class ShopRules:
    """All that the rules say of P items, whoever the user is."""

    config: RulesConfig
    assortment: Assortment
    is_barred: Flags  # (P,) not available, or too cheap or too dear: for nobody
    is_repurchased: Flags  # (P,) bought again and again
    boosts: tuple[Boost, ...]
    pins: tuple[Pin, ...]

    @classmethod
    def of(cls, config: RulesConfig, assortment: Assortment) -> "ShopRules":
        """Work the rules out. The pinned items must be in the assortment."""
        return cls(
            config,
            assortment,
            ~assortment.is_available | _is_out_of(assortment.price, config.min_price, config.max_price),
            assortment.within(config.repurchased_categories),
            tuple(Boost(boost, assortment.matching(boost.match)) for boost in config.boosts),
            tuple(
                Pin(pin, assortment.place_of(pin.item), assortment.within(pin.categories) if pin.categories else None)
                for pin in config.pins
            ),
        )

    def lift(self, now_s: float) -> Floats | None:
        """(P,) the strengths of the boosts that hold at `now_s`, added up; None where there are none."""
        holding = [boost for boost in self.boosts if is_in_force(boost.config, now_s)]
        if not holding:
            return None
        lift: Floats = np.sum([boost.config.strength * boost.items for boost in holding], axis=0)
        return lift

    def pins_at(self, now_s: float) -> list[Pin]:
        """The pins that hold at `now_s`, in their order, of items that may be shown."""
        return [pin for pin in self.pins if is_in_force(pin.config, now_s) and not self.is_barred[pin.place]]

    def new_items(self, now_s: float) -> Ints:
        """Places of the items that came into the shop a short while ago and may be shown: at most MOST_NEW, the newest."""
        created_s = self.assortment.created_s
        age_s = now_s - created_s
        new = np.flatnonzero((age_s >= 0) & (age_s < self.config.new_item_days * DAY_S) & ~self.is_barred)
        newest = np.lexsort((self.assortment.item[new], -created_s[new]))[:MOST_NEW]
        return new[newest]


def is_in_force(dated: Dated, now_s: float) -> bool:
    """Whether a rule holds at `now_s`, epoch seconds."""
    since, until = (_epoch_s(instant) for instant in (dated.since, dated.until))
    return (since is None or since <= now_s) and (until is None or now_s < until)


def _epoch_s(instant: datetime | None) -> float | None:
    if instant is None:
        return None
    return (instant if instant.tzinfo else instant.replace(tzinfo=timezone.utc)).timestamp()


def _is_out_of(price: Floats, least: float | None, most: float | None) -> Flags:
    """Whether a price is outside; one that is not known is not."""
    is_out = np.zeros(len(price), np.bool_)
    if least is not None:
        is_out |= price < least
    if most is not None:
        is_out |= price > most
    return is_out
