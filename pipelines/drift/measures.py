"""Which columns are compared, of each table, and what a row says in each."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, LongType, StringType

from pipelines.drift.grid import key_column
from pipelines.drift.histogram import CATEGORY, NUMBER, Kind
from pipelines.features.counted import field_of
from pipelines.features.definitions import Definitions
from pipelines.features.tables import table_name, table_schema
from pipelines.schemas import INTERACTION_TYPES

PRICED = ("product_view", "add_to_cart", "remove_from_cart", "purchase")
COUNTED = ("add_to_cart", "remove_from_cart", "purchase")
SNAPSHOTS = ("user", "item")  # the entities whose tables of current values are looked at
EVENTS, LISTS = "events", "lists"
NO_REASON = "model"  # why an item is at its place, where nothing else put it there


@dataclass(frozen=True)
class Measure:
    """A column: `value` is text, or a double where `kind` is number; null where a row has none.

    Rows outside `where` do not count.
    """

    column: str
    kind: Kind
    value: Column
    where: Column | None = None

    @property
    def text(self) -> Column:
        """What is counted: the value, of a number the key of its step on the grid."""
        if self.kind == NUMBER:
            return key_column(self.value).cast("string")
        text = self.value.cast("string")
        return F.when(text != "", text)


def of_events(events: DataFrame, definitions: Definitions, fields: Sequence[str]) -> list[Measure]:
    """Event mix, price and quantity, and `fields`: those of the context of all events, the others of interactions."""
    is_interaction = F.col("event_type").isin(*INTERACTION_TYPES)
    return [
        Measure("event_type", CATEGORY, F.col("event_type")),
        Measure("price", NUMBER, F.col("price"), F.col("event_type").isin(*PRICED)),
        Measure("quantity", NUMBER, F.col("quantity").cast("double"), F.col("event_type").isin(*COUNTED)),
        *[
            Measure(
                name.removeprefix("context."),
                CATEGORY,
                field_of(events, definitions, name),
                None if name.startswith("context.") else is_interaction,
            )
            for name in fields
        ],
    ]


def places_of_lists(lists: DataFrame, catalogue: DataFrame) -> DataFrame:
    """A row for each place of each list.

    In:   the tables `lists` and `catalogue`.
    Out:  made_at, source, cause, n_items, spread (of the scores: best less last), margin (best less second), place (from 0),
          item_id, reason (what put the item there), category, brand. An empty list has one row, of place null.
    """
    first, second, last = (F.get("scores", n) for n in (F.lit(0), F.lit(1), F.size("scores") - 1))
    lists = lists.select(
        "made_at",
        "source",
        "cause",
        F.size("items").cast("double").alias("n_items"),
        (first - last).alias("spread"),
        (first - second).alias("margin"),
        "reasons",
        F.posexplode_outer("items").alias("place", "item_id"),
    )
    at = F.map_keys(F.map_filter("reasons", lambda _, places: F.array_contains(places, F.col("place").cast("long"))))
    reason = F.coalesce(F.get(F.array_sort(at), F.lit(0)), F.lit(NO_REASON)).alias("reason")
    items = F.broadcast(catalogue.select("item_id", "category", "brand"))
    return lists.select("*", reason).drop("reasons").join(items, "item_id", "left")


def of_lists() -> list[Measure]:
    """Of `places_of_lists`: what a list is made from and how its scores spread, and what is in it."""
    is_list, is_item = F.coalesce(F.col("place"), F.lit(0)) == 0, F.col("place").isNotNull()
    whole = [("source", CATEGORY), ("cause", CATEGORY), ("n_items", NUMBER), ("spread", NUMBER), ("margin", NUMBER)]
    return [
        *[Measure(name, kind, F.col(name), is_list) for name, kind in whole],
        *[Measure(name, CATEGORY, F.col(name), is_item) for name in ("item_id", "category", "brand", "reason")],
    ]


def of_snapshot(definitions: Definitions, entity: str) -> list[Measure]:
    """The features of the entity's table that are numbers or texts; points in time are none."""
    types = {f.name: f.dataType for f in table_schema(definitions, entity)}
    measures = []
    for feature in definitions.of(entity):
        if isinstance(types[feature.name], DoubleType | LongType):
            measures.append(Measure(feature.name, NUMBER, F.col(feature.name).cast("double")))
        elif isinstance(types[feature.name], StringType):
            measures.append(Measure(feature.name, CATEGORY, F.col(feature.name)))
    return measures


def snapshot_table(entity: str) -> str:
    """Name of the entity's table."""
    return table_name(entity)
