"""Profiles of logins made anew, as Spark runs it, beside what the hot path made of the same events."""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from pipelines.events.parse import parse_records
from pipelines.features.filed import TopicPosition, to_filed_interactions
from pipelines.features.interactions import to_arrivals
from pipelines.features.profile import Profiles
from pipelines.features.profile_bytes import decode
from pipelines.hot_path.spark import with_rebuilding
from pipelines.hot_path.worker import StageSettings, worker_for
from pipelines.list_sections import ListsConfig
from pipelines.model_sections import ModelConfig
from pipelines.schemas import Contract
from pipelines.sections import ProfileConfig
from tests.events.builders import a_value, kafka_records
from tests.hot_path.micro_batches import run, the_sums

pytestmark = [pytest.mark.spark, pytest.mark.servers]
TAG, N_STORIES = 7, 25
CONFIG = ProfileConfig(ring_size=4, dedupe_keys=1000, dedupe_hours=0.003)  # 11 s: most of a story is in sums alone


@pytest.fixture
def settings(redis_url, tmp_path) -> StageSettings:
    worker_for.cache_clear()
    return StageSettings(redis_url, TAG, CONFIG, ListsConfig(n=3), ModelConfig(shared_folder=str(tmp_path)), the_sums())


@dataclass
class Told:
    """Events of one topic with one partition."""

    values: list[bytes] = field(default_factory=list)

    def event(self, second: int, event_type: str = "product_view", **ids: str) -> None:
        what = {"item_id": ...} if event_type == "identify" else {"item_id": f"i{len(self.values) % 7}"}
        time = f"2024-06-01T11:{second // 60:02d}:{second % 60:02d}Z"
        who = {"user_id": ..., "anonymous_id": ..., **ids}
        self.values.append(
            a_value(event_id=f"e{len(self.values)}", event_type=event_type, event_time=time, **what, **who)
        )

    def records(self, spark):
        return parse_records(kafka_records(spark, self.values), Contract())


def arrivals(spark, told: Told) -> pa.Table:
    learned = ("category_hash", "brand_hash", "context_hash_0", "context_hash_1")
    more = (F.lit(0).cast("long").alias(name) for name in learned)
    return to_arrivals(told.records(spark), *more).orderBy("offset").toArrow()


def stream(settings, rows: pa.Table, first: int, up_to: int, cuts: int) -> None:
    """Let the hot path fold what lies at offsets `first` … `up_to`, in `cuts` micro-batches."""
    bounds = np.linspace(first, up_to, cuts + 1).astype(int).tolist()
    offset = rows["offset"].to_numpy()
    for begin, end in pairwise(bounds):
        batch = rows.filter(pa.array((offset >= begin) & (offset < end)))
        run(settings, begin, *batch.combine_chunks().to_batches())


def rebuild(spark, settings, told: Told, reached: int) -> dict[str, int]:
    position = TopicPosition("t", TAG, {0: len(told.values)}, {0: reached})
    rows = with_rebuilding(to_filed_interactions(told.records(spark), position, 2), settings).collect()
    return {name: sum(row[name] for row in rows) for name in ("n_users", "n_replaced", "n_same", "n_of_logins")}


def profiles(client) -> tuple[list[str], Profiles]:
    users = sorted(key.decode() for key in client.keys("profile:*"))
    return users, decode([client.get(user) for user in users])


def assert_same(made: Profiles, live: Profiles) -> None:
    for name in ("n_interactions", "horizon", "as_of_s", "length", "key", "item", "tail", "is_named", "is_joined"):
        np.testing.assert_array_equal(getattr(made, name), getattr(live, name), name)
    np.testing.assert_allclose(made.sums, live.sums, rtol=1e-9, atol=1e-9)
    assert {at: link.user for at, link in made.links.items()} == {at: link.user for at, link in live.links.items()}


def a_story(chance: Random, number: int, is_shared: bool):
    """(second, type, ids) of a user, or two who share a device."""
    users, device, steps = [f"u{number}", f"v{number}"][: 1 + is_shared], f"a{number}", []
    for second in chance.sample(range(3_000), chance.randrange(2, 25)):
        kind = chance.random()
        if kind < 0.15:
            steps.append((second, "identify", {"user_id": chance.choice(users), "anonymous_id": device}))
        elif kind < 0.6:
            steps.append((second, "product_view", {"anonymous_id": device}))
        else:
            steps.append((second, "product_view", {"user_id": chance.choice(users)}))
    return steps


@pytest.mark.parametrize(
    "is_shared",
    [
        pytest.param(True, id="shared-devices-in-order-of-time-event-by-event"),
        pytest.param(False, id="one-user-each-in-any-order-while-the-hot-path-goes-on"),
    ],
)
def test_after_a_loss_all_is_as_the_hot_path_had_it(spark, settings, redis_client, is_shared):
    chance, told = Random(5), Told()
    steps = [step for number in range(N_STORIES) for step in a_story(chance, number, is_shared)]
    if is_shared:
        steps.sort(key=lambda step: step[0])
    else:  # nothing is too old to be told from a repeat
        chance.shuffle(steps)
        settings = replace(settings, profile=settings.profile.model_copy(update={"dedupe_hours": 24.0}))
    for second, event_type, ids in steps:
        told.event(second, event_type, **ids)
    n = len(steps)
    cut = (lambda first, up_to: up_to - first) if is_shared else (lambda first, up_to: 3)
    rows = arrivals(spark, told)
    stream(settings, rows, 0, n, cut(0, n))
    users, whole = profiles(redis_client)
    assert whole.links and whole.is_joined.any()

    redis_client.flushall()
    lost_at, reached = n // 2, n // 2 if is_shared else 3 * n // 4
    if reached > lost_at:
        stream(settings, rows, lost_at, reached, 2)
    rebuild(spark, settings, told, reached)
    stream(settings, rows, reached, n, cut(reached, n))

    users_after, after = profiles(redis_client)
    assert users_after == users
    assert_same(after, whole)
    again = rebuild(spark, settings, told, n)
    assert (again["n_replaced"], again["n_of_logins"]) == (0, 0)
