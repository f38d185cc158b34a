"""From what other tools send to events of the contract. Pure: no clock, no configuration, no client.

Every adapter takes parsed JSON and gives `Adapted`. It raises PayloadError, and nothing else, for any JSON: where the payload
as a whole is not the vendor's. What is wrong in a part of it is told in `ignored`, and the rest goes through.

Ids are made of the vendor's own (message, order, product): the same payload again gives the same ids, and is folded away
downstream. An event whose payload tells no time has no `event_time`: the receiver knows when it came.
"""

from collections.abc import Callable
from typing import Any

from pipelines.events.adapters.adapted import Adapted, Event, Ignored, PayloadError
from pipelines.events.adapters.ga4 import adapt_ga4
from pipelines.events.adapters.gtm import adapt_gtm
from pipelines.events.adapters.segment import adapt_segment
from pipelines.events.adapters.shopify import adapt_shopify, verify_shopify

ADAPTERS: dict[str, Callable[[Any], Adapted]] = {
    "ga4": adapt_ga4,
    "gtm": adapt_gtm,
    "segment": adapt_segment,
    "shopify": adapt_shopify,
}

__all__ = ["ADAPTERS", "Adapted", "Event", "Ignored", "PayloadError", "verify_shopify"]
