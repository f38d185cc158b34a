"""Records of shops' catalogues: what is understood, and what is refused with a reason."""

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.catalogue.item import CatalogueItem
from pipelines.catalogue.parse import KNOWN, NAMES, Rejected, parse_item, unknown_fields

AS_OF = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def parsed(**record):
    return parse_item({"id": "i1"} | record, separator=" > ", as_of_ms=AS_OF)


def test_a_record_of_a_google_merchant_feed_is_an_item():
    record = {
        "g:id": "SKU-17", "g:title": " Boots ", "g:product_type": "Shoes > Boots", "g:brand": "Alma",
        "g:price": "12.34 EUR", "g:availability": "out of stock", "g:image_link": "https://shop.example/17.jpg",
        "g:custom_label_0": "sale", "g:link": "https://shop.example/17", "g:google_product_category": 187,
    }  # fmt: skip

    item = parse_item(record, separator=" > ", as_of_ms=AS_OF)

    assert item == CatalogueItem(
        "SKU-17", "Boots", "Shoes > Boots", "Alma", 12.34, "https://shop.example/17.jpg", False, tags=("sale",),
        updated_ms=AS_OF,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("id", 17, "17"), ("id", " a ", "a"), ("sku", "i1", "i1"),
        ("title", "x", "x"), ("name", "x", "x"), ("title", 2026, "2026"), ("title", "", None), ("title", float("nan"), None),
        ("category", "a > b", "a > b"), ("category", ["a", " b "], "a > b"), ("category", [], None), ("category", ("a",), "a"),
        ("category_code", "electronics.audio", "electronics.audio"),
        ("price", 12, 12.0), ("price", "12.34", 12.34), ("price", "EUR 12.34", 12.34), ("price", "0 USD", 0.0),
        ("in_stock", True, True), ("in_stock", 0, False), ("in_stock", "no", False), ("availability", "in_stock", True),
        ("availability", "preorder", True), ("availability", "https://schema.org/OutOfStock", False),
        ("availability", "Sold out", False), ("hidden", "true", True), ("hidden", 0, False),
        ("tags", "new, sale,,new", ("new", "sale")), ("tags", ["new", "sale"], ("new", "sale")), ("tags", None, ()),
        ("created_at", "2026-01-01T00:00:00Z", AS_OF), ("created_at", "2026-01-01T01:00:00+01:00", AS_OF),
        ("created_at", "2026-01-01T01:00:00+0100", AS_OF), ("created_at", "2026-01-01", AS_OF), ("created_at", AS_OF, AS_OF),
        ("created_at", AS_OF * 10**6, AS_OF),
        ("created_at", str(AS_OF), AS_OF), ("created_at", date(2026, 1, 1), AS_OF), ("created_at", datetime(2026, 1, 1), AS_OF),
        ("created_at", datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), AS_OF),
        ("updated_at", "2025-12-31T23:59:59Z", AS_OF - 1_000), ("updated_at", AS_OF + 86_400_000, AS_OF + 86_400_000),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_understood(field, value, expected):
    item = parsed(**{field: value})
    name = next(name for name, names in NAMES.items() if field in names)

    assert isinstance(item, CatalogueItem), item
    assert getattr(item, name) == expected and type(getattr(item, name)) is type(expected)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"id": ""}, "item_id: missing; expected one of item_id, id, sku, product_id"),
        ({"id": "a b"}, "id: expected 1 to 128 characters, none of them blank, invisible or a double quote, got 'a b'"),
        ({"id": ["a"]}, "id: expected text of at most 2,048 characters, got \"['a']\""),
        ({"title": {"de": "x"}}, "title: expected text of at most 2,048 characters, got \"{'de': 'x'}\""),
        ({"title": "\ud800"}, "title: expected text of at most 2,048 characters, got '\\ud800'"),
        ({"category": ["a", ""]}, "category: expected parts that are not empty, got \"['a', '']\""),
        ({"price": "12,34"}, "price: expected a number from 0, or text such as '12.34 EUR', got '12,34'"),
        ({"price": -1}, "price: expected a number from 0, or text such as '12.34 EUR', got '-1'"),
        ({"price": True}, "price: expected a number from 0, or text such as '12.34 EUR', got 'True'"),
        ({"price": float("inf")}, "price: expected a number from 0, or text such as '12.34 EUR', got 'inf'"),
        ({"in_stock": "eh"}, "in_stock: expected true, false, in_stock, out_of_stock, preorder or backorder, got 'eh'"),
        ({"hidden": "perhaps"}, "hidden: expected true or false, got 'perhaps'"),
        ({"tags": [{}]}, "tags: expected text of at most 2,048 characters, got '{}'"),
        ({"tags": [str(i) for i in range(101)]}, "tags: expected at most 100 tags, got '101'"),
        ({"created_at": AS_OF // 1000}, f"created_at: expected ISO 8601 or epoch milliseconds, got '{AS_OF // 1000}'"),
        ({"created_at": "yesterday"}, "created_at: expected ISO 8601 or epoch milliseconds, got 'yesterday'"),
        ({"updated_at": AS_OF + 86_400_001}, "updated_at: more than a day ahead of the record itself"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_is_refused_says_why(record, reason):
    rejected = parsed(**record)

    assert isinstance(rejected, Rejected) and rejected.reasons == (reason,)
    assert rejected.item_id == (None if "id" in record else "i1")


def test_all_reasons_are_told():
    assert len(parsed(price="x", tags=[{}], hidden="?").reasons) == 3


def test_of_several_names_the_first_with_a_value_counts():
    assert parsed(item_id=None, sku="other").item_id == "i1"
    assert parsed(item_id="mine").item_id == "mine"


def test_fields_that_are_passed_over_are_named():
    assert unknown_fields(["g:id", "Image Link", "descripton", "custom_label_3", "link"]) == ["descripton", "link"]


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes() | st.binary()
anything |= st.lists(anything, max_size=3) | st.dictionaries(st.text(), anything, max_size=2)


@given(st.dictionaries(st.sampled_from(sorted(KNOWN)), anything))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_nothing_a_record_says_is_more_than_refused(record):
    item = parse_item(record, separator=" > ", as_of_ms=AS_OF)

    assert isinstance(item, CatalogueItem) or item.reasons
