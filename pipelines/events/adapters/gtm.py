"""The data layer of Google Tag Manager: GA4 e-commerce objects as a page pushes them, or event data of a server container.

https://developers.google.com/analytics/devguides/collection/ga4/ecommerce?client_type=gtm
https://developers.google.com/tag-platform/tag-manager/server-side/common-event-data
"""

from typing import Any

from pipelines.events.adapters.adapted import Adapted
from pipelines.events.adapters.ga4_events import EVENT_TYPES, add_ga4_event, order_identity, page_context
from pipelines.events.adapters.occasion import Occasion
from pipelines.events.adapters.payload import Draft, Part, UnusableError


def adapt_gtm(payload: Any) -> Adapted:
    """Make events of one push, or of an array of them.

    A push is `{"event": "add_to_cart", "ecommerce": {…}}`; event data of a server container has `event_name`, and the parameters
    beside it. Neither has a place for who, when and which, so the tag that sends it adds `client_id` or `user_id`,
    `event_time` (ISO 8601) or `event_time_ms`, and `event_id`. Without `event_id` an event is known by all that it says.
    Raises PayloadError where it is neither an object nor an array.
    """
    draft = Draft()
    pushes = payload if isinstance(payload, list) else [payload]
    for index, push in enumerate(pushes):
        if isinstance(payload, list) and not isinstance(push, dict):
            draft.ignore(f"[{index}]", "is no object")
            continue
        with draft.told():
            _add(Part.whole(push, draft))
    return draft.adapted()


def _add(push: Part) -> None:
    name = push.text("event") or push.text("event_name")
    if name is None:
        raise UnusableError(push.path("event"), "a push without a name is no event")
    params = push.part("ecommerce") if name in EVENT_TYPES and push.has("ecommerce") else push
    shared = {
        "user_id": push.identifier("user_id"),
        "anonymous_id": push.identifier("client_id") or push.identifier("anonymous_id"),
        "session_id": push.identifier("session_id") or push.identifier("ga_session_id"),
        "event_time": push.time("event_time") or push.time_of_ms("event_time_ms"),
        "context": page_context(push),
    }
    own = push.text("event_id")
    identity = order_identity(name, params) or (() if own is None else ("event", own))
    # one vendor for both transports: a purchase told by the page and by the server is one
    add_ga4_event(name, params, Occasion("ga4", name, push.draft, shared, identity))
