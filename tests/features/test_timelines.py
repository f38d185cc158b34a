"""Slices of time on Spark equal what plain Python makes of the same rows."""

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import functions as F

from pipelines.features.definitions import load_definitions
from pipelines.features.profile import entry_keys, key_code, key_time_s
from pipelines.features.timelines import Wanted, equal_cuts, interactions_until, span_of, to_timelines
from pipelines.model_sections import ModelConfig
from pipelines.schemas import INTERACTION_CODES, Contract

pytestmark = pytest.mark.spark

DEFINITIONS = load_definitions(Path("conf/features.yaml"))
SCHEMA = Contract().events
NOON = datetime(2024, 6, 1, 12)
SHAPE = "user_hash long, key long, item string, item_hash long, time_s long, category_hash long"
START_S = 1_700_000_000


def rows_of(n_users, n_rows, n_seconds, seed):
    """Random rows, many of one second."""
    rng = np.random.default_rng(seed)
    time_s = START_S + rng.integers(n_seconds, size=n_rows)
    key = entry_keys(time_s, rng.permutation(n_rows).astype(np.uint64), rng.integers(1, 6, n_rows)).view(np.int64)
    user, item = rng.integers(-n_users, n_users, n_rows), rng.integers(9, size=n_rows)
    return [(int(u), int(k), f"i{i}", int(i), int(t), 7) for u, k, i, t in zip(user, key, item, time_s, strict=True)]


def expected(rows, at_s, reach):
    """{(slice, learn, row)}."""
    told = set()
    for user in {row[0] for row in rows}:
        own = sorted((row for row in rows if row[0] == user), key=lambda row: (row[4], row[1]))
        number = [sum(cut <= row[4] for cut in at_s) for row in own]
        told |= {(s, True, row) for s, row in zip(number, own, strict=True)}
        for s in set(number):
            first = number.index(s)
            told |= {(s, False, row) for row in own[max(0, first - reach) : first]}
    return told


@pytest.mark.parametrize(
    ("n_users", "n_rows", "n_seconds", "reach", "n_slices"),
    [
        pytest.param(3, 120, 40, 4, 6, id="users-that-span-slices"),
        pytest.param(1, 60, 5, 3, 4, id="many-of-one-second"),
        pytest.param(20, 80, 1_000, 50, 3, id="a-reach-beyond-everything"),
        pytest.param(4, 30, 1, 2, 3, id="one-second-one-slice"),
    ],
)
def test_every_slice_has_its_rows_and_the_history_before_them(spark, n_users, n_rows, n_seconds, reach, n_slices):
    rows = rows_of(n_users, n_rows, n_seconds, seed=n_rows)
    interactions = spark.createDataFrame(rows, SHAPE)
    cuts = equal_cuts(interactions, span_of(interactions), n_slices)

    made = to_timelines(interactions, cuts, reach, n_partitions=2)

    told = made.withColumn("partition", F.spark_partition_id()).collect()
    listed = [(row["slice"], row["learn"], tuple(row)[2:-1]) for row in told]
    assert len(listed) == len(set(listed)) and set(listed) == expected(rows, cuts.at_s.tolist(), reach)
    assert len({(row["user_hash"], row["partition"]) for row in told}) == len({row["user_hash"] for row in told})
    places = [(row["partition"], row["slice"], row["user_hash"], row["time_s"], row["key"]) for row in told]
    assert places == sorted(places)
    assert cuts.n_rows.sum() == n_rows and len(cuts.at_s) == cuts.n_slices - 1


def test_slices_are_of_equally_many_events_where_time_is_fine_enough(spark):
    interactions = spark.createDataFrame(rows_of(5, 3_000, 10_000_000, seed=1), SHAPE)

    cuts = equal_cuts(interactions, span_of(interactions), 7)

    assert cuts.n_rows.sum() == 3_000 and np.ptp(cuts.n_rows) <= 2


def an_event(event_id, user="u", hours=0.0, arrived=0.0, event_type="click", category=None):
    at = NOON + timedelta(hours=hours)
    return {
        "event_id": event_id, "event_type": event_type, "user": user, "item_id": "i1", "event_time": at,
        "ingest_time": at + timedelta(hours=arrived), "context": {"device_type": "tv"}, "partition": 0, "offset": 1,
        "extra": {"category": f'"{category}"'} if category else {},
    }  # fmt: skip


def interactions_of(spark, events, **wanted):
    rows = [tuple(event.get(name) for name in SCHEMA.names) for event in events]
    frame = spark.createDataFrame(rows, SCHEMA)
    return interactions_until(frame, DEFINITIONS, ModelConfig(), Wanted(**wanted)).collect()


def test_only_interactions_of_the_time_asked_for_that_had_arrived_are_taken(spark):
    events = [
        an_event("early", hours=-2), an_event("in"), an_event("late", arrived=9), an_event("after", hours=3),
        an_event("search", event_type="search"),
    ]  # fmt: skip

    taken = interactions_of(
        spark,
        events,
        since=NOON - timedelta(hours=1),
        until=NOON + timedelta(hours=3),
        known_by=NOON + timedelta(hours=8),
    )

    assert len(taken) == 1 and key_time_s(np.uint64(taken[0].key)) == taken[0].time_s == NOON.timestamp()
    assert key_code(np.uint64(taken[0].key)) == INTERACTION_CODES["click"]
    assert taken[0].context_hash_0 != 0 and taken[0].category_hash == 0


def test_a_sample_has_whole_users_and_a_larger_one_has_them_too(spark):
    events = [an_event(f"{user}-{n}", user=f"u{user}") for user in range(200) for n in range(2)]

    samples = [{row.user_hash: 0 for row in interactions_of(spark, events, share_of_users=s)} for s in (0.2, 0.5, 1.0)]
    taken = interactions_of(spark, events, share_of_users=0.2)

    assert samples[0].keys() < samples[1].keys() < samples[2].keys() and 20 <= len(samples[0]) <= 60
    assert len(taken) == 2 * len(samples[0])
