"""shopify."""

import base64
import hmac
from typing import Any

from pipelines.events.adapters.adapted import Adapted, PayloadError


def adapt_shopify(payload: Any) -> Adapted:
    """Make events of a payload. Raises PayloadError where it is none of this vendor."""
    raise PayloadError(f"expected an object, got {type(payload).__name__}")


def verify_shopify(body: bytes, signature: str, secret: str) -> bool:
    """Whether `signature` (header X-Shopify-Hmac-Sha256) was made of these bytes with `secret`; in constant time."""
    expected = base64.b64encode(hmac.digest(secret.encode(), body, "sha256"))
    return hmac.compare_digest(expected, signature.encode("utf-8", "surrogateescape"))
