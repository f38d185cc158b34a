"""Training sets: every feature as of the moment before the event, from what had arrived by then.

    labels_of       the events to learn from: whose features, as of when, known by when
    with_features   … and what every feature was at that moment

The same rows of `events` give the same values, in whatever order and partitions they come. Read `events` by a version of the
table (sources/delta.py), and a training set can be made again.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import reduce

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from pipelines.errors import InputError
from pipelines.features.as_of_values import values_before
from pipelines.features.counted import SEGMENT, counted_events, field_of
from pipelines.features.definitions import Definitions
from pipelines.features.tables import table_schema

AS_OF, KNOWN_BY = "as_of", "known_by"


def labels_of(
    events: DataFrame,
    definitions: Definitions,
    event_types: Sequence[str],
    entities: Sequence[str],
    known_by: datetime | None = None,
) -> DataFrame:
    """Make a label of each event of `event_types`.

    In:   rows of the table `events`.
    Out:  the keys of `entities` (string, null where the event has none), event_id, event_type, as_of (its event_time) and
          known_by (its ingest_time, or `known_by`, UTC, if that is earlier).
    Raises InputError for an entity with `segment`: an event is in several.
    """
    keys = _keys(definitions, entities)
    if SEGMENT in keys:
        raise InputError(
            "labels_of: an event is in several segments; add a column `segment` ('all') to the labels yourself"
        )
    rows = events.where(F.col("event_type").isin(*event_types))
    return rows.select(
        *[field_of(rows, definitions, key).cast("string").alias(key) for key in keys],
        "event_id",
        "event_type",
        F.col("event_time").alias(AS_OF),
        _earlier(F.col("ingest_time"), known_by).alias(KNOWN_BY),
    )


def with_features(
    labels: DataFrame,
    events: DataFrame,
    definitions: Definitions,
    entities: Sequence[str],
    known_by: datetime | None = None,
    n_slices: int = 200,
) -> DataFrame:
    """Add every feature of `entities` to each label, from the events with event_time < as_of and ingest_time <= known_by.

    In:   labels: the keys of `entities` (string), `as_of` and `known_by` (timestamp, never null), and any other columns;
          rows of the table `events`, each event once; `known_by` (UTC) bounds all labels too.
    Out:  the labels, as many as came, in any order, then the features by name; `known_by` is the bound that held. Decayed
          to the second of `as_of`. Without such events, or with a key that is null: 0.0 for decayed sums and counts, the
          prior of a rate, 0 different values, null for the rest. So is a value that had expired by `as_of`.
    Raises InputError for labels that do not fit.
    Cost: for each entity one shuffle of the labels and of the events that count, cut by key into `n_slices`. A slice must fit
    into the memory of a Python worker, 500 bytes for each event. Time: see as_of_values.py.
    """
    _check(labels, definitions, entities)
    bounded = labels.withColumn(KNOWN_BY, _earlier(F.col(KNOWN_BY), known_by))

    def added(rows: DataFrame, entity: str) -> DataFrame:
        keys = list(definitions.entities[entity])
        # Not `rows.schema.add`: that changes the schema that the frame itself holds.
        schema = StructType([*rows.schema, *_features(definitions, entity)])
        own = counted_events(events, definitions, entity).groupBy(_slice(keys, n_slices))
        both = rows.groupBy(_slice(keys, n_slices, F.col(AS_OF))).cogroup(own)
        return both.applyInArrow(_of_slice(definitions, entity), schema)

    return reduce(added, entities, bounded)


def _of_slice(definitions: Definitions, entity: str) -> Callable[[pa.Table, pa.Table], pa.Table]:
    features = _features(definitions, entity)

    def with_values(labels: pa.Table, counted: pa.Table) -> pa.Table:
        values = values_before(definitions, entity, labels, counted)
        for feature in features:
            labels = labels.append_column(feature.name, values[feature.name])
        return labels

    return with_values


def _slice(keys: Sequence[str], n_slices: int, instead: Column | None = None) -> Column:
    """A number for all rows of a key. Labels without a key have no events to meet, and go anywhere (`instead`)."""
    of_key = F.xxhash64(*keys)
    if instead is not None:
        has_key = reduce(lambda a, b: a & b, [F.col(key).isNotNull() for key in keys])
        of_key = F.when(has_key, of_key).otherwise(F.xxhash64(instead))
    return F.pmod(of_key, F.lit(n_slices))


def _features(definitions: Definitions, entity: str) -> StructType:
    """The columns of the entity's table that people read."""
    schema = table_schema(definitions, entity)
    return StructType([schema[feature.name] for feature in definitions.of(entity)])


def _keys(definitions: Definitions, entities: Sequence[str]) -> list[str]:
    for entity in entities:
        if entity not in definitions.entities:
            known = ", ".join(definitions.entities)
            raise InputError(f"entities: no entity '{entity}' in the definitions. Known: {known}")
    return list(dict.fromkeys(key for entity in entities for key in definitions.entities[entity]))


def _check(labels: DataFrame, definitions: Definitions, entities: Sequence[str]) -> None:
    wanted = {**dict.fromkeys(_keys(definitions, entities), "string"), AS_OF: "timestamp", KNOWN_BY: "timestamp"}
    given = dict(labels.dtypes)
    for name, kind in wanted.items():
        if given.get(name) != kind:
            came = f"got {given[name]}" if name in given else f"got the columns {', '.join(given)}"
            raise InputError(f"labels: expected a column `{name}` of type {kind}, {came}")
    names = [feature.name for entity in entities for feature in definitions.of(entity)]
    if taken := sorted(set(given) & set(names)) or sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"labels: '{taken[0]}' would be there twice; rename the column, and name each entity once")


def _earlier(moment: Column, bound: datetime | None) -> Column:
    return moment if bound is None else F.least(moment, F.lit(bound))
