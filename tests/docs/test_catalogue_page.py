"""The pages about the catalogue: their examples are read, and their names are those that are understood."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from pipelines.catalogue.document import from_document, to_document
from pipelines.catalogue.item import CatalogueItem
from pipelines.catalogue.parse import MORE_TAGS, NAMES, Rejected, parse_item
from pipelines.list_sections import CatalogueConfig
from pipelines.stores.catalogue import CatalogueStore, Hold
from pipelines.stores.connection import connect

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "catalogue.md").read_text(encoding="utf-8")
REDIS_PAGE = (DOCS / "redis.md").read_text(encoding="utf-8").partition("## The catalogue")[2].partition("\n## ")[0]
SEPARATOR = CatalogueConfig().category_separator


def block(page: str, kind: str) -> str:
    return re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL)[1]


def read(record: dict) -> CatalogueItem | Rejected:
    return parse_item(record, separator=SEPARATOR, as_of_ms=1_780_000_000_000)


def test_the_examples_are_items():
    from_json = [read(json.loads(line)) for line in block(PAGE, "jsonl").splitlines()]
    from_csv = [read(row) for row in csv.DictReader(io.StringIO(block(PAGE, "csv")))]

    for boot, clog in (from_json, from_csv):
        assert (boot.item_id, boot.category, boot.brand, boot.price) == ("boot-7", "Shoes > Boots", "Alma", 89.9)
        assert boot.is_available and not clog.is_available and clog.category == "Shoes"
    assert from_json[0].tags == ("new", "leather") and from_csv[0].tags == ("sale",)


def test_every_name_is_in_the_table_and_only_those():
    told = re.findall(r"^\| \w+ \| (.*?) \|", PAGE, re.MULTILINE)[1:]
    names = [re.findall("`(.*?)`", cell) for cell in told]

    assert [tuple(name for name in of_field if name not in MORE_TAGS) for of_field in names] == list(NAMES.values())


def test_the_reason_is_one_that_is_given():
    assert read({"id": "a", "price": "89,90"}).reasons[0] in PAGE


def test_the_document_is_what_is_written():
    shown = json.loads(block(REDIS_PAGE, "json"))

    item = from_document("boot-7", json.dumps(shown).encode())

    assert item is not None and json.loads(to_document(item)) == shown


@pytest.mark.servers
def test_the_filter_for_other_languages_leaves_out_what_may_not_be_shown(redis_url):
    shown: dict = {}
    exec(block(REDIS_PAGE, "python"), shown)
    client = connect(redis_url)
    store = CatalogueStore(client)
    store.write([CatalogueItem("a"), CatalogueItem("b", hidden=True), CatalogueItem("c"), CatalogueItem("d")])
    store.hold("c", Hold("recalled", 1))

    assert shown["without_unavailable"](client, ["a", "b", "unknown", "c", "d"]) == ["a", "unknown", "d"]
    assert shown["without_unavailable"](client, []) == []
