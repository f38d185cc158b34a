"""Google Analytics 4, Measurement Protocol: what a server sends to /mp/collect.

https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference
"""

from typing import Any

from pipelines.events.adapters.adapted import Adapted, PayloadError
from pipelines.events.adapters.ga4_events import add_ga4_event, order_identity, page_context
from pipelines.events.adapters.occasion import Occasion
from pipelines.events.adapters.payload import Draft, Part


def adapt_ga4(payload: Any) -> Adapted:
    """Make events of one request of the Measurement Protocol.

    The id of an event is made of all that it says: with `timestamp_micros` only the same request again gives the same ids;
    without, two requests that say the same are taken for one. A purchase is known by `transaction_id` and item.
    Raises PayloadError where there is no user or no array of events.
    """
    draft = Draft()
    root = Part.whole(payload, draft)
    user = {
        "user_id": root.identifier("user_id"),
        "anonymous_id": root.identifier("client_id") or root.identifier("app_instance_id"),
    }
    if not any(user.values()):
        raise PayloadError(
            "client_id: a request of the Measurement Protocol names a client_id, app_instance_id or user_id"
        )
    if not isinstance(payload.get("events"), list):
        raise PayloadError("events: expected an array of events, as the Measurement Protocol has it")
    place = {
        "device_type": root.part("device").text("category"),
        "location": root.part("user_location").text("country_id"),
    }
    for call in root.parts("events"):
        with draft.told():
            _add(call, root, user, place)
    return draft.adapted()


def _add(call: Part, root: Part, user: dict[str, str | None], place: dict[str, str | None]) -> None:
    name, params = call.needed_text("name"), call.part("params")
    shared = {
        **user,
        "session_id": params.identifier("session_id") or params.identifier("ga_session_id"),
        "event_time": call.time_of_micros("timestamp_micros") or root.time_of_micros("timestamp_micros"),
        "context": {**place, **page_context(params)},
    }
    add_ga4_event(name, params, Occasion("ga4", name, root.draft, shared, order_identity(name, params)))
