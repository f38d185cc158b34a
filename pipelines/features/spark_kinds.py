"""What each kind of feature means to Spark: three expressions, from events to a day, from days to a row, from two rows to one.

    within_day    aggregates over the events of one key, day and session
    over_days     makes a key's state of the array `days` of those
    merged        makes one state of the states `old` and `new` of a key

`finished` is what people read: the column under the feature's own name.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from pipelines.features.counted import input_column
from pipelines.features.decay import HALF_LIVES_PER_LANDMARK
from pipelines.features.definitions import Feature, Sum
from pipelines.features.entries import DistinctCount, LastTime, LastValue, Rate, SessionLength

DAY_SECONDS = 86_400
DAYS, DAY, AS_OF_S = "_days", "_day", "_as_of_s"  # columns on the way
Columns = dict[str, Column]


@dataclass(frozen=True)
class State:
    """One state column of a table, and its meaning to Spark."""

    column: str
    within_day: Columns  # columns of a day, by name
    over_days: Column
    merged: Callable[[Column, Column], Column]  # two rows (structs) → the state


def state_of_sum(part: Sum) -> State:
    """Landmark form within a day, pair form in the row: see decay.py. No sum is null; none is 0.0."""
    h = part.half_life_s
    weight = _weight(part)
    landmark = _landmark(F.col(DAY), h)
    in_a_day = F.sum(weight * F.pow(F.lit(2.0), (F.col("time_s") - landmark) / h))
    newest = _landmark(_day_of(F.col(AS_OF_S)), h)

    def added(total: Column, day: Column) -> Column:
        # The landmarks lie whole half-lives apart: the factor is a power of two, so nothing is rounded.
        return total + F.coalesce(day[part.column], F.lit(0.0)) * F.pow(
            F.lit(2.0), (_landmark(day[DAY], h) - newest) / h
        )

    at_landmark = F.aggregate(DAYS, F.lit(0.0), added)
    in_a_row = at_landmark * F.pow(F.lit(2.0), (newest - F.col(AS_OF_S)) / h)
    return State(part.column, {part.column: in_a_day}, in_a_row, lambda a, b: _decayed(a, b, part))


def _decayed(old: Column, new: Column, part: Sum) -> Column:
    """Pair form: both decayed to the later of the two instants."""
    old_s, new_s = (F.unix_seconds(row["as_of"]) for row in (old, new))
    as_of_s = F.greatest(old_s, new_s)
    halves = (F.pow(F.lit(2.0), (at - as_of_s) / part.half_life_s) for at in (old_s, new_s))
    first, second = (row[part.column] * half for row, half in zip((old, new), halves, strict=True))
    return first + second


def _weight(part: Sum) -> Column:
    value = F.col(str(input_column(part))) if part.value else F.lit(1.0)
    weight = F.lit(None).cast("double")
    for event_type, of_type in part.weights.items():
        weight = F.when(F.col("event_type") == event_type, F.lit(float(of_type))).otherwise(weight)
    return weight * value


def _landmark(day: Column, half_life_s: float) -> Column:
    span = HALF_LIVES_PER_LANDMARK * half_life_s
    return F.floor(day * DAY_SECONDS / F.lit(span)) * F.lit(span)


def _day_of(time_s: Column) -> Column:
    return F.floor(time_s / DAY_SECONDS)


def state_of(feature: Feature) -> State | None:
    """The state of a feature that is not made of decayed sums."""
    entry, column = feature.entry, feature.state
    if isinstance(entry, LastTime):
        newest = F.max(F.when(_counts(feature), F.timestamp_micros("event_us")))
        return State(column, {column: newest}, _greatest_of_days(column), _greatest(column))
    if isinstance(entry, LastValue):
        read = F.col(str(input_column(feature)))
        # Structs compare field by field: the newest event; at one instant the last to arrive; then by id.
        order = F.struct("event_us", "ingest_us", "event_id", read.alias("value"))
        newest = F.max(F.when(_counts(feature) & read.isNotNull(), order))
        return State(column, {column: newest}, _greatest_of_days(column), _greatest(column))
    if isinstance(entry, DistinctCount):
        return _state_of_sketch(feature, entry)
    return _state_of_sessions(feature) if isinstance(entry, SessionLength) else None


def _counts(feature: Feature) -> Column:
    return F.col("event_type").isin(*feature.entry.counted)


def _greatest_of_days(column: str) -> Column:
    return F.array_max(F.transform(DAYS, lambda day: day[column]))


def _greatest(column: str) -> Callable[[Column, Column], Column]:
    return lambda old, new: F.greatest(old[column], new[column])


def _state_of_sketch(feature: Feature, entry: DistinctCount) -> State:
    column = feature.state

    def smallest(hashes: Column) -> Column:
        return F.slice(F.array_sort(F.array_distinct(hashes)), 1, entry.k)

    in_a_day = smallest(F.collect_set(F.when(_counts(feature), F.col(str(input_column(feature))))))
    in_a_row = smallest(F.flatten(F.transform(DAYS, lambda day: day[column])))
    return State(column, {column: in_a_day}, in_a_row, lambda old, new: smallest(F.concat(old[column], new[column])))


def _state_of_sessions(feature: Feature) -> State:
    column = feature.state
    time_s = F.when(_counts(feature) & F.col("session").isNotNull(), F.col("time_s"))
    span = F.when(F.min(time_s).isNotNull(), F.struct(F.min(time_s).alias("first_s"), F.max(time_s).alias("last_s")))
    with_sessions = F.filter(DAYS, lambda day: day[column].isNotNull())
    newest = F.array_max(F.transform(with_sessions, lambda day: day[DAY]))
    of_newest = F.filter(with_sessions, lambda day: day[DAY] == newest)
    spans = F.map_from_entries(F.transform(of_newest, lambda day: F.struct(day["session"], day[column])))
    in_a_row = F.when(newest.isNotNull(), F.struct(newest.alias("day"), _latest(spans).alias("spans")))

    def merged(old: Column, new: Column) -> Column:
        a, b = old[column], new[column]
        both = F.map_zip_with(a["spans"], b["spans"], lambda _, x, y: _joined(x, y))
        same_day = F.struct(a["day"].alias("day"), _latest(both).alias("spans"))
        return (
            F.when(b.isNull() | (a["day"] > b["day"]), a)
            .when(a.isNull() | (b["day"] > a["day"]), b)
            .otherwise(same_day)
        )

    return State(column, {column: span}, in_a_row, merged)


def _joined(one: Column, other: Column) -> Column:
    first = F.least(one["first_s"], other["first_s"]).alias("first_s")
    return F.struct(first, F.greatest(one["last_s"], other["last_s"]).alias("last_s"))


def _latest(spans: Column) -> Column:
    """The MAX_SESSIONS sessions that were active last; of equal ones those with the greatest hash."""
    by_last = F.transform(F.map_entries(spans), lambda e: F.struct(e["value"]["last_s"], e["key"], e["value"]))
    latest = F.slice(F.sort_array(by_last, asc=False), 1, SessionLength.MAX_SESSIONS)
    return F.map_from_entries(F.transform(latest, lambda e: F.struct(e["key"], e["value"])))


def finished(feature: Feature, row: Column, age_s: Column) -> Column:
    """The value of `feature` `age_s` seconds after the row's `as_of`, from a row (struct) of states."""
    entry, state = feature.entry, row[feature.state]
    if isinstance(entry, Rate):
        hits, of = (row[f"{feature.state}_{part}"] * _half(feature, age_s) for part in ("hits", "of"))
        return (hits + entry.prior * entry.prior_events) / (of + entry.prior_events)
    if isinstance(entry, LastTime):
        return state
    if isinstance(entry, LastValue):
        return _unless_expired(entry, row, state, age_s)
    if isinstance(entry, DistinctCount):
        return _estimate(state, entry.k)
    if isinstance(entry, SessionLength):
        lengths = F.transform(F.map_entries(state["spans"]), lambda e: F.struct(
            e["value"]["last_s"], e["key"], (e["value"]["last_s"] - e["value"]["first_s"]).alias("length_s")
        ))  # fmt: skip
        return F.array_max(lengths)["length_s"]
    return row[feature.name] * _half(feature, age_s)


def _half(feature: Feature, age_s: Column) -> Column:
    return F.pow(F.lit(2.0), -age_s / F.lit(feature.half_life_s))


def _unless_expired(entry: LastValue, row: Column, state: Column, age_s: Column) -> Column:
    if entry.expires_after_days is None:
        return state["value"]
    value_age_s = F.unix_seconds(row["as_of"]) + age_s - F.floor(state["event_us"] / 1_000_000)
    return F.when(value_age_s <= entry.expires_after_days * DAY_SECONDS, state["value"])


def _estimate(hashes: Column, k: int) -> Column:
    """The k-th smallest of n hashes, as a part of all 2^64, lies near k/n."""
    kth = F.element_at(hashes, k).cast("double") * F.lit(2.0**-64) + F.lit(0.5)
    return F.when(F.size(hashes) < k, F.size(hashes)).otherwise(F.floor((k - 1) / kth)).cast("bigint")
