"""gtm."""

from typing import Any

from pipelines.events.adapters.adapted import Adapted, PayloadError


def adapt_gtm(payload: Any) -> Adapted:
    """Make events of a payload. Raises PayloadError where it is none of this vendor."""
    raise PayloadError(f"expected an object, got {type(payload).__name__}")
