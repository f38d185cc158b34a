"""From records of the catalogue to rows of the table, on the executors."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import orjson
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from pipelines.catalogue.item import CatalogueItem
from pipelines.catalogue.parse import Rejected, parse_item
from pipelines.schemas import CATALOGUE, CATALOGUE_TOLD

CORRUPT = "_corrupt_record"  # Spark's name for a line of a CSV file that has not as many values as the header has names
Row = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# What a row says, as opposed to when it was said.
_CONTENT = tuple(name for name in CATALOGUE.names if name not in ("item_id", "updated_at", "told_at"))


def parse_rows(records: DataFrame, separator: str) -> DataFrame:
    """Read each record.

    In:   record (string: a JSON object; null: the item is gone), key (string or null: the item's id where the record has
          none), source (string), position (long), told_ms (long: when the file or record was written).
    Out:  CATALOGUE_TOLD, a row for each record.
    """
    schema = to_arrow_schema(CATALOGUE_TOLD, timezone="UTC")

    def parse(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            rows = [_told(record, separator) for record in batch.to_pylist()]
            yield pa.RecordBatch.from_pylist(rows, schema=schema)

    return records.mapInArrow(parse, CATALOGUE_TOLD)


def _told(row: Row, separator: str) -> Row:
    about = {"source": row["source"], "position": row["position"], "told_at": _instant(row["told_ms"])}
    if row["record"] is None:
        is_named = bool(row["key"])
        return about | ({"item_id": row["key"], "is_gone": True} if is_named else _rejected(None, ["key: missing"], ""))
    try:
        fields = orjson.loads(row["record"])
    except orjson.JSONDecodeError as error:
        return about | _rejected(row["key"], [f"record: expected JSON, got what fails with '{error}'"], row["record"])
    if not isinstance(fields, dict):
        return about | _rejected(row["key"], ["record: expected a JSON object"], row["record"])
    if CORRUPT in fields:
        return about | _rejected(None, ["record: expected as many values as the header has names"], fields[CORRUPT])
    told = parse_item({"item_id": row["key"]} | fields, separator=separator, as_of_ms=row["told_ms"])
    if isinstance(told, Rejected):
        return about | _rejected(told.item_id, told.reasons, row["record"])
    return about | _item(told)


def _item(item: CatalogueItem) -> Row:
    return {
        "item_id": item.item_id, "title": item.title, "category": item.category, "brand": item.brand, "price": item.price,
        "image": item.image, "in_stock": item.in_stock, "hidden": item.hidden, "created_at": _instant(item.created_ms),
        "tags": list(item.tags), "updated_at": _instant(item.updated_ms), "is_gone": False,
    }  # fmt: skip


def _rejected(item_id: str | None, reasons: Iterable[str], record: str) -> Row:
    return {"item_id": item_id, "reasons": list(reasons), "record": record}


def item_of(row: Row) -> CatalogueItem:
    """The item of a row of the table that is not gone."""
    return CatalogueItem(
        row["item_id"], row["title"], row["category"], row["brand"], row["price"], row["image"], row["in_stock"],
        row["hidden"], _ms(row["created_at"]), tuple(row["tags"] or ()), _ms(row["updated_at"]) or 0,
    )  # fmt: skip


def _instant(ms: int | None) -> datetime | None:
    return None if ms is None else _EPOCH + timedelta(milliseconds=ms)


def _ms(instant: datetime | None) -> int | None:
    return None if instant is None else (instant - _EPOCH) // timedelta(milliseconds=1)


def last_of_each(told: DataFrame) -> DataFrame:
    """Of each item what all rows about it amount to, in their order: the newest since the item was last gone, or that it is.

    In:   CATALOGUE_TOLD without rejected rows.
    Out:  CATALOGUE, one row per item_id; of an item that is gone updated_at is null.
    """
    of_item = Window.partitionBy("item_id")
    last_end = F.max(F.when(F.col("is_gone"), F.col("position"))).over(of_item)
    order = of_item.orderBy(F.col("is_gone"), F.col("updated_at").desc(), F.col("position").desc())
    since = told.withColumn("last_end", last_end).where(
        F.col("last_end").isNull() | (F.col("position") >= F.col("last_end"))
    )
    ranked = since.withColumn("rank", F.row_number().over(order))
    return ranked.where(F.col("rank") == 1).select(CATALOGUE.names)


def replaces(old: str, new: str) -> Column:
    """Whether row `new` of an item takes the place of row `old`: by updated_at, then told_at.

    That an item is gone counts by told_at alone, for whoever says so knows no updated_at; and so does its return.
    """
    told_later = F.col(f"{new}.told_at") >= F.col(f"{old}.told_at")
    newer = F.col(f"{new}.updated_at") > F.col(f"{old}.updated_at")
    same_time = F.col(f"{new}.updated_at") == F.col(f"{old}.updated_at")
    either_gone = F.col(f"{new}.is_gone") | F.col(f"{old}.is_gone")
    not_older = F.when(F.col(f"{new}.is_gone"), True).otherwise(newer | same_time)
    return F.when(either_gone, told_later & not_older).otherwise(newer | (same_time & told_later))


def says_else(old: str, new: str) -> Column:
    """Whether two rows of an item differ in what they say; of two that are gone nothing does."""
    differs = F.lit(False)
    for name in _CONTENT:
        differs = differs | ~F.col(f"{old}.{name}").eqNullSafe(F.col(f"{new}.{name}"))
    return F.when(F.col(f"{new}.is_gone"), ~F.col(f"{old}.is_gone")).otherwise(differs)


def may_be_shown(row: str) -> Column:
    """Whether the item of row `row` may be shown, holds aside."""
    return F.col(f"{row}.in_stock") & ~F.col(f"{row}.hidden") & ~F.col(f"{row}.is_gone")
