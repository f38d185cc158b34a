"""Spark and numpy make the same of the same definitions, and both what the plain formulas say.

Any order, any cut into micro-batches, any age: the values agree to 1e-9 of the sum of the absolute weights.
"""

import random
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from pipelines.features.aggregates import entity_states, merged_columns, values_at
from pipelines.features.counted import counted_events
from pipelines.features.definitions import Definitions
from pipelines.features.entries import Document
from pipelines.features.numpy_fold import folded, frame_of, values
from pipelines.features.tables import table_schema
from pipelines.schemas import Contract
from tests.examples import examples
from tests.features.oracle import Oracle, micros, seconds, utc

DOCUMENT = yaml.safe_load((Path(__file__).parents[2] / "conf/features.yaml").read_text(encoding="utf-8"))
DOCUMENT["features"]["n_items"]["k"] = 16  # so that some users have more items than the sketch holds
DEFINITIONS = Definitions(Document.model_validate(DOCUMENT))
SCHEMA = Contract().events
START = datetime(2024, 2, 28, 22)
TYPES = ("page_view", "product_view", "click", "search", "add_to_cart", "remove_from_cart", "purchase", "impression")
LARGEST_WEIGHT = 5.0 * 1000


def an_event(number=0, user="u", event_type="product_view", item="i1", at=START, arrived=None, **more):
    event = dict.fromkeys(SCHEMA.names) | {
        "event_id": f"e{number:05}", "event_type": event_type, "user": user, "item_id": item, "event_time": at,
        "ingest_time": arrived or at + timedelta(seconds=1), "session_id": "s", "extra": {}, "context": {},
    }  # fmt: skip
    return event | more


def random_events(chance: random.Random, n: int, n_users: int = 12) -> list[dict]:
    """Late and early, in bursts of one second, at extreme ages, with and without fields."""
    events = []
    for number in range(n):
        days = chance.choice([0, 0, 0, chance.random(), 40 * chance.random(), 4_000 * chance.random(), 19_000])
        at = (
            START
            - timedelta(days=days)
            + timedelta(seconds=chance.randrange(30), milliseconds=chance.randrange(3) * 499)
        )
        category = chance.choice([None, '"shoes"', '"milk"', '"two words"'])
        events.append(
            an_event(
                number,
                user=chance.choice([f"u{k}" for k in range(n_users)]),
                event_type=chance.choice(TYPES),
                item=chance.choice([None, *[f"i{k}" for k in range(40)]]),
                at=at,
                arrived=START + timedelta(milliseconds=chance.randrange(4)),
                session_id=chance.choice([None, "s1", "s2"]),
                quantity=chance.choice([None, 1, 3]),
                price=chance.choice([None, 0.5, 199.99]),
                extra={} if category is None else {"category": category, "brand": '"b1"'},
                context={"device_type": chance.choice([None, "", "mobile"]), "location": chance.choice([None, "GB"])},
            )
        )
    return events


def frame(spark, events):
    return spark.createDataFrame([tuple(event[name] for name in SCHEMA.names) for event in events], SCHEMA)


def assert_same(entity, got: dict[tuple, dict], expected: dict[tuple, dict]) -> None:
    assert got.keys() == expected.keys() and got
    for key, row in expected.items():
        for name, value in row.items():
            mine = got[key][name]
            if isinstance(value, set):
                assert mine in value, (entity, key, name)
            elif isinstance(value, float):
                assert mine == pytest.approx(value, rel=1e-9, abs=1e-9 * scale(entity, name)), (entity, key, name)
            else:
                assert mine == value, (entity, key, name)


def scale(entity, name) -> float:
    """What a signed sum may have lost to cancellation: nothing where all weights are positive."""
    sums = {part.column: part for part in DEFINITIONS.sums(entity)}
    return LARGEST_WEIGHT if name in sums and min(sums[name].weights.values()) < 0 else 0.0


def rows_of_spark(entity, rows) -> dict[tuple, dict]:
    keys = DEFINITIONS.entities[entity]
    names = [feature.name for feature in DEFINITIONS.of(entity)]
    return {
        tuple(row[key] for key in keys): {"as_of_s": seconds(row["as_of"]), **{n: row[n] for n in names}}
        for row in rows.collect()
    }


def rows_of_numpy(entity, states, at_s=None) -> dict[tuple, dict]:
    keys = list(DEFINITIONS.entities[entity])
    read = values(DEFINITIONS, entity, states, at_s).astype(object)
    read = read.where(read.notna(), None)
    out = {}
    for row in read.to_dict("records"):
        moments = {n: v.to_pydatetime() for n, v in row.items() if isinstance(v, pd.Timestamp)}
        out[tuple(row.pop(key) for key in keys)] = row | moments
    return out


