"""The first compiler: definitions → Spark. A row per key of an entity, and how two rows of a key become one.

Decayed sums are plain `sum()`s against a day's landmark, so Spark adds them up before it shuffles; the days of a key are
then brought to the newest landmark, by powers of two, and to the row's `as_of`.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from pipelines.features.counted import counted_events
from pipelines.features.definitions import Definitions
from pipelines.features.entries import SessionLength
from pipelines.features.spark_kinds import AS_OF_S, DAY, DAY_SECONDS, DAYS, State, finished, state_of, state_of_sum
from pipelines.features.tables import table_schema


def entity_states(events: DataFrame, definitions: Definitions, entity: str) -> DataFrame:
    """Aggregate `events` by the keys of `entity`.

    In:   rows of the table `events`, each event once, in any order and of any age.
    Out:  `table_schema`: one row per key, with every feature as of the newest event second that counts for the key.
    """
    keys, states = definitions.entities[entity], _states(definitions, entity)
    with_day = counted_events(events, definitions, entity).withColumn(DAY, F.floor(F.col("time_s") / DAY_SECONDS))
    has_sessions = any(isinstance(f.entry, SessionLength) for f in definitions.of(entity))
    grouping = [*keys, DAY, *(["session"] if has_sessions else [])]
    in_a_day = {name: column for state in states for name, column in state.within_day.items()}
    days = with_day.groupBy(*grouping).agg(
        F.max("time_s").alias(AS_OF_S), *[column.alias(name) for name, column in in_a_day.items()]
    )
    day = F.struct(*[F.col(name) for name in grouping[len(keys) :]], *[F.col(name) for name in in_a_day])
    rows = days.groupBy(*keys).agg(F.max(AS_OF_S).alias(AS_OF_S), F.collect_list(day).alias(DAYS))
    made = rows.select(
        *keys, F.timestamp_seconds(AS_OF_S).alias("as_of"), *[state.over_days.alias(state.column) for state in states]
    )
    row = F.struct(*[F.col(name) for name in made.columns])
    return _shaped(made.select(row.alias("_row")), definitions, entity)


def merged_columns(definitions: Definitions, entity: str, old: str = "old", new: str = "new") -> dict[str, Column]:
    """Every column but the keys, of the row that rows `old` and `new` of one key make, as expressions over the two.

    Commutative, and associative but for rounding.
    """
    states = _states(definitions, entity)
    before, after = _row(old, states), _row(new, states)
    parts = {state.column: state.merged(before, after) for state in states}
    as_of = F.greatest(before["as_of"], after["as_of"])
    row = F.struct(as_of.alias("as_of"), *[column.alias(name) for name, column in parts.items()])
    return {"as_of": as_of, **_visible(definitions, entity, row, F.lit(0)), **parts}


def values_at(rows: DataFrame, definitions: Definitions, entity: str, at: Column) -> DataFrame:
    """Decay the features of every row to the instant `at` (timestamp), the same for all or a column.

    In:   rows of the entity's table.
    Out:  the keys, `as_of` as it was, and the features as of `at`: null where a value has expired.
    """
    row = _row(None, _states(definitions, entity))
    age_s = F.unix_seconds(at) - F.unix_seconds("as_of")
    visible = _visible(definitions, entity, row, age_s)
    return rows.select(
        *definitions.entities[entity], "as_of", *[column.alias(name) for name, column in visible.items()]
    )


def _states(definitions: Definitions, entity: str) -> list[State]:
    others = [state for feature in definitions.of(entity) if (state := state_of(feature))]
    return [*map(state_of_sum, definitions.sums(entity)), *others]


def _row(alias: str | None, states: list[State]) -> Column:
    """A row's states as one struct."""
    names = ["as_of", *[state.column for state in states]]
    return F.struct(*[F.col(f"{alias}.{name}" if alias else name).alias(name) for name in names])


def _visible(definitions: Definitions, entity: str, row: Column, age_s: Column) -> dict[str, Column]:
    return {feature.name: finished(feature, row, age_s) for feature in definitions.of(entity)}


def _shaped(rows: DataFrame, definitions: Definitions, entity: str) -> DataFrame:
    schema = table_schema(definitions, entity)
    visible = _visible(definitions, entity, F.col("_row"), F.lit(0))
    columns = {f.name: visible.get(f.name, F.col(f"_row.{f.name}")).cast(f.dataType) for f in schema}
    return rows.select(*[column.alias(name) for name, column in columns.items()])
