"""Events of Shopify's web pixels: https://shopify.dev/docs/api/web-pixels-api/standard-events."""

from pipelines.events.adapters.adapted import Event, PayloadError
from pipelines.events.adapters.occasion import Occasion
from pipelines.events.adapters.payload import Part, UnusableError
from pipelines.events.adapters.shopify_orders import bare_id, order_occasion, shopify_id

NO_COUNTERPART = {
    "checkout_started": "what is in the cart was told by product_added_to_cart, and what is bought will be by checkout_completed",
    "cart_viewed": "what is in the cart was told by product_added_to_cart",
    "checkout_address_info_submitted": "says nothing about taste",
    "checkout_contact_info_submitted": "says nothing about taste",
    "checkout_shipping_info_submitted": "says nothing about taste",
    "payment_info_submitted": "says nothing about taste",
}
CART_EVENTS = {"product_added_to_cart": "add_to_cart", "product_removed_from_cart": "remove_from_cart"}


def add_pixel_event(event: Part) -> None:
    """Add the events of one pixel event. Raises UnusableError where it cannot be read, PayloadError where it is none."""
    name = event.text("name")
    if name is None:
        raise PayloadError("name: expected the name of a web pixel event, such as product_viewed, or topic and payload")
    data, occasion = event.part("data"), _occasion(event)
    if name == "page_viewed":
        occasion.add("page_view", {"page_title": event.part("context").part("document").text("title")})
    elif name == "product_viewed":
        occasion.add("product_view", _variant(data.part("productVariant")))
    elif name == "collection_viewed":
        _add_collection(data.part("collection"), occasion)
    elif name == "search_submitted":
        occasion.add("search", {"query": data.part("searchResult").needed_text("query")})
    elif name in CART_EVENTS:
        line = data.part("cartLine")
        occasion.add(CART_EVENTS[name], {**_variant(line.part("merchandise")), "quantity": line.quantity("quantity")})
    elif name == "checkout_completed":
        _add_checkout(data.part("checkout"), occasion)
    else:
        event.draft.ignore(name[:100], NO_COUNTERPART.get(name, "is none of the events that are read here"))


def _occasion(event: Part) -> Occasion:
    document, own = event.part("context").part("document"), event.text("id")
    shared = {
        "user_id": shopify_id(
            event, "customerId"
        ),  # Shopify gives it to the pixel, not to the event: the pixel adds it
        "anonymous_id": event.identifier("clientId"),
        "event_time": event.time("timestamp"),
        "context": {"page_url": document.part("location").text("href"), "referrer": document.text("referrer")},
    }
    return Occasion("shopify", event.text("name") or "", event.draft, shared, () if own is None else ("event", own))


def _add_collection(collection: Part, occasion: Occasion) -> None:
    variants = collection.parts("productVariants")
    if not variants:
        raise UnusableError(collection.path("productVariants"), "a collection without products shows nothing")
    list_id = shopify_id(collection, "id")
    occasion.add_each(
        "impression", variants, lambda part: {**_variant(part), "list_id": list_id, "position": part.index}
    )


def _add_checkout(checkout: Part, occasion: Occasion) -> None:
    order, lines = checkout.part("order"), checkout.parts("lineItems")
    order_id = bare_id(order.needed_id("id"))
    if not lines:
        raise UnusableError(checkout.path("lineItems"), "an order without lines says nothing")
    customer = shopify_id(order.part("customer"), "id")
    shared = {**occasion.shared, **({} if customer is None else {"user_id": customer})}

    def read(line: Part) -> Event:
        return {**_variant(line.part("variant")), "quantity": line.quantity("quantity"), "order_id": order_id}

    order_occasion(order, shared, order_id).add_each("purchase", lines, read)


def _variant(variant: Part) -> Event:
    product, price = variant.part("product"), variant.part("price")
    return {
        "item_id": bare_id(product.needed_id("id")),
        "variant_id": shopify_id(variant, "id"),
        "price": price.price("amount"),
        "currency": price.currency("currencyCode"),
        "name": product.text("title"),
        "brand": product.text("vendor"),
        "category": product.text("type"),
        "variant": variant.text("title"),
        "sku": variant.text("sku"),
    }