@pytest.fixture(scope="module")
def events():
    one_day = [
        an_event(
            2_000 + n, "many sessions", at=START + timedelta(seconds=n % 20 * 9 + n // 20), session_id=f"m{n % 20}"
        )
        for n in range(40)
    ]
    return random_events(random.Random(5), 900) + one_day


@pytest.fixture(scope="module")
def oracle(spark):
    texts = spark.createDataFrame([(f"i{number}",) for number in range(40)], "text string")
    hashes = dict(texts.select("text", F.xxhash64("text")).collect())
    return Oracle(DOCUMENT, hashes.get)


@pytest.mark.spark
@pytest.mark.parametrize("entity", list(DEFINITIONS.entities))
def test_spark_in_one_or_two_micro_batches_and_numpy_are_what_the_formulas_say(spark, events, oracle, entity):
    expected = oracle.features(entity, events)
    chance = random.Random(entity)
    chance.shuffle(events)
    rows, first, second = (
        frame(spark, part).coalesce(1) for part in (events, events[: len(events) // 3], events[len(events) // 3 :])
    )

    whole = entity_states(rows, DEFINITIONS, entity).localCheckpoint()
    assert whole.schema.simpleString() == table_schema(DEFINITIONS, entity).simpleString()
    assert_same(entity, rows_of_spark(entity, whole), expected)

    assert_same(entity, rows_of_spark(entity, _merged(entity, first, second)), expected)

    counted = frame_of(counted_events(rows, DEFINITIONS, entity).toArrow())
    assert_same(entity, rows_of_numpy(entity, folded(DEFINITIONS, entity, counted)), expected)

    later_s = seconds(START) + 20 * 86_400
    later = rows_of_spark(entity, values_at(whole, DEFINITIONS, entity, F.timestamp_seconds(F.lit(later_s))))
    assert_same(entity, later, oracle.features(entity, events, at_s=later_s))
    assert_same(entity, rows_of_numpy(entity, folded(DEFINITIONS, entity, counted), later_s), later)


def _merged(entity, first, second):
    """As the MERGE of a feature table does it: what both have by `merged_columns`, the rest as it is."""
    keys = list(DEFINITIONS.entities[entity])
    old, new = (entity_states(part, DEFINITIONS, entity).localCheckpoint() for part in (first, second))
    on = [F.col(f"old.{key}") == F.col(f"new.{key}") for key in keys]
    columns = [column.alias(name) for name, column in merged_columns(DEFINITIONS, entity).items()]
    both = old.alias("old").join(new.alias("new"), on).select(*[F.col(f"new.{key}") for key in keys], *columns)
    names = [*keys, *[c for c in old.columns if c not in keys]]
    alone = [a.join(b, keys, "left_anti").select(names) for a, b in ((old, new), (new, old))]
    return both.select(names).unionByName(alone[0]).unionByName(alone[1])


# ── numpy alone, where many examples cost little ─────────────────────────────────────────────────────────────────────

an_age_s = st.one_of(st.integers(0, 100), st.integers(0, 10**7), st.integers(0, 1_700_000_000))
user_events = st.lists(
    st.tuples(st.sampled_from(["u1", "u2"]), st.sampled_from(TYPES), an_age_s, st.integers(0, 5)),
    min_size=1,
    max_size=30,
)


def counted_by_hand(events) -> pd.DataFrame:
    """What `counted_events` gives for the user, without Spark."""
    known = DEFINITIONS.event_types("user")
    rows = [
        {
            "user": e["user"], "event_type": e["event_type"], "time_s": seconds(e["event_time"]),
            "event_us": micros(e["event_time"]), "ingest_us": micros(e["ingest_time"]), "event_id": e["event_id"],
            "sum_amount": 0.0, "hash_item_id": hash(e["item_id"]), "last_item_id": e["item_id"], "last_device": None,
            "session": 7,
        }
        for e in events if e["event_type"] in known
    ]  # fmt: skip
    return pd.DataFrame(rows)


@settings(max_examples=examples(60), deadline=None)
@given(user_events, st.randoms(use_true_random=False), st.integers(1, 6))
def test_order_cut_and_age_change_no_value(drawn, chance, n_parts):
    events = [
        an_event(number, user, event_type, f"i{item}", utc(1_700_000_000 - age_s), session_id="s", price=0.0)
        for number, (user, event_type, age_s, item) in enumerate(drawn)
    ]
    if not any(event["event_type"] in DEFINITIONS.event_types("user") for event in events):
        return
    expected = Oracle(DOCUMENT).features("user", events)
    chance.shuffle(events)

    states = None
    for part in range(n_parts):
        counted = counted_by_hand(events[part::n_parts])
        states = folded(DEFINITIONS, "user", counted, states) if len(counted) else states

    assert_same("user", rows_of_numpy("user", states), expected)


def read(events, name, at=None):
    rows = values(DEFINITIONS, "user", folded(DEFINITIONS, "user", counted_by_hand(events)), at and seconds(at))
    return rows[name].iloc[0]


def test_an_equal_timestamp_correction_is_applied():
    first = an_event(9, item="wrong", arrived=START + timedelta(seconds=1))
    correction = an_event(1, item="right", arrived=START + timedelta(seconds=2))

    assert read([first, correction], "last_item") == read([correction, first], "last_item") == "right"


def test_a_late_event_is_counted_with_its_own_age():
    on_time, late = an_event(1), an_event(2, at=START - timedelta(hours=24), arrived=START + timedelta(days=3))

    assert read([on_time, late], "interest_day") == pytest.approx(1.5)


def test_an_expired_value_is_not_served_as_present():
    event = an_event(item="shoe")

    assert read([event], "last_item", START + timedelta(days=14)) == "shoe"
    assert read([event], "last_item", START + timedelta(days=14, seconds=1)) is None


def test_a_session_that_began_before_midnight_begins_at_midnight():
    times = [datetime(2024, 2, 28, 23, 50), datetime(2024, 2, 29, 0, 5), datetime(2024, 2, 29, 0, 6)]

    assert read([an_event(number, at=at) for number, at in enumerate(times)], "session_seconds") == 60
