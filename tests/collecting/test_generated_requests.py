"""Requests that nobody would write, made from the OpenAPI document and beside it: answered, and never by a 5xx."""

import json
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from tests.collecting.builders import KEY, Client
from tests.examples import examples

pytestmark = pytest.mark.slow


@schemathesis.serializer("application/x-ndjson")
def _lines(_context, value):
    return str(value).encode(errors="replace")


schema = schemathesis.openapi.from_asgi("/openapi.json", Client(events_per_minute=10**9).app)


@schema.parametrize()
@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
def test_the_service_does_what_its_openapi_document_says(case):
    """No 5xx, no undocumented status, no answer of another shape; and what fits the schema is taken.

    A broken event is no broken request: it is answered 200 with the reason. A schema cannot say what a text holds or
    what a vendor means: there, what fits it may be refused.
    """
    is_told_in_full = case.path == "/v1/events" and case.media_type == "application/json"
    excluded = [negative_data_rejection, *([] if is_told_in_full else [positive_data_acceptance])]

    case.call_and_validate(headers={"X-Write-Key": KEY}, excluded_checks=excluded)


@settings(max_examples=examples(150), deadline=None)
@given(
    body=st.binary(max_size=200), kind=st.sampled_from(["application/json", "text/plain", "application/x-ndjson", ""])
)
def test_no_bytes_are_a_server_error(body, kind):
    assert Client().events(body, {"Content-Type": kind}).status in (200, 400)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity", "GZIP", ""])
@settings(max_examples=examples(60), deadline=None)
@given(body=st.binary(max_size=200))
def test_no_encoded_bytes_are_a_server_error(encoding, body):
    assert Client().events(body, {"Content-Encoding": encoding}).status in (200, 400, 415)


@settings(max_examples=examples(100), deadline=None)
@given(
    query=st.dictionaries(
        st.sampled_from(["e", "i", "a", "price", "quantity", "position", "q", "x"]), st.text(max_size=9)
    )
)
def test_no_pixel_is_a_server_error(query):
    answer = Client().get(f"/v1/pixel.gif?{urlencode({**query, 'key': KEY})}")

    assert answer.status in (200, 400)
    assert json.loads(json.dumps(answer.headers["x-verdict"])).isascii()
