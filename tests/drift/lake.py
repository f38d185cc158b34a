"""A lake with the events of a simulated shop, and the lists that its visitors were shown."""

from datetime import datetime, timedelta, timezone

import orjson
import pyarrow as pa
import yaml
from click.testing import CliRunner
from deltalake import Schema, write_deltalake
from pyspark.sql.types import StructType

from benchmarks.drift_shop import LIST_BEFORE_MS, list_of
from jobs import detect_drift
from pipelines.schemas import CATALOGUE, LISTS, Contract

BEFORE_SESSION = timedelta(milliseconds=LIST_BEFORE_MS)
SENT = ("event_id", "event_type", "user_id", "anonymous_id", "session_id", "item_id", "quantity", "price", "currency")


class Lake:
    """What `detect_drift` reads, under `root`."""

    def __init__(self, root):
        self.root = root
        self.config = root / "config.yaml"
        self.config.write_text(yaml.safe_dump({"lake_root": str(root / "lake")}))

    def path(self, name):
        return str(self.root / "lake" / name)

    def write(self, name, schema: StructType, rows, mode="append"):
        arrow = pa.schema(Schema.from_json(schema.json()).to_arrow())
        write_deltalake(self.path(name), pa.Table.from_pylist(rows, schema=arrow), mode=mode)

    def file(self, shop, *, with_lists=True):
        """File all of the shop's good events as if each had arrived at once."""
        rows, lists = [], {}
        for event in shop.good_events():
            row = event_row(event)
            rows.append(row)
            if with_lists and row["session_id"] not in lists:
                lists[row["session_id"]] = list_row(shop, event, row, len(lists))
        self.write("events", Contract().events, rows)
        if with_lists:
            self.write("lists", LISTS, list(lists.values()))
            self.write("catalogue", CATALOGUE, catalogue_rows(shop))

    def detect(self, as_of, *options):
        arguments = ["--config", str(self.config), "--as-of", as_of.isoformat(), *options]
        return CliRunner().invoke(detect_drift.main, arguments, catch_exceptions=False)


def event_row(event):
    at = datetime.fromtimestamp(event.event_time_ms / 1000, timezone.utc)
    sent = {name: event.fields[name] for name in SENT if name in event.fields}
    extra = [
        (name, orjson.dumps(event.fields[name]).decode()) for name in ("category", "brand") if name in event.fields
    ]
    return sent | {
        "context": event.fields["context"],
        "event_time": at,
        "event_date": at.date(),
        "user": event.fields.get("user_id") or event.fields["anonymous_id"],
        "extra": extra,
        "ingest_time": at,
    }


def list_row(shop, event, row, number):
    items = list_of(shop, event.person)
    made_at = row["event_time"] - BEFORE_SESSION
    return {
        "user": row["user"],
        "list_id": row["session_id"],
        "made_at": made_at,
        "made_date": made_at.date(),
        "cause": "interactions" if number % 3 else "time",
        "source": "personal",
        "items": items,
        "scores": [1.0 / (place + 1) for place in range(len(items))],
        "reasons": [("explore", [9])] if number % 2 else [],
    }


def catalogue_rows(shop):
    of = shop.catalogue
    return [
        {"item_id": item, "category": of.item_categories[item], "brand": brand}
        for item, brand in zip(of.item_ids, of.brands, strict=True)
    ]
