"""From columns of drawn events to the events' fields, as the shop's clients would send them."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np

from pipelines.local.shop.catalogue import Catalogue, Floats
from pipelines.local.shop.config import ShopConfig
from pipelines.local.shop.people import People
from pipelines.local.shop.sessions import EventColumns
from pipelines.schemas import EVENT_TYPES

DEVICES = ("mobile", "mobile", "desktop", "desktop", "tablet")
REFERRERS = ("https://search.example/", "https://news.example/", "https://social.example/", None)
CURRENCY = "EUR"
EPOCH_MS_EVERY = 5  # one person in five comes through a client that sends epoch milliseconds
MEDIAN_LATE_SECONDS = 1_800.0
LATE_SECONDS = (60.0, 12 * 3_600.0)
LIST_LENGTH = 3  # impressions in a row
PRICED = frozenset(("product_view", "add_to_cart", "remove_from_cart", "purchase"))
COUNTED = frozenset(("add_to_cart", "remove_from_cart", "purchase"))


@dataclass(frozen=True, slots=True)
class WrittenEvent:
    person: int
    event_type: str
    event_time_ms: int
    sent_ms: int  # from the start of the shop
    fields: dict[str, Any]


class EventWriter:
    """Writes events one block after the other; each gets the next place in an even stream of `events_per_second`."""

    def __init__(self, config: ShopConfig, catalogue: Catalogue, people: People, rng: np.random.Generator) -> None:
        self._config, self._catalogue, self._people, self._rng = config, catalogue, people, rng
        self.run_id = blake2b(config.fingerprint(), digest_size=6).hexdigest()  # else two runs would share event ids
        self._n_written = 0
        self._contexts = {
            (device, location, referrer): {"device_type": device, "location": location, "referrer": referrer}
            for device in set(DEVICES) for location in set(people.locations) for referrer in REFERRERS
        }  # fmt: skip

    def write(self, block: EventColumns) -> Iterator[WrittenEvent]:
        places = self._n_written + np.arange(len(block))
        sent_ms = np.floor(places * 1000 / self._config.events_per_second).astype(np.int64)
        time_ms = self._config.start_ms + sent_ms - np.round(self._lateness_seconds(len(block)) * 1000).astype(np.int64)
        times = np.datetime_as_string(time_ms.astype("datetime64[ms]")).tolist()
        quantities = self._rng.geometric(0.8, len(block)).tolist()
        columns = (
            block.person.tolist(), block.session.tolist(), block.event_type.tolist(), block.item.tolist(),
            block.position.tolist(), time_ms.tolist(), sent_ms.tolist(), times, quantities,
        )  # fmt: skip
        for person, session, kind, item, position, at_ms, sent, text, quantity in zip(*columns, strict=True):
            event_type = EVENT_TYPES[kind]
            event_time = at_ms if person % EPOCH_MS_EVERY == 0 else text + "Z"
            fields = self._common(person, session, event_type, event_time, item)
            self._add_details(fields, event_type, item=item, session=session, position=position, quantity=quantity)
            yield WrittenEvent(person, event_type, at_ms, sent, fields)

    def _common(self, person: int, session: int, event_type: str, event_time: str | int, item: int) -> dict[str, Any]:
        self._n_written += 1
        is_known = person < self._people.n_known
        place = (DEVICES[session % 5], self._people.locations[person], REFERRERS[session % 4])
        url = f"https://shop.example/{'p/' + self._catalogue.item_ids[item] if event_type in PRICED else event_type}"
        return {
            "event_id": f"{self.run_id}-{self._n_written:08x}",
            "event_type": event_type,
            "user_id" if is_known else "anonymous_id": self._people.names[person],
            "session_id": f"{self.run_id}-s{session}",
            "event_time": event_time,
            "context": self._contexts[place] | {"page_url": url},
        }

    def _add_details(
        self, fields: dict[str, Any], event_type: str, *, item: int, session: int, position: int, quantity: int
    ) -> None:
        """Add what only some types have."""
        if event_type == "search":
            fields["query"] = self._catalogue.categories[item % self._catalogue.n_categories]
        elif event_type == "identify":
            fields["anonymous_id"] = f"device-{session}"
        elif event_type != "page_view":
            fields["item_id"] = self._catalogue.item_ids[item]
        if event_type == "impression":
            fields["list_id"], fields["position"] = f"home-{session}", position
        elif event_type == "click" and position == LIST_LENGTH:  # on the last item shown
            fields["list_id"], fields["position"] = f"home-{session}", LIST_LENGTH - 1
        elif event_type in PRICED:
            fields["price"], fields["currency"] = float(self._catalogue.prices[item]), CURRENCY
            fields["category"] = self._catalogue.categories[item % self._catalogue.n_categories]
            fields["brand"] = self._catalogue.brands[item]
        if event_type in COUNTED:
            fields["quantity"] = quantity

    def _lateness_seconds(self, n: int) -> Floats:
        """Minutes to hours for a few, as if they had lain on a phone without a network; 0 for the others."""
        late = np.clip(self._rng.lognormal(np.log(MEDIAN_LATE_SECONDS), 1.2, n), *LATE_SECONDS)
        return np.where(self._rng.random(n) < self._config.late_share, late, 0.0)
