"""The page about collecting names every event of every vendor that is read, or not."""

import re
from pathlib import Path

from pipelines.events.adapters import ga4_events, segment, shopify_orders, shopify_pixel
from pipelines.schemas import EVENT_TYPES

PAGE = (Path(__file__).parents[2] / "docs/collecting.md").read_text(encoding="utf-8")
WEBHOOKS = PAGE.split("\n## Webhooks\n")[1].split("\n## ")[0]
READ = {
    **ga4_events.EVENT_TYPES,
    **segment.ONE_PRODUCT,
    **segment.SEVERAL_PRODUCTS,
    **shopify_pixel.CART_EVENTS,
    **dict.fromkeys(shopify_orders.PURCHASES, "purchase"),
}
NOT_READ = {
    *ga4_events.NO_COUNTERPART,
    *segment.NO_COUNTERPART,
    *shopify_orders.NO_COUNTERPART,
    *shopify_pixel.NO_COUNTERPART,
}


def rows(first_header: str) -> list[list[str]]:
    """The cells of the table that begins so."""
    table = re.search(rf"^\| {first_header} \|.*\n(?:\|.*\n)+", WEBHOOKS, re.MULTILINE)
    assert table
    return [line.strip("|\n ").split(" | ") for line in table.group().splitlines()[2:]]


def test_every_vendor_event_that_is_read_is_in_the_row_of_its_type():
    cells = {row[0].strip("`"): " ".join(row[1:]) for row in rows("event")}

    assert cells.keys() == set(EVENT_TYPES)
    assert [name for name, event_type in READ.items() if f"`{name}`" not in cells[event_type]] == []


def test_every_vendor_event_that_is_ignored_is_in_the_table_with_the_reason():
    named = {name for row in rows("ignored") for name in re.findall("`([^`]+)`", row[0])}

    assert named >= NOT_READ
    assert not named & READ.keys()
