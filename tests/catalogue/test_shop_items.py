"""The simulated shop's catalogue: complete, readable, and saying what its events say."""

from dataclasses import replace

import orjson
import pytest
from click.testing import CliRunner

from jobs import simulate
from pipelines.catalogue.item import CatalogueItem
from pipelines.catalogue.parse import parse_item
from pipelines.local.shop import Shop, ShopConfig
from pipelines.local.shop.items import item_records

CONFIG = ShopConfig(n_events=3_000, n_items=200, broken_share=0)


@pytest.fixture(scope="module")
def items() -> dict[str, CatalogueItem]:
    read = [parse_item(told, separator=" > ", as_of_ms=CONFIG.start_ms) for told in item_records(Shop(CONFIG))]
    return {item.item_id: item for item in read}


def test_every_event_says_what_the_catalogue_says(items):
    events = [orjson.loads(sent.record.value) for sent in Shop(CONFIG).records()]
    priced = [event for event in events if "price" in event]

    assert {event["item_id"] for event in events if "item_id" in event} <= set(items) and len(items) == 200
    assert len(priced) > 1_000
    for event in priced:
        item = items[event["item_id"]]
        assert (item.category, item.brand, item.price) == (event["category"], event["brand"], event["price"])


def test_an_item_that_appears_while_the_shop_runs_is_created_then(items):
    catalogue = Shop(CONFIG).catalogue
    for item_id, at_seconds in zip(catalogue.item_ids, catalogue.appears_at_seconds, strict=True):
        item, since_start_ms = items[item_id], items[item_id].created_ms - CONFIG.start_ms
        assert ("launch" in item.tags) == (at_seconds > 0)
        assert abs(since_start_ms - at_seconds * 1000) <= 1 if at_seconds else since_start_ms < -20 * 86_400_000


def test_the_catalogue_does_not_change_what_the_shop_sends():
    shop, other = Shop(CONFIG), Shop(replace(CONFIG))
    list(item_records(shop))

    assert next(shop.records()) == next(other.records())


def test_simulate_writes_it_and_sends_nothing(tmp_path):
    path = tmp_path / "items.jsonl"
    arguments = ["--catalogue", str(path), "--items", "60", "--seed", "3", "--start-ms", "1767225600000"]

    run = CliRunner().invoke(simulate.main, arguments, catch_exceptions=False)

    assert run.exit_code == 0 and "wrote 60 items" in run.output
    shop = Shop(ShopConfig(n_items=60, seed=3, start_ms=1_767_225_600_000))
    assert [orjson.loads(line) for line in path.read_bytes().splitlines()] == list(item_records(shop))
