"""Training sets: each value is what the plain formulas say of the events that had happened, and had arrived, by then."""

import hashlib
import random
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import InputError
from pipelines.features.as_of_values import values_before
from pipelines.features.distinct_values import distinct_counts
from pipelines.features.past import Events, Instants
from tests.examples import examples
from tests.features.oracle import Oracle, micros, seconds, utc
from tests.features.test_two_compilers import (
    DEFINITIONS,
    DOCUMENT,
    START,
    TYPES,
    an_event,
    assert_same,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MICRO = timedelta(microseconds=1)
WITHOUT_HISTORY = {
    "interest_day": 0.0, "purchases_day": 0.0, "purchase_rate_month": 0.02, "n_items": 0, "last_seen": None,
    "last_item": None, "session_seconds": None,
}  # fmt: skip


def hash_of(text) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def hashes_of(texts) -> pa.Array:
    return pa.array([None if text is None else hash_of(text) for text in texts], pa.int64())


def counted_by_hand(events) -> pa.Table:
    """What `counted_events` gives for the user, without Spark."""
    own = [event for event in events if event["event_type"] in DEFINITIONS.event_types("user")]

    def column(name):
        return [event[name] for event in own]

    amounts = [e["price"] and e["price"] * (1 if e["quantity"] is None else e["quantity"]) for e in own]
    return pa.table({
        "user": pa.array(column("user"), pa.string()), "event_type": pa.array(column("event_type"), pa.string()),
        "time_s": pa.array(map(seconds, column("event_time")), pa.int64()),
        "event_us": pa.array(map(micros, column("event_time")), pa.int64()),
        "ingest_us": pa.array(map(micros, column("ingest_time")), pa.int64()),
        "event_id": pa.array(column("event_id"), pa.string()), "sum_amount": pa.array(amounts, pa.float64()),
        "hash_item_id": hashes_of(column("item_id")), "last_item_id": pa.array(column("item_id"), pa.string()),
        "last_device": pa.array([e["context"].get("device_type") for e in own], pa.string()),
        "session": hashes_of(column("session_id")),
    })  # fmt: skip


def labels_by_hand(labels) -> pa.Table:
    """Labels (user, as_of, known_by), without Spark."""
    users, as_of, known_by = zip(*labels, strict=True)
    kind = pa.timestamp("us", tz="UTC")
    return pa.table({"user": users, "as_of": pa.array(as_of, kind), "known_by": pa.array(known_by, kind)})


def read(events, labels) -> list[dict]:
    values = values_before(DEFINITIONS, "user", labels_by_hand(labels), counted_by_hand(events))
    rows = [dict(zip(values, row, strict=True)) for row in zip(*[v.to_pylist() for v in values.values()], strict=True)]
    return [{n: v.replace(tzinfo=None) if isinstance(v, datetime) else v for n, v in row.items()} for row in rows]


def value(events, name, as_of, known_by=START + 1_000 * DAY):
    return read(events, [("u", as_of, known_by)])[0][name]


def expected_of(plain, entity, events, key, as_of, known_by) -> dict | None:
    """What the formulas say; None without an event."""
    seen = [e for e in events if e["event_time"] < as_of and e["ingest_time"] <= known_by]
    row = plain.features(entity, seen, seconds(as_of)).get(key)
    return row and {name: of for name, of in row.items() if name != "as_of_s"}


# ── against the plain formulas ───────────────────────────────────────────────────────────────────────────────────────

a_delay = st.one_of(st.just(0), st.integers(0, 5), st.integers(0, 10**6))
an_age_s = st.one_of(st.integers(0, 3), st.integers(0, 100_000), st.integers(0, 1_700_000_000))
some_events = st.lists(
    st.tuples(
        st.sampled_from(["u1", "u2"]), st.sampled_from(TYPES), an_age_s, a_delay, st.sampled_from([0, 1, 999_999]),
        st.one_of(st.integers(0, 2), st.integers(0, 40)), st.sampled_from([None, "s1", "s2"]),
    ),
    min_size=1,
    max_size=45,
)  # fmt: skip
a_shift = st.sampled_from([-MICRO, timedelta(0), MICRO, 30 * DAY, 20_000 * DAY])


@settings(max_examples=examples(100), deadline=None)
@given(
    some_events, st.lists(st.tuples(st.integers(0, 44), a_shift, st.integers(0, 44), a_shift), max_size=8), st.data()
)
def test_each_value_is_of_the_events_that_had_happened_and_had_arrived(drawn, points, data):
    events = [
        an_event(
            number, user, event_type, f"i{item}", utc(1_700_000_000 - age_s) + micro * MICRO,
            arrived=utc(1_700_000_000 - age_s + delay), session_id=session, price=float(item),
            context={"device_type": "mobile"} if item % 2 else {},
        )
        for number, (user, event_type, age_s, delay, micro, item, session) in enumerate(drawn)
    ]  # fmt: skip
    n = len(events)
    labels = [
        (events[a % n]["user"], events[a % n]["event_time"] + later, events[b % n]["ingest_time"] + known)
        for a, later, b, known in [*points, (0, 20_000 * DAY, 0, 20_000 * DAY)]
    ]
    shuffled = data.draw(st.permutations(events))
    plain = Oracle(DOCUMENT, hash_of)

    for (user, as_of, known_by), got in zip(labels, read(shuffled, labels), strict=True):
        expected = expected_of(plain, "user", events, (user,), as_of, known_by)
        if expected is None:
            assert got | WITHOUT_HISTORY == got
        else:
            assert_same("user", {(user,): got}, {(user,): expected})


def test_more_values_than_the_sketch_holds_are_estimated_from_those_that_were_seen():
    chance = random.Random(3)
    events = [
        an_event(
            n, "u", item=f"i{chance.randrange(200)}", at=START + n * HOUR, arrived=START + chance.randrange(400) * HOUR
        )
        for n in range(400)
    ]
    labels = [("u", START + chance.randrange(400) * HOUR, START + chance.randrange(400) * HOUR) for _ in range(60)]
    plain = Oracle(DOCUMENT, hash_of)

    got = [row["n_items"] for row in read(events, labels)]

    expected = [expected_of(plain, "user", events, (user,), *bounds) for user, *bounds in labels]
    assert got == [0 if row is None else row["n_items"] for row in expected]
    assert max(got) > 2 * DOCUMENT["features"]["n_items"]["k"]


@pytest.mark.parametrize("n_seen", [15, 16, 100])
def test_the_smallest_hashes_are_found_where_most_others_were_not_there_yet(n_seen):
    hashes, moments = (np.arange(200) - 100) * 2**55, np.arange(200)
    events = Events(np.zeros(200, np.int64), moments, np.where(moments < 200 - n_seen, 9, 1))
    instants = Instants(np.zeros(1, np.int64), np.array([200]), np.array([1]))

    kth = int(hashes[200 - n_seen + 15]) if n_seen >= 16 else None

    expected = n_seen if kth is None else int(15 / ((kth + 2**63) / 2**64))
    assert distinct_counts(hashes, events, instants, 16).tolist() == [expected]


def test_a_value_seen_twice_in_another_order_than_it_arrived_is_counted_once():
    late = an_event(1, "u", at=START - 2 * HOUR, arrived=START + HOUR)
    prompt = an_event(2, "u", at=START - HOUR, arrived=START)

    assert value([late, prompt], "n_items", START, START + HOUR) == 1
    assert value([late, prompt], "n_items", START, START) == 1
    assert value([late, prompt], "n_items", START - HOUR, START) == 0


# ── the traps ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_event_itself_is_not_in_its_own_features():
    event = an_event(at=START)

    assert value([event], "interest_day", START) == 0.0
    assert value([event], "interest_day", START + MICRO) == 1.0


def test_an_equal_timestamp_correction_is_applied():
    first = an_event(9, "u", item="wrong", arrived=START + timedelta(seconds=1))
    correction = an_event(1, "u", item="right", arrived=START + timedelta(seconds=2))

    assert value([first, correction], "last_item", START + HOUR) == "right"
    assert value([correction, first], "last_item", START + HOUR) == "right"


def test_a_late_event_is_counted_once_it_has_arrived():
    on_time, late = an_event(1, "u"), an_event(2, "u", at=START - DAY, arrived=START + 3 * DAY)
    as_of = START + timedelta(seconds=1)

    assert value([on_time, late], "interest_day", as_of, START + 3 * DAY) == pytest.approx(1.5, rel=1e-4)
    assert value([on_time, late], "interest_day", as_of, START + 3 * DAY - MICRO) == pytest.approx(1.0, rel=1e-4)


def test_a_later_correction_does_not_leak_into_training():
    first = an_event(1, "u", item="as it was known")
    correction = an_event(2, "u", item="as it is known now", arrived=START + DAY)
    as_of = START + HOUR

    assert value([first, correction], "last_item", as_of, known_by=as_of) == "as it was known"
    assert value([first, correction], "n_items", as_of, known_by=as_of) == 1
    assert value([first, correction], "interest_hour", as_of, known_by=as_of) == 0.5


def test_an_expired_value_is_null_not_served_as_present():
    event = an_event(item="shoe")

    assert value([event], "last_item", START + 14 * DAY) == "shoe"
    assert value([event], "last_item", START + 14 * DAY + timedelta(seconds=1)) is None


def test_a_label_without_history_has_nothing_or_the_prior():
    ahead = an_event(at=START + DAY)

    for events in ([], [ahead], [ahead | {"user": "another"}]):
        got = read(events, [("u", START, START + 9 * DAY)])[0]
        assert {name: got[name] for name in WITHOUT_HISTORY} == WITHOUT_HISTORY


def test_a_label_without_an_instant_is_refused():
    with pytest.raises(InputError, match="`known_by`, got null"):
        read([an_event()], [("u", START, None)])
