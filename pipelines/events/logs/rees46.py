"""REES46 "eCommerce behavior data": views, carts and purchases of a shop, as CSV. Prices name no currency."""

from pipelines.events.logs.csv_fields import csv_fields, number, second_of
from pipelines.events.logs.record import KafkaRecord, UnreadableLineError, content_id, event_record

HEADER = b"event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"
EVENT_TYPES = {"view": "product_view", "cart": "add_to_cart"}  # the other two have our names


def read_rees46(line: bytes) -> KafkaRecord:
    """Read one row. Values are passed on, however odd (an unknown type, a price of 0): the rules judge them.

    Raises UnreadableLineError when `line` has other columns, or its time or price cannot be read.
    """
    moment, kind, item, category_id, category, brand, price, user, session = csv_fields(line, 9)
    if not moment.endswith(" UTC"):
        raise UnreadableLineError(f"expected a time in UTC, got {moment!r}")
    event_time, event_time_ms = second_of(moment.removesuffix(" UTC"))
    event = {
        "event_id": content_id(line, "rees46"),
        "event_type": EVENT_TYPES.get(kind, kind),
        "user_id": user,
        "session_id": session,
        "event_time": event_time,
        "item_id": item,
        "price": number(price),
        "category": category,
        "category_id": category_id,
        "brand": brand,
    }
    return event_record(event, event_time_ms)
