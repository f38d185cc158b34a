"""Rows of the table `catalogue` to Redis, from the executors."""

from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields

import pyarrow as pa
from pyspark.sql import DataFrame

from pipelines.catalogue.rows import item_of
from pipelines.stores.catalogue import CatalogueStore, Written
from pipelines.stores.connection import connect

_NAMES = [field.name for field in fields(Written)]


def publish_rows(rows: DataFrame, redis_url: str) -> Written:
    """Write each row, an item or that it is gone. Safe to replay: CatalogueStore. Rows: CATALOGUE."""

    def write(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with connect(redis_url) as client:
            store, written = CatalogueStore(client), Written()
            for batch in batches:
                told = batch.to_pylist()
                written += store.write(item_of(row) for row in told if not row["is_gone"])
                written += store.remove({row["item_id"]: item_of(row).updated_ms for row in told if row["is_gone"]})
        yield pa.RecordBatch.from_pylist([dict(zip(_NAMES, astuple(written), strict=True))])

    schema = ", ".join(f"{name} long" for name in _NAMES)
    return sum((Written(*row) for row in rows.mapInArrow(write, schema).collect()), Written())
