"""Shopify: web pixel events, and the webhooks of orders.

https://shopify.dev/docs/api/web-pixels-api/standard-events
https://shopify.dev/docs/api/webhooks
"""

import base64
import hmac
from typing import Any

from pipelines.events.adapters.adapted import Adapted
from pipelines.events.adapters.payload import Draft, Part
from pipelines.events.adapters.shopify_orders import add_order
from pipelines.events.adapters.shopify_pixel import add_pixel_event


def adapt_shopify(payload: Any) -> Adapted:
    """Make events of a web pixel event, or of `{"topic": …, "payload": …}`: a webhook with its header X-Shopify-Topic.

    A purchase is known by order, product and variant: `orders/create`, `orders/paid` and the pixel's `checkout_completed` of one
    order are one. All else is known by the pixel's event id. Raises PayloadError where it is neither.
    """
    draft = Draft()
    root = Part.whole(payload, draft)
    with draft.told():
        if root.has("topic"):
            add_order(root.needed_text("topic"), Part.whole(payload.get("payload"), draft))
        else:
            add_pixel_event(root)
    return draft.adapted()


def verify_shopify(body: bytes, signature: str, secret: str) -> bool:
    """Whether `signature` (header X-Shopify-Hmac-Sha256) was made of these bytes with `secret`; in constant time."""
    expected = base64.b64encode(hmac.digest(secret.encode(), body, "sha256"))
    return hmac.compare_digest(expected, signature.encode("utf-8", "surrogateescape"))
