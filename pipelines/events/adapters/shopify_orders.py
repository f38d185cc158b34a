"""Webhooks of Shopify's orders: https://shopify.dev/docs/api/admin-rest/latest/resources/order."""

from pipelines.events.adapters.adapted import Event
from pipelines.events.adapters.occasion import Occasion
from pipelines.events.adapters.payload import Part, UnusableError
from pipelines.events.adapters.values import WELL_FORMED_ID

PURCHASES = ("orders/create", "orders/paid")
NO_COUNTERPART = {
    "refunds/create": "a purchase that is sent back still says what was wanted; revenue is not counted here",
    "orders/cancelled": "an order that is cancelled still says what was wanted; revenue is not counted here",
    "orders/updated": "the order was told by orders/create or orders/paid, and an event is not changed afterwards",
}


def add_order(topic: str, order: Part) -> None:
    """Add one purchase for each line of the order. Raises UnusableError where it cannot be read."""
    if topic not in PURCHASES:
        order.draft.ignore(topic[:100], NO_COUNTERPART.get(topic, "is none of the topics that are read here"))
        return
    if order.flag("test"):
        raise UnusableError("test", "is a test order: nobody wanted anything")
    order_id = bare_id(order.needed_id("id", "admin_graphql_api_id"))
    shared = {
        "user_id": shopify_id(order.part("customer"), "id"),
        "event_time": order.time("processed_at") or order.time("created_at"),
        "context": {"referrer": order.text("referring_site")},
    }
    occasion = order_occasion(order, shared, order_id)
    currency = order.currency("currency")
    lines = order.parts("line_items")
    if not lines:
        raise UnusableError(order.path("line_items"), "an order without lines says nothing")

    def read(line: Part) -> Event:
        return {
            "item_id": bare_id(line.needed_id("product_id")),
            "variant_id": shopify_id(line, "variant_id"),
            "quantity": line.quantity("quantity"),
            "price": line.price("price"),
            "currency": currency,
            "order_id": order_id,
            "name": line.text("title"),
            "brand": line.text("vendor"),
            "variant": line.text("variant_title"),
            "sku": line.text("sku"),
        }

    occasion.add_each("purchase", lines, read)


def order_occasion(order: Part, shared: Event, order_id: str) -> Occasion:
    """An order, whoever tells of it. Raises UnusableError for one that belongs to nobody."""
    if shared.get("user_id") is None and shared.get("anonymous_id") is None:
        raise UnusableError(order.path("customer.id"), "an order without a customer belongs to no profile")
    return Occasion("shopify", "order", order.draft, shared, ("order", order_id))


def shopify_id(part: Part, name: str) -> str | None:
    """An id without the form `gid://shopify/Kind/…` that some interfaces give it."""
    found = part.identifier(name)
    return found if found is None else bare_id(found)


def bare_id(found: str) -> str:
    """`123` of `gid://shopify/Order/123?key=…`; anything else as it is."""
    bare = found.split("?", maxsplit=1)[0].rsplit("/", 1)[-1]
    return bare if found.startswith("gid://shopify/") and WELL_FORMED_ID.match(bare) else found
