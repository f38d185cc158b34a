"""No JSON makes an adapter fail but by PayloadError, and what it makes of any is well formed."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.events.adapters import ADAPTERS, PayloadError
from pipelines.events.adapters.values import WELL_FORMED_ID
from pipelines.schemas import CONTEXT, EVENT_JSON, EVENT_TYPES
from tests.events.adapters.cases import CASES
from tests.examples import examples

pytestmark = pytest.mark.slow

KINDS = {"string": str, "bigint": int, "double": float}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**4299, max_value=10**4300),
    st.floats(),
    st.text(st.characters(codec=None, categories=None), max_size=30),
    st.sampled_from(
        ["", " ", "1e400", "-0", "0.0", "1" * 400, "\ud800", "2024-02-30T00:00:00Z", "9999-12-31T23:59:59-23:59"]
    ),
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a document."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return [path, *(place for key, entry in entries for place in places(entry, (*path, key)))]


@st.composite
def damaged(draw: st.DrawFn, vendor: str) -> Any:
    """A payload of the vendor in which up to four things are something else."""
    document = json.loads(json.dumps(draw(st.sampled_from([case["payload"] for of, case in CASES if of == vendor]))))
    for _ in range(draw(st.integers(0, 4))):
        *parents, key = draw(st.sampled_from(places({"root": document})[1:]))
        holder: Any = {"root": document}
        for parent in parents:
            holder = holder[parent]
        holder[key] = draw(ANY_JSON)
        if not parents:
            document = holder["root"]
    return document


def check(vendor: str, payload: Any) -> None:
    with suppress(PayloadError):
        made = ADAPTERS[vendor](payload)
        assert ADAPTERS[vendor](payload) == made
        for entry in made.ignored:
            assert entry.name
            assert entry.reason
            f"{entry.name}{entry.reason}".encode()
        for event in made.events:
            check_event(event)


def check_event(event: dict[str, Any]) -> None:
    json.dumps(event, allow_nan=False, ensure_ascii=False).encode()
    assert event["event_type"] in EVENT_TYPES
    assert event.get("user_id") or event.get("anonymous_id")
    for name in {"event_id", "user_id", "anonymous_id", "session_id", "item_id"} & set(event):
        assert WELL_FORMED_ID.match(event[name])
    for fields, values in ((EVENT_JSON, event), (CONTEXT, event.get("context", {}))):
        for field in fields.fields:
            if field.name in values and field.name != "context":
                assert type(values[field.name]) is KINDS[field.dataType.simpleString()]
    assert not set(event.get("context", {})) - set(CONTEXT.names)


@pytest.mark.parametrize("vendor", ADAPTERS)
def test_any_json(vendor):
    @settings(max_examples=examples(300), deadline=None)
    @given(ANY_JSON)
    def run(payload: Any) -> None:
        check(vendor, payload)

    run()


@pytest.mark.parametrize("vendor", ADAPTERS)
def test_a_payload_in_which_anything_is_something_else(vendor):
    @settings(max_examples=examples(300), deadline=None)
    @given(damaged(vendor))
    def run(payload: Any) -> None:
        check(vendor, payload)

    run()


ODD = [
    10**400,
    -(10**5000),
    2**63,
    True,
    float("nan"),
    float("inf"),
    "\ud800",
    "x" * 3_000,
    "1e5",
    "1" * 400,
    [],
    {},
    "\x00",
]


@pytest.mark.parametrize(
    ("vendor", "case"), [pytest.param(*case, id=f"{case[0]}: {case[1]['case']}") for case in CASES]
)
def test_each_value_of_a_payload_as_each_odd_one(vendor, case):
    for path in places(case["payload"])[1:]:
        for odd in ODD:
            document = json.loads(json.dumps(case["payload"]))
            holder: Any = document
            for parent in path[:-1]:
                holder = holder[parent]
            holder[path[-1]] = odd
            check(vendor, document)
