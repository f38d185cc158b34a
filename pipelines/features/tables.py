"""The columns of the feature tables, from the definitions: `table_schema` is the contract that both compilers keep."""

from pyspark.sql.types import (
    ArrayType,
    DataType,
    DoubleType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from pipelines.features.definitions import Definitions, Feature, sums_of
from pipelines.features.entries import DistinctCount, LastTime, LastValue, SessionLength

_VALUE_TYPES: dict[str, DataType] = {"string": StringType(), "double": DoubleType(), "long": LongType()}
_SPAN = StructType([StructField("first_s", LongType()), StructField("last_s", LongType())])
_SESSIONS = StructType([StructField("day", LongType()), StructField("spans", MapType(LongType(), _SPAN))])


def table_name(entity: str) -> str:
    """Return the name of the entity's table."""
    return f"{entity}_features"


def table_path(definitions: Definitions, entity: str) -> str:
    """Return where it lies in the lake: another version is another table, so that readers never see half of a change."""
    return f"features/v{definitions.version}/{table_name(entity)}"


def table_schema(definitions: Definitions, entity: str) -> StructType:
    """Return the columns of the entity's table: keys, `as_of`, features, then the hidden states they are made of."""
    features = definitions.of(entity)
    keys = [_field(key, StringType(), "key") for key in definitions.entities[entity]]
    as_of = _field(
        "as_of", TimestampType(), "newest event that counts here, to the second, UTC: all values are as of it"
    )
    visible = [_field(f.name, _type(f), f.entry.about + _half_life(f.half_life_s)) for f in features]
    states = {name: kind for feature in features for name, kind in _states(feature).items()}
    shown = {feature.name for feature in features}
    hidden = [_field(name, kind, "a state: for `build_features`") for name, kind in states.items() if name not in shown]
    return StructType([*keys, as_of, *visible, *hidden])


def _type(feature: Feature) -> DataType:
    if isinstance(feature.entry, LastTime):
        return TimestampType()
    if isinstance(feature.entry, LastValue):
        return _VALUE_TYPES[feature.entry.type]
    return LongType() if isinstance(feature.entry, DistinctCount | SessionLength) else DoubleType()


def _states(feature: Feature) -> dict[str, DataType]:
    """The columns that later events are merged into."""
    if sums := sums_of(feature):
        return {part.column: DoubleType() for part in sums}
    if isinstance(feature.entry, LastValue):
        return {feature.state: _ordered(_VALUE_TYPES[feature.entry.type])}
    if isinstance(feature.entry, DistinctCount):
        return {feature.state: ArrayType(LongType())}
    return {feature.state: _SESSIONS if isinstance(feature.entry, SessionLength) else TimestampType()}


def _ordered(value: DataType) -> StructType:
    """A value under what decides which one is the last: structs compare field by field."""
    numbers = [StructField(name, LongType()) for name in ("event_us", "ingest_us")]
    return StructType([*numbers, StructField("event_id", StringType()), StructField("value", value)])


def _half_life(seconds: float | None) -> str:
    return "" if seconds is None else f"; decayed, half-life {seconds / 3600:g} h"


def _field(name: str, kind: DataType, about: str) -> StructField:
    return StructField(name, kind, True, {"comment": about})
