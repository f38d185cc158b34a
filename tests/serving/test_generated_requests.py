"""Requests that nobody would write, made from the OpenAPI document and beside it: answered, and never by a 5xx."""

import tempfile
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import negative_data_rejection

from tests.examples import examples
from tests.serving.builders import Shop, an_item

pytestmark = pytest.mark.slow


def a_shop() -> Shop:
    shop = Shop(Path(tempfile.mkdtemp()), requests_per_minute=10**9)
    shop.has_items(an_item("a", category="Shoes", tags=("sale",), brand="Acme"))
    shop.has_list("u1", ["a", "b"])
    shop.has_fallback("all", ["w", "x", "y"])
    shop.static_file.write_text('{"items": ["s"]}')
    return shop


SHOP = a_shop()
schema = schemathesis.openapi.from_asgi("/openapi.json", SHOP.app)


@schema.parametrize()
@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
def test_the_service_does_what_its_openapi_document_says(case):
    """No 5xx, no undocumented status, no answer of another shape; and what fits the schema is taken.

    More is taken than the document names: ids of any printable characters, names with commas.
    """
    case.call_and_validate(excluded_checks=[negative_data_rejection])


@settings(max_examples=examples(300), deadline=None)
@given(
    query=st.dictionaries(
        st.sampled_from(["n", "exclude", "category", "exclude_items", "context_item", "country", "details", "x"]),
        st.one_of(st.text(max_size=20), st.sampled_from(["3", "tag:a", "true", "category:a,b,tag:c"])),
    ),
    user=st.text(min_size=1, max_size=9).filter(lambda text: text not in (".", "..")),
    is_away=st.booleans(),
)
def test_no_query_is_a_server_error(query, user, is_away):
    SHOP.contact.is_away = is_away
    answer = SHOP.list(user, **query)
    SHOP.contact.is_away = False

    assert answer.status in (200, 400, 404)  # 404: an id with a line break is no path


@settings(max_examples=examples(300), deadline=None)
@given(query=st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")), stored=st.binary(max_size=80))
def test_no_bytes_are_a_server_error(query, stored):
    import asyncio

    from tests.serving.builders import call

    SHOP.contact.values |= {
        "list:{u2}": stored,
        "fallback:{all}": stored,
        "profile:{u2}": stored,
        "serving:mode": stored,
    }
    answer = asyncio.run(call(SHOP.app, "GET", "/v1/lists/u2", query.encode("latin-1"), {}))
    SHOP.has_fallback("all", ["w", "x", "y"])
    SHOP.contact.values.pop("serving:mode")

    assert answer.status in (200, 400)


@settings(max_examples=examples(200), deadline=None)
@given(body=st.binary(max_size=200))
def test_no_body_is_a_server_error(body):
    assert SHOP.post("/v1/lists/batch", body).status in (200, 400)
