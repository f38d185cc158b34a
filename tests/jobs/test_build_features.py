"""The job `build_features`: from the table `events` to tables, ranks and fallback lists, by a small file of definitions."""

from datetime import datetime, timedelta

import pytest
import yaml
from click.testing import CliRunner
from pyspark.sql import functions as F

from jobs import build_features
from pipelines.features.aggregates import entity_states
from pipelines.features.definitions import load_definitions
from pipelines.lists.document import PublishedList
from pipelines.schemas import Contract
from pipelines.sinks.delta_tables import ensure_table
from pipelines.stores.connection import connect
from pipelines.stores.heartbeat import HeartbeatStore
from pipelines.stores.ranks import RankStore
from pipelines.stores.trials import TrialStore
from tests.monitoring.beats import figures_without_meaning
from tests.streams import forget_last_commit

pytestmark = [pytest.mark.spark, pytest.mark.servers]

SCHEMA = Contract().events
NOON = datetime(2024, 6, 1, 12)
LIKED = {"kind": "decayed_sum", "about": "", "events": {"click": 1, "purchase": 5}, "half_lives": ["day"]}
DOCUMENT = {
    "version": 2,
    "half_lives_hours": {"day": 24},
    "fields": {"device": "context.device_type"},
    "segments": ["device"],
    "entities": {"item": ["item_id"], "segment": ["segment", "item_id"], "user": ["user"]},
    "features": {
        "popularity": {"entity": "item", **LIKED},
        "last_price": {"entity": "item", "kind": "last_value", "about": "", "events": ["click"], "field": "price"},
        "liked": {"entity": "segment", **LIKED},
        "click_rate": {
            "entity": "item", "kind": "rate", "about": "", "hits": ["click"], "of": ["impression"], "prior": 0.1,
            "prior_events": 9, "half_lives": ["day"],
        },
    },
    "ranks": {"trending": {"feature": "popularity_day", "top": 2}},
    "fallbacks": {"feature": "liked_day", "n": 2},
    "exploration": {"feature": "click_rate_day"},
}  # fmt: skip


def an_event(event_id, item, hours=0.0, event_type="click", device="tv", price=1.0):
    at = NOON + timedelta(hours=hours)
    return {
        "event_id": event_id, "event_type": event_type, "user": "u", "item_id": item, "event_time": at,
        "event_date": at.date(), "ingest_time": at, "price": price, "context": {"device_type": device}, "extra": {},
    }  # fmt: skip


class Shop:
    def __init__(self, spark, root, redis_url):
        self.spark, self.events_path, self.root = spark, str(root / "lake/events"), root
        self.client = connect(redis_url)
        self.ranks = RankStore(self.client, ttl_seconds=60)
        (root / "features.yaml").write_text(yaml.safe_dump(DOCUMENT))
        self.config = root / "config.yaml"
        self.config.write_text(
            yaml.safe_dump({
                "lake_root": str(root / "lake"), "checkpoint_root": str(root / "checkpoints"),
                "features": {"definitions": str(root / "features.yaml")}, "redis": {"url": redis_url},
            })
        )  # fmt: skip

    def add(self, *events):
        ensure_table(self.spark, self.events_path, "events", SCHEMA)
        rows = self.spark.createDataFrame([tuple(event.get(name) for name in SCHEMA.names) for event in events], SCHEMA)
        rows.coalesce(1).write.format("delta").mode("append").save(self.events_path)

    def run(self):
        return CliRunner().invoke(build_features.main, ["--once", "--config", str(self.config)])

    def table(self, entity):
        return self.spark.read.format("delta").load(str(self.root / f"lake/features/v2/{entity}_features"))

    def expected(self, entity):
        events = self.spark.read.format("delta").load(self.events_path)
        return entity_states(events, load_definitions(self.root / "features.yaml"), entity)

    def published(self):
        return {key: self.client.dump(key) for key in self.client.keys("*") if not key.startswith(b"heartbeat")}


@pytest.fixture
def shop(spark, tmp_path, redis_url):
    return Shop(spark, tmp_path, redis_url)


def test_tables_hold_what_all_events_say_and_what_is_published_follows_from_them(shop):
    assert "no table `events` yet" in shop.run().output

    shop.add(an_event("a", "i1"), an_event("b", "i2", 1, "purchase"), an_event("c", "i3", 0), an_event("d", None),
             an_event("h", "i3", 0, "impression"))  # fmt: skip
    assert shop.run().exit_code == 0
    shop.add(
        an_event("e", "i1", 24, price=3.0), an_event("f", "i3", -24, device="car"), an_event("g", "i2", 2, "search")
    )
    assert shop.run().exit_code == 0
    tables, published = {e: rows(shop.table(e)) for e in ("item", "segment")}, shop.published()
    forget_last_commit(shop.root / "checkpoints/build_features/v2")
    assert shop.run().exit_code == 0  # the batch again
    beat = HeartbeatStore(shop.client).read("build_features")
    assert shop.run().exit_code == 0  # nothing at all

    assert {e: rows(shop.table(e)) for e in tables} == tables == {e: rows(shop.expected(e)) for e in tables}
    assert shop.published() == published
    assert shop.ranks.read_rank("trending").members == ["i2", "i1"]
    everybody = PublishedList.from_json(shop.ranks.read_fallback("all"))
    assert (everybody.items, everybody.source, everybody.model) == (["i2", "i1"], "segment", "features-v2")
    assert everybody.as_of_ms == shop.ranks.read_rank("trending").as_of_ms
    assert PublishedList.from_json(shop.ranks.read_fallback("device:car")).items == ["i3"]
    assert beat["table_rows"] == {"item_features": 3, "segment_features": 7} and beat["fallback_lists"] == 3
    assert figures_without_meaning("build_features", beat) == set()
    tried = TrialStore(shop.client).read()
    assert (tried.items, beat["tried_items"]) == (["i3"], 1)
    assert (tried.clicks, tried.impressions) == (pytest.approx([0.75]), pytest.approx([0.5]))


def rows(table):
    """Values to nine digits: two sums of the same numbers may differ in the last ones."""
    shown = [F.round(c, 9).alias(c) if kind == "double" else F.col(c) for c, kind in table.dtypes if c != "batch_id"]
    return sorted(table.select(*shown).collect(), key=str)
