"""A bounded, even sample of judged rows, as Great Expectations' pandas engine understands them."""

from typing import Any

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DoubleType,
    FloatType,
    MapType,
    StructField,
    StructType,
    TimestampType,
)

# A parsed record beyond this stays out of the sample: a few thousand of the largest would fill the driver's memory.
MAX_SAMPLED_BYTES = 65_536
_COORDINATES = ("topic", "partition", "offset")
_NESTED = (StructType, MapType, BinaryType)  # no rule looks at them


def take_sample(rows: DataFrame, max_rows: int) -> pd.DataFrame:
    """Take at most `max_rows` rows to the driver, each as likely as any other, always the same ones of the same rows.

    In:   rows of Contract.verdicts.
    Out:  `to_pandas` of them, without parsed records of more than MAX_SAMPLED_BYTES.
    """
    is_small = ~F.col("is_parsed") | (F.col("value_bytes") <= MAX_SAMPLED_BYTES)
    return to_pandas(rows.where(is_small).orderBy(F.xxhash64(*_COORDINATES), *_COORDINATES).limit(max_rows))


def to_pandas(rows: DataFrame) -> pd.DataFrame:
    """Collect rows so that the pandas engine sees what the Spark engine does.

    Out:  all columns but nested and binary ones, as Python objects: a missing value is None and nothing else, a whole
          number stays whole beside it, a time has no zone (UTC). NaN becomes infinity: in Spark it is larger than any
          number, to pandas it is a missing value.
    """
    columns = [_plain(field) for field in rows.schema if not isinstance(field.dataType, _NESTED)]
    frame: Any = rows.select(columns).toArrow().to_pandas(integer_object_nulls=True).astype(object)
    plain: pd.DataFrame = frame.where(frame.notna(), None)
    return plain


def _plain(field: StructField) -> Column:
    column = F.col(field.name)
    if isinstance(field.dataType, (DoubleType, FloatType)):
        column = F.nanvl(column, F.lit(float("inf")))
    if isinstance(field.dataType, TimestampType):
        column = column.cast("timestamp_ntz")
    if isinstance(field.dataType, ArrayType):
        column = F.coalesce(column, F.array().cast(field.dataType))
    return column.alias(field.name)
