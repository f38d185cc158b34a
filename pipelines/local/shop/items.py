"""The catalogue of the simulated shop, as records that `load_catalogue` reads."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from pipelines.local.shop.stream import Shop

OLDEST_DAYS, NEWEST_DAYS = 400, 30  # before the shop begins: items that are there from the start
SALE_EVERY = 7


def item_records(shop: Shop) -> Iterator[dict[str, Any]]:
    """A record for each item, with the category, brand and price that its events have. The same shop, the same records."""
    catalogue, start = shop.catalogue, datetime.fromtimestamp(shop.config.start_ms / 1000, timezone.utc)
    used_up = {catalogue.categories[i] for i in catalogue.consumable_categories}
    for i, item_id in enumerate(catalogue.item_ids):
        category, launch_s = catalogue.item_categories[item_id], float(catalogue.appears_at_seconds[i])
        age_days = NEWEST_DAYS + i * 37 % (OLDEST_DAYS - NEWEST_DAYS)
        created = start + (timedelta(seconds=launch_s) if launch_s else -timedelta(days=age_days))
        tags = {"launch": launch_s > 0, "sale": i % SALE_EVERY == 0, "used-up": category in used_up}
        yield {
            "item_id": item_id,
            "title": f"{category.replace('-', ' ').capitalize()} no. {i:05d}",
            "category": category,
            "brand": catalogue.brands[i],
            "price": float(catalogue.prices[i]),
            "image": f"https://shop.example/images/{item_id}.jpg",
            "in_stock": True,
            "created_at": created.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "tags": [tag for tag, has in tags.items() if has],
        }
