"""Hiding an item by hand, and looking at it, without Spark."""

import re

import pytest
import yaml
from click.testing import CliRunner

from jobs import catalogue, show
from pipelines.catalogue.item import CatalogueItem
from pipelines.sinks.catalogue_holds import held_items
from pipelines.stores.catalogue import CatalogueStore
from pipelines.stores.catalogue_copy import CatalogueCopy
from pipelines.stores.connection import connect

BOOT = CatalogueItem("boot", "Boots [red]", "shoes > boots", price=90.0, tags=("new",), updated_ms=1_767_225_600_000)


@pytest.fixture
def run(redis_url, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"lake_root": str(tmp_path / "lake"), "redis": {"url": redis_url}}))

    def invoke(command, *arguments: str, exit_code: int = 0) -> str:
        result = CliRunner().invoke(command.main, [*arguments, "--config", str(config)], catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        return re.sub(r"\s+", " ", result.output)

    return invoke


@pytest.fixture
def store(redis_url):
    store = CatalogueStore(connect(redis_url))
    store.write([BOOT])
    return store


def test_an_item_is_hidden_by_hand_until_it_is_unhidden(run, store, tmp_path):
    copy = CatalogueCopy(store.client)
    assert "boot is hidden" in run(catalogue, "hide", "boot", "--reason", "recalled")
    store.write([CatalogueItem("boot", "Boots again", updated_ms=BOOT.updated_ms + 1)])
    copy.catch_up(store.version())
    assert copy.is_unavailable("boot")
    assert "boot" in (told := run(catalogue, "held")) and "recalled" in told
    assert held_items(str(tmp_path / "lake/catalogue_holds"))["boot"][0] == "recalled"

    assert "may be shown again" in run(catalogue, "unhide", "boot")

    copy.catch_up(store.version())
    assert not copy.is_unavailable("boot") and not held_items(str(tmp_path / "lake/catalogue_holds"))
    assert "was not hidden by hand" in run(catalogue, "unhide", "boot")


def test_an_item_that_the_catalogue_does_not_have_is_hidden_and_that_is_said(run, store):
    assert "the catalogue has no such item" in run(catalogue, "hide", "ghost", "--reason", "?")
    assert not store.is_available("ghost")


def test_an_item_that_the_shop_hides_stays_hidden(run, store):
    store.write([CatalogueItem("boot", in_stock=False, updated_ms=BOOT.updated_ms + 1)])
    run(catalogue, "hide", "boot", "--reason", "recalled")

    assert "is hidden or sold out by the shop's own record" in run(catalogue, "unhide", "boot")


def test_an_item_is_shown_as_it_is_served(run, store):
    told = run(show, "item", "boot")
    assert (
        "item boot may be shown" in told and "title Boots [red]" in told and "price 90.0" in told and "tags new" in told
    )

    run(catalogue, "hide", "boot", "--reason", "recalled [soon]")
    told = run(show, "item", "boot")
    assert "item boot may not be shown" in told and "recalled [soon]" in told and "title Boots [red]" in told

    store.remove({"boot": BOOT.updated_ms})
    assert "the shop does not sell it any more" in run(show, "item", "boot")
    assert "no item 'ghost' in the catalogue" in run(show, "item", "ghost", exit_code=1)
