"""Changes that are planted in the simulated shop, to see whether and when somebody notices."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args
from zlib import crc32

import numpy as np

from pipelines.errors import InputError
from pipelines.local.shop.catalogue import Catalogue
from pipelines.schemas import INTERACTION_TYPES

PlantKind = Literal["new_category", "device_mix", "price_unit", "taste_change"]
NEW_CATEGORY, NEW_ITEMS = "e-scooters", 20
NEW_CATEGORY_SHARE = 0.2  # of the sessions, from then on
TO_MOBILE_SHARE = 0.45  # of the sessions on another device: 40 % mobile become 67 %
CENTS = 100
Fields = dict[str, Any]


@dataclass(frozen=True)
class Plant:
    """What changes, from the `n`-th good event of the shop on. The same events change at each run.

    new_category: a fifth of the sessions is all about a category that nobody had seen. device_mix: nearly half of the
    sessions on other devices are on mobile ones. price_unit: prices come in cents. taste_change: every item stands for
    another one, so that people look for other categories, and what was popular is not any more.
    """

    kind: PlantKind
    from_event: int

    def __post_init__(self) -> None:
        if self.kind not in get_args(PlantKind):
            raise InputError(f"plant: expected one of {', '.join(get_args(PlantKind))}, got '{self.kind}'")


def planter(plant: Plant, catalogue: Catalogue) -> Callable[[int, Fields], Fields]:
    """A function of the number of an event and its fields; it returns the fields as they are sent then."""
    change = _CHANGES[plant.kind](catalogue)
    return lambda number, fields: change(fields) if number >= plant.from_event else fields


def _new_category(_catalogue: Catalogue) -> Callable[[Fields], Fields]:
    def change(fields: Fields) -> Fields:
        if "item_id" not in fields or _of_session(fields, "category") >= NEW_CATEGORY_SHARE:
            return fields
        number = crc32(fields["item_id"].encode()) % NEW_ITEMS
        told = {"category": NEW_CATEGORY, "brand": f"{NEW_CATEGORY}-brand-0"} if "category" in fields else {}
        return fields | {"item_id": f"new-item-{number:02d}"} | told

    return change


def _device_mix(_catalogue: Catalogue) -> Callable[[Fields], Fields]:
    def change(fields: Fields) -> Fields:
        if _of_session(fields, "device") >= TO_MOBILE_SHARE:
            return fields
        return fields | {"context": fields["context"] | {"device_type": "mobile"}}

    return change


def _price_unit(_catalogue: Catalogue) -> Callable[[Fields], Fields]:
    return lambda fields: fields | {"price": round(fields["price"] * CENTS, 2)} if "price" in fields else fields


def _taste_change(catalogue: Catalogue) -> Callable[[Fields], Fields]:
    """All items change places with others, drawn by chance."""
    n = len(catalogue.item_ids)
    other = np.random.default_rng(n).permutation(n).tolist()
    of_item = dict(zip(catalogue.item_ids, other, strict=True))

    def change(fields: Fields) -> Fields:
        if fields["event_type"] not in (*INTERACTION_TYPES, "impression"):
            return fields
        item = of_item[fields["item_id"]]
        changed = fields | {"item_id": catalogue.item_ids[item]}
        if "category" in fields:
            changed["category"] = catalogue.categories[item % catalogue.n_categories]
            changed["brand"], changed["price"] = catalogue.brands[item], float(catalogue.prices[item])
        return changed

    return change


def _of_session(fields: Fields, what: str) -> float:
    """A number from 0 to 1 that is the session's, and another one for something else."""
    return crc32(f"{what}:{fields['session_id']}".encode()) / 2**32


_CHANGES: dict[str, Callable[[Catalogue], Callable[[Fields], Fields]]] = {
    "new_category": _new_category,
    "device_mix": _device_mix,
    "price_unit": _price_unit,
    "taste_change": _taste_change,
}
