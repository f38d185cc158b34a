"""One thing that a vendor tells of, and the events of the contract that it becomes."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pipelines.events.adapters.adapted import Event
from pipelines.events.adapters.payload import Draft, Part, UnusableError


@dataclass(frozen=True)
class Occasion:
    """What all events made of one vendor event share.

    `identity` is what the vendor knows it by (a message id, an order id): the same again is the same event. Empty: it is known
    by what it says, all of it.
    """

    vendor: str
    name: str  # what the vendor calls it
    draft: Draft
    shared: Event = field(default_factory=dict)
    identity: tuple[str, ...] = ()

    def add(self, event_type: str, own: Event | None = None, again: int = 0) -> None:
        """Add one event to the draft. `again` counts those of the occasion that are of the same product.

        Raises UnusableError for an event that belongs to nobody.
        """
        event = without_none({"event_type": event_type, **self.shared, **(own or {})})
        if "user_id" not in event and "anonymous_id" not in event:
            raise UnusableError(self.name, "names no user and no visitor, so it belongs to no profile")
        if self.identity:
            content = [*self.identity, event_type, event.get("item_id"), event.get("variant_id"), again]
        else:
            content = [event, self.draft.n_alike(json.dumps(event, sort_keys=True))]
        self.draft.add({"event_id": _event_id(self.vendor, content), **event})

    def add_each(self, event_type: str, products: Iterable[Part], read: Callable[[Part], Event]) -> None:
        """Add one event for each product. One without a usable id is noted; the others go through."""
        seen: Counter[tuple[str, str | None]] = Counter()
        for product in products:
            with self.draft.told():
                own = read(product)
                key = (own["item_id"], own.get("variant_id"))
                self.add(event_type, own, seen[key])
                seen[key] += 1


def _event_id(vendor: str, content: list[Any]) -> str:
    """The same for the same content: 128 bits of SHA-256."""
    return f"{vendor}-{hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]}"


def without_none(fields: Event) -> Event:
    """The fields that have a value; `context` without those that have none."""
    found = {name: value for name, value in fields.items() if value is not None}
    if "context" in found:
        found["context"] = {name: value for name, value in found["context"].items() if value is not None}
    return {name: value for name, value in found.items() if value != {}}
