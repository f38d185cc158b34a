"""The events of Google Analytics 4 and their parameters, however they are transported."""

from pipelines.events.adapters.adapted import Event
from pipelines.events.adapters.occasion import Occasion
from pipelines.events.adapters.payload import Part, UnusableError

EVENT_TYPES = {
    "view_item": "product_view",
    "view_item_list": "impression",
    "select_item": "click",
    "add_to_cart": "add_to_cart",
    "remove_from_cart": "remove_from_cart",
    "purchase": "purchase",
}
NO_COUNTERPART = {
    "begin_checkout": "what is in the cart was told by add_to_cart, and what is bought will be by purchase",
    "refund": "a purchase that is sent back still says what was wanted; revenue is not counted here",
    "view_cart": "what is in the cart was told by add_to_cart",
    "add_to_wishlist": "there is no event type for it",
    "add_shipping_info": "says nothing about taste",
    "add_payment_info": "says nothing about taste",
    "view_promotion": "a promotion is no item",
    "select_promotion": "a promotion is no item",
}
UNKNOWN = "is none of the events that are read here"


def add_ga4_event(name: str, params: Part, occasion: Occasion) -> None:
    """Add the events of one GA4 event to the occasion's draft. Raises UnusableError where it cannot be read."""
    if name in EVENT_TYPES:
        _add_products(name, params, occasion)
    elif name == "page_view":
        occasion.add("page_view", {"page_title": params.text("page_title")})
    elif name in ("search", "view_search_results"):
        occasion.add("search", {"query": params.needed_text("search_term")})
    elif name in ("login", "sign_up"):
        _add_identify(name, occasion)
    else:
        occasion.draft.ignore(name[:100], NO_COUNTERPART.get(name, UNKNOWN))


def page_context(params: Part) -> Event:
    """The parameters that tell of the page."""
    return {"page_url": params.text("page_location"), "referrer": params.text("page_referrer")}


def order_identity(name: str, params: Part) -> tuple[str, ...]:
    """What a purchase is known by, whoever tells of it: browser and server may both."""
    order = params.text("transaction_id") if name == "purchase" else None
    return () if order is None else ("order", order)


def _add_products(name: str, params: Part, occasion: Occasion) -> None:
    items = params.parts("items")
    if not items:
        raise UnusableError(params.path("items"), f"{name} without items says nothing")
    shared: Event = {"currency": params.currency("currency")}
    if name == "purchase":
        shared["order_id"] = params.text("transaction_id")
    shared_list = params.text("item_list_id") or params.text("item_list_name")

    def read(item: Part) -> Event:
        position = item.position("index")
        return {
            **shared,
            "item_id": item.needed_id("item_id"),
            "quantity": item.quantity("quantity"),
            "price": item.price("price"),
            "list_id": item.text("item_list_id") or item.text("item_list_name") or shared_list,
            "position": item.index if position is None and name == "view_item_list" else position,
            "name": item.text("item_name"),
            "brand": item.text("item_brand"),
            "category": item.text("item_category"),
            "variant": item.text("item_variant"),
        }

    occasion.add_each(EVENT_TYPES[name], items, read)


def _add_identify(name: str, occasion: Occasion) -> None:
    if not {"user_id", "anonymous_id"} <= {key for key, value in occasion.shared.items() if value is not None}:
        raise UnusableError(name, "joins a visitor to a user only where both client_id and user_id are given")
    occasion.add("identify")
