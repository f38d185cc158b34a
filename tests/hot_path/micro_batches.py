"""Micro-batches without Spark: rows as the stage gets them, and the learner that takes the reports."""

from itertools import count

import numpy as np
import pyarrow as pa
from redis import Redis

from pipelines.features.online import OnlineSums
from pipelines.hot_path.learner import OnlineLearner
from pipelines.hot_path.stage import personalize
from pipelines.hot_path.worker import Worker
from pipelines.lists.document import PublishedList
from pipelines.model_sections import ModelConfig
from pipelines.stores.connection import connect
from pipelines.stores.keys import list_key
from pipelines.stores.model import ModelStore


def the_sums(version: int = 1) -> OnlineSums:
    weights = np.zeros((128, 1))
    weights[1] = 1.0
    return OnlineSums(version, ("clicks",), weights, np.array([3600.0]))


def some_rows(clicks, first_offset=0, partition=0, start_s=1_570_000_000, is_named=True) -> pa.RecordBatch:
    """Rows of `to_arrivals` from (user, item, event id)."""
    user, item, event_id = zip(*clicks, strict=True)
    n = len(clicks)
    return pa.record_batch(
        {
            "user": list(user),
            "item": list(item),
            "item_hash": pa.array([hash_of(name) for name in item], pa.int64()),
            "event_hash": pa.array(np.array(event_id, np.int64)),
            "code": pa.array([1] * n, pa.int64()),
            "time_s": pa.array([start_s + number for number in event_id], pa.int64()),
            "ingest_ms": pa.array([0] * n, pa.int64()),
            "partition": pa.array([partition] * n, pa.int64()),
            "offset": pa.array(range(first_offset, first_offset + n), pa.int64()),
            "category_hash": pa.array([1 + hash_of(name) % 5 for name in item], pa.int64()),
            "brand_hash": pa.array([hash_of(name) % 3 for name in item], pa.int64()),  # 0: some have none
            "context_hash_0": pa.array([1 + number % 2 for number in event_id], pa.int64()),
            "context_hash_1": pa.array([hash_of(name) % 4 for name in user], pa.int64()),
            "is_named": pa.array([is_named] * n, pa.bool_()),
            "visitor": pa.array([None] * n, pa.string()),
        }
    )


def some_logins(logins, first_offset=0, partition=0, start_s=1_570_000_000) -> pa.RecordBatch:
    """Rows of `to_arrivals` from (user, visitor, event id): each says that the visitor is the user."""
    rows = some_rows([(user, "", event_id) for user, _, event_id in logins], first_offset, partition, start_s)
    nothing = pa.nulls(len(logins), pa.int64())
    for name, values in (
        ("visitor", pa.array([visitor for _, visitor, _ in logins], pa.string())),
        ("item", pa.nulls(len(logins), pa.string())),
        ("code", nothing),
    ):
        rows = rows.set_column(rows.schema.get_field_index(name), name, values)
    return rows


def some_impressions(impressions, first_offset=0, partition=0, start_s=1_570_000_000) -> pa.RecordBatch:
    """Rows of `to_arrivals` from (user, item, event id): each says that the item was shown to the user."""
    rows = some_rows(impressions, first_offset, partition, start_s)
    return rows.set_column(rows.schema.get_field_index("code"), "code", pa.array([0] * len(rows), pa.int64()))


def hash_of(name: str) -> int:
    return int.from_bytes(name.encode().ljust(8, b"\0")[:8], "little") & (2**63 - 1)


def run(settings, batch_id, *batches) -> list[dict]:
    return list(personalize(settings, batch_id, iter(batches)))


def list_of(client: Redis, user: str) -> PublishedList | None:
    document = client.get(list_key(user))
    return PublishedList.from_json(document) if document else None


class FakeBatch:
    """What the learner asks of a micro-batch."""

    def __init__(self, reports, lineage="query-1"):
        self._reports, self._lineage = reports, lineage
        self.sparkSession = self.sparkContext = self

    def toArrow(self):
        return pa.Table.from_pylist(self._reports)

    def getLocalProperty(self, _name):
        return self._lineage


def a_learner(url, config: ModelConfig | None = None, **more) -> OnlineLearner:
    """A learner for whom a second passes whenever it looks at the clock."""
    given = {"on_batch": lambda _: None, "now_s": count(1_000_000).__next__, **more}
    return OnlineLearner(ModelStore(connect(url)), config or ModelConfig(), **given)


def stage_of(batch_id: int) -> list[tuple[str, str, int]]:
    return [
        (f"u{user}", f"i{(user + batch_id * step) % 17}", 10 * batch_id + step)
        for user in range(6)
        for step in range(3)
    ]


def run_stream(settings, learner, batch_ids) -> None:
    for batch_id in batch_ids:
        rows = some_rows(stage_of(batch_id), first_offset=100 * batch_id)
        learner(FakeBatch(run(settings, batch_id, rows)), batch_id)


def model_bytes(settings) -> bytes:
    return Worker(settings).current_model().to_bytes()
