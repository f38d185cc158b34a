"""An item as JSON: small, complete, and telling at a glance whether it may be shown."""

import orjson
import pytest

from pipelines.catalogue.document import from_document, gone_document, shows_available, to_document
from pipelines.catalogue.item import CatalogueItem

FULL = CatalogueItem(
    "i1", "Boots", "shoes > boots", "alma", 9.5, "https://shop.example/i1.jpg", False, True, 5, ("new", "sale"), 77
)


@pytest.mark.parametrize("item", [FULL, CatalogueItem("i1"), CatalogueItem("i1", price=0.0, updated_ms=-5)])
def test_an_item_comes_back_as_it_was(item):
    assert from_document(item.item_id, to_document(item)) == item


def test_what_is_not_said_takes_no_room():
    assert to_document(CatalogueItem("i1", updated_ms=7)) == b'{"updated_ms":7}'


def test_an_item_that_is_gone_is_none():
    assert from_document("i1", gone_document(7)) is None


@pytest.mark.parametrize(
    ("document", "is_available"),
    [
        pytest.param(to_document(CatalogueItem("i1", "x")), True, id="for-sale"),
        pytest.param(to_document(CatalogueItem("i1", "x", in_stock=False)), False, id="sold-out"),
        pytest.param(to_document(CatalogueItem("i1", "x", hidden=True)), False, id="hidden"),
        pytest.param(gone_document(7), False, id="gone"),
        pytest.param(to_document(CatalogueItem("i1", '"is_available":false')), True, id="a-title-that-says-so"),
    ],
)
def test_whether_it_may_be_shown(document, is_available):
    assert shows_available(document) == is_available
    assert orjson.loads(document).get("is_available", True) == is_available
