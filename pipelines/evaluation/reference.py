"""What the events say of items and devices, by which every model is judged alike."""

from collections.abc import Mapping

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from pipelines.evaluation.holdout import ItemReference
from pipelines.features.counted import field_of
from pipelines.features.definitions import Definitions

MOST_DEVICES = 8


def item_reference(interactions: DataFrame, holdout_from_s: int) -> ItemReference:
    """One row for each item that was ever touched; the driver holds them, as it holds the models' items.

    In: rows of features/timelines.py:interactions_until.
    """
    is_before = (F.col("time_s") < holdout_from_s).cast("long")
    counted = interactions.groupBy("item_hash").agg(
        F.min("time_s").alias("first_s"), F.sum(is_before).alias("n_before")
    )
    rows = counted.toArrow()
    item = rows["item_hash"].to_numpy().view(np.uint64)
    order = np.argsort(item)
    return ItemReference(item[order], rows["first_s"].to_numpy()[order], rows["n_before"].to_numpy()[order])


def device_names(events: DataFrame, definitions: Definitions, field: str) -> Mapping[int, str]:
    """Hash, as the models know it, → name: of the most frequent devices."""
    name = field_of(events, definitions, field).cast("string")
    told = events.select(name.alias("name")).where("name IS NOT NULL AND name <> ''").groupBy("name").count()
    most = told.orderBy(F.desc("count"), "name").limit(MOST_DEVICES).select(F.xxhash64("name"), "name").collect()
    return {int(np.int64(value).view(np.uint64)): told_name for value, told_name in most}
