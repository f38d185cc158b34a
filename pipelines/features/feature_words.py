"""What a feature means, in words and in SQL: for `liveshelf features explain` and for analysts."""

from pipelines.features.definitions import Feature
from pipelines.features.entries import DecayedCount, DecayedSum, DistinctCount, Entry, LastTime, LastValue, Rate

AGE_SQL = "(unix_seconds(:at) - unix_seconds(as_of))"


def formula(feature: Feature) -> str:
    """The value, as a formula over the events that count."""
    entry = feature.entry
    if isinstance(entry, DecayedSum):
        factor = f" · {entry.value}" if entry.value else ""
        return f"Σ weight{factor} · 2^(−age / {_hours(feature)}), weights: {_weights(entry)}"
    if isinstance(entry, DecayedCount):
        return f"Σ 2^(−age / {_hours(feature)}) over {', '.join(entry.events)}"
    if isinstance(entry, Rate):
        hits, of = "+".join(entry.hits), "+".join(entry.of)
        prior = f"{entry.prior:g} · {entry.prior_events:g}"
        return f"({hits} + {prior}) / ({of} + {entry.prior_events:g}), counts decayed with half-life {_hours(feature)}"
    return _undecayed(entry, ", ".join(entry.events))


def _undecayed(entry: Entry, types: str) -> str:
    if isinstance(entry, LastTime):
        return f"event_time of the newest of {types}"
    if isinstance(entry, LastValue):
        until = "" if entry.expires_after_days is None else f"; none {entry.expires_after_days:g} days later"
        return f"`{entry.field}` of the newest of {types} that has it{until}; at one instant the last to arrive"
    if isinstance(entry, DistinctCount):
        return f"different values of `{entry.field}` in {types}; exact below {entry.k}, beyond within about {_error(entry)}"
    return f"seconds from the first to the last of {types} in the newest session; a session ends at midnight UTC"


def sql_at(feature: Feature) -> str:
    """The value at the instant `:at`, in Spark SQL over the row's columns."""
    if feature.half_life_s is None:
        return _sql_of_value(feature)
    half = f"power(2, -{AGE_SQL} / {feature.half_life_s:.1f})"
    if isinstance(feature.entry, Rate):
        hits, of = (f"{feature.state}_{part} * {half}" for part in ("hits", "of"))
        prior, events = feature.entry.prior, feature.entry.prior_events
        return f"({hits} + {prior * events:g}) / ({of} + {events:g})"
    return f"{feature.name} * {half}"


def _sql_of_value(feature: Feature) -> str:
    days = getattr(feature.entry, "expires_after_days", None)
    if days is None:
        return feature.name
    age = f"unix_seconds(:at) - {feature.state}.event_us div 1000000"
    return f"CASE WHEN {age} <= {days * 86_400:.0f} THEN {feature.name} END"


def _hours(feature: Feature) -> str:
    return f"{(feature.half_life_s or 0) / 3600:g} h"


def _weights(entry: DecayedSum) -> str:
    return ", ".join(f"{event_type} {weight:+g}" for event_type, weight in entry.events.items())


def _error(entry: DistinctCount) -> str:
    return f"{100 / (entry.k - 2) ** 0.5:.0f} %"
