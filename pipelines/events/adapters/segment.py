"""Segment: single calls, as a webhook destination sends them, or a batch of its HTTP API; the e-commerce spec, version 2.

https://www.twilio.com/docs/segment/connections/spec/common
https://www.twilio.com/docs/segment/connections/spec/ecommerce/v2
"""

from typing import Any

from pipelines.events.adapters.adapted import Adapted, Event, PayloadError
from pipelines.events.adapters.occasion import Occasion
from pipelines.events.adapters.payload import Draft, Part, UnusableError

ONE_PRODUCT = {
    "Product Viewed": "product_view",
    "Product Clicked": "click",
    "Product Added": "add_to_cart",
    "Wishlist Product Added to Cart": "add_to_cart",
    "Product Removed": "remove_from_cart",
}
SEVERAL_PRODUCTS = {
    "Product List Viewed": "impression",
    "Product List Filtered": "impression",
    "Order Completed": "purchase",
}
_OF_VERSION_1 = {
    "Viewed Product": "Product Viewed",
    "Clicked Product": "Product Clicked",
    "Added Product": "Product Added",
    "Removed Product": "Product Removed",
    "Viewed Product Category": "Product List Viewed",
    "Completed Order": "Order Completed",
}
_IN_THE_CART = "what is in the cart was told by Product Added, and what is bought will be by Order Completed"
NO_COUNTERPART = {
    "Cart Viewed": _IN_THE_CART,
    "Checkout Started": _IN_THE_CART,
    "Checkout Step Viewed": _IN_THE_CART,
    "Checkout Step Completed": _IN_THE_CART,
    "Payment Info Entered": "says nothing about taste",
    "Order Updated": "the order was told by Order Completed, and an event is not changed afterwards",
    "Order Refunded": "a purchase that is sent back still says what was wanted; revenue is not counted here",
    "Order Cancelled": "an order that is cancelled still says what was wanted; revenue is not counted here",
    "Promotion Viewed": "a promotion is no item",
    "Promotion Clicked": "a promotion is no item",
    "Product Added to Wishlist": "there is no event type for it",
    "Product Removed from Wishlist": "there is no event type for it",
    "Product Shared": "there is no event type for it",
    "Product Reviewed": "there is no event type for it",
}
_OF_TYPE = {
    "group": "a group is no user",
    "alias": "does not say whether previousId was a visitor or a user; identify does",
}


def adapt_segment(payload: Any) -> Adapted:
    """Make events of one call, or of those in `batch`.

    A call is known by its `messageId`, an order by `order_id` and product, whoever tells of it. Raises PayloadError where it is
    neither an object with a `type` nor one with a `batch`.
    """
    draft = Draft()
    root = Part.whole(payload, draft)
    if isinstance(payload.get("batch"), list):
        for call in root.parts("batch"):
            with draft.told():
                _add(call, call.part("context") if call.has("context") else root.part("context"))
    elif isinstance(payload.get("type"), str):
        with draft.told():
            _add(root, root.part("context"))
    else:
        raise PayloadError("type: expected track, page, screen or identify, or an array named batch, as Segment has it")
    return draft.adapted()


def _add(call: Part, context: Part) -> None:
    kind, properties = call.text("type") or "", call.part("properties")
    occasion = _occasion(call, context)
    if kind == "track":
        _add_track(call, properties, occasion)
    elif kind in ("page", "screen"):
        occasion.add("page_view", {"page_title": properties.text("title") or call.text("name")})
    elif kind == "identify":
        _add_identify(call, occasion)
    else:
        call.draft.ignore(
            f"{kind[:100] or call.path('type')}", _OF_TYPE.get(kind, "is no type of call that is read here")
        )


def _occasion(call: Part, context: Part) -> Occasion:
    page, properties = context.part("page"), call.part("properties")
    name, message = call.text("event") or call.text("type") or "", call.text("messageId")
    shared = {
        "user_id": call.identifier("userId"),
        "anonymous_id": call.identifier("anonymousId"),
        "event_time": call.time("timestamp") or call.time("originalTimestamp"),
        "context": {
            "device_type": context.part("device").text("type"),
            "location": context.part("location").text("country"),
            "page_url": page.text("url") or (properties.text("url") if call.text("type") == "page" else None),
            "referrer": page.text("referrer") or (properties.text("referrer") if call.text("type") == "page" else None),
        },
    }
    return Occasion("segment", name, call.draft, shared, () if message is None else ("message", message))


def _add_track(call: Part, properties: Part, occasion: Occasion) -> None:
    told = call.text("event") or ""
    name = _OF_VERSION_1.get(told, told)
    if name in ONE_PRODUCT:
        occasion.add(ONE_PRODUCT[name], _product(properties, properties))
    elif name in SEVERAL_PRODUCTS:
        _add_products(name, properties, occasion)
    elif name == "Products Searched":
        occasion.add("search", {"query": properties.needed_text("query")})
    else:
        reason = NO_COUNTERPART.get(name, "is none of the events that are read here")
        call.draft.ignore(name[:100] or call.path("event"), reason)


def _add_products(name: str, properties: Part, occasion: Occasion) -> None:
    products = properties.parts("products")
    if not products:
        raise UnusableError(properties.path("products"), f"{name} without products says nothing")
    order = properties.text("order_id") if name == "Order Completed" else None
    if order is not None:
        occasion = Occasion("segment", occasion.name, occasion.draft, occasion.shared, ("order", order))

    def read(product: Part) -> Event:
        own = {**_product(product, properties), "order_id": order}
        if SEVERAL_PRODUCTS[name] == "impression" and own["position"] is None:
            own["position"] = product.index
        return own

    occasion.add_each(SEVERAL_PRODUCTS[name], products, read)


def _product(product: Part, properties: Part) -> Event:
    position = product.position("position")
    return {
        "item_id": product.needed_id("product_id", "sku"),
        "quantity": product.quantity("quantity"),
        "price": product.price("price"),
        "currency": properties.currency("currency"),
        "list_id": properties.text("list_id"),
        "position": None if position is None else max(position - 1, 0),  # Segment counts from 1
        "name": product.text("name"),
        "brand": product.text("brand"),
        "category": product.text("category"),
        "variant": product.text("variant"),
    }


def _add_identify(call: Part, occasion: Occasion) -> None:
    if occasion.shared["user_id"] is None or occasion.shared["anonymous_id"] is None:
        raise UnusableError(
            call.path("type"), "identify joins a visitor to a user only where both anonymousId and userId are given"
        )
    occasion.add("identify")
