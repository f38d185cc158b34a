"""The second compiler: definitions → numpy. States are rows of a pandas frame; an event is a state of its own, of one pair.

A decayed sum is a pair (s, as_of). Two pairs become one as of the later instant, so events may come in any order, any
number at a time, as late as they like. `folded` is all there is: the states so far and the new events, reduced by key.

What the columns mean is what spark_kinds.py makes of them; tests/features/test_two_compilers.py holds the two equal.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipelines.features.counted import input_column
from pipelines.features.decay import decay_factor
from pipelines.features.definitions import Definitions, Feature, Sum
from pipelines.features.entries import DistinctCount, LastTime, LastValue, Rate, SessionLength

DAY_SECONDS = 86_400
AS_OF_S = "as_of_s"
Sessions = tuple[int, dict[int, tuple[int, int]]]  # day; hash of session_id → first, last second


def frame_of(counted: pa.Table) -> pd.DataFrame:
    """Rows of `counted_events` as pandas has them, hashes to the last bit: a null must not turn them into floats."""
    frame: pd.DataFrame = counted.to_pandas(integer_object_nulls=True)
    return frame


def folded(
    definitions: Definitions, entity: str, counted: pd.DataFrame, before: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Fold events into the states `before`.

    In:   rows of `counted_events`, each event once.
    Out:  one row per key: the keys, `as_of_s` (epoch seconds), and the state columns: sums as float, `last_…` as
          (event_us, ingest_us, event_id, value), sketches as a tuple of ascending hashes, sessions as `Sessions`, else None.
    """
    states = _of_each(definitions, entity, counted)
    if before is not None and len(before):
        states = pd.concat([before, states], ignore_index=True)
    return _reduced(definitions, entity, states)


def values(definitions: Definitions, entity: str, states: pd.DataFrame, at_s: Any = None) -> pd.DataFrame:
    """Read the features off `states`, as of `at_s` (epoch seconds, one or an array); None: each row as of its own.

    Out:  the keys, `as_of_s` as it was, and a column for each feature; None or NaN where there is no value.
    """
    as_of_s = states[AS_OF_S].to_numpy()
    at = as_of_s if at_s is None else np.broadcast_to(np.asarray(at_s), as_of_s.shape)
    out = states[[*definitions.entities[entity], AS_OF_S]].copy()
    for feature in definitions.of(entity):
        out[feature.name] = _value(feature, states, at)
    return out


def _of_each(definitions: Definitions, entity: str, counted: pd.DataFrame) -> pd.DataFrame:
    """One state for each event."""
    states = counted[list(definitions.entities[entity])].copy()
    states[AS_OF_S] = counted["time_s"].to_numpy(np.int64)
    for part in definitions.sums(entity):
        states[part.column] = _weights(part, counted)
    for feature in definitions.of(entity):
        if (of_event := _STATE_OF_EVENT.get(type(feature.entry))) is not None:
            counts = counted["event_type"].isin(feature.entry.counted)
            column = np.full(len(counted), None, object)
            column[counts.to_numpy()] = _objects(of_event(feature, counted[counts]))
            states[feature.state] = column
    return states


def _reduced(definitions: Definitions, entity: str, states: pd.DataFrame) -> pd.DataFrame:
    """One state for each key."""
    keys = list(definitions.entities[entity])
    if states.empty:
        return states
    row = states.groupby(keys, sort=True).ngroup().to_numpy()
    n_rows = int(row.max()) + 1
    first = np.full(n_rows, len(states))
    np.minimum.at(first, row, np.arange(len(states)))
    out = states.iloc[first][keys].reset_index(drop=True)
    as_of_s = np.full(n_rows, np.iinfo(np.int64).min)
    np.maximum.at(as_of_s, row, states[AS_OF_S].to_numpy())
    out[AS_OF_S] = as_of_s
    age_s = as_of_s[row] - states[AS_OF_S].to_numpy()
    for part in definitions.sums(entity):
        weight = states[part.column].to_numpy() * decay_factor(age_s, part.half_life_s)
        out[part.column] = np.bincount(row, weights=weight, minlength=n_rows)
    for feature in definitions.of(entity):
        if (join := _join(feature)) is not None:
            out[feature.state] = _joined(join, states[feature.state].to_numpy(), row, n_rows)
    return out


def _weights(part: Sum, counted: pd.DataFrame) -> Any:
    weight = counted["event_type"].map(dict(part.weights)).astype("float64")
    if part.value:
        weight = weight * counted[str(input_column(part))].astype("float64")
    return weight.fillna(0.0).to_numpy()


def _objects(items: Iterable[Any]) -> Any:
    """An array of objects, tuples among them, of one dimension."""
    listed = list(items)
    out = np.empty(len(listed), object)
    out[:] = listed
    return out


# ── a state of one event, by kind ────────────────────────────────────────────────────────────────────────────────────


def _last_of(feature: Feature, rows: pd.DataFrame) -> Iterable[Any]:
    read = rows[str(input_column(feature))]
    columns = (rows["event_us"], rows["ingest_us"], rows["event_id"], read)
    for event_us, ingest_us, event_id, value in zip(*columns, strict=True):
        yield None if pd.isna(value) else (int(event_us), int(ingest_us), event_id, value)


def _time_of(feature: Feature, rows: pd.DataFrame) -> Iterable[Any]:  # noqa: ARG001  one signature for all kinds
    return map(int, rows["event_us"])


def _hash_of(feature: Feature, rows: pd.DataFrame) -> Iterable[Any]:
    return (None if pd.isna(value) else (int(value),) for value in rows[str(input_column(feature))])


def _session_of(feature: Feature, rows: pd.DataFrame) -> Iterable[Any]:  # noqa: ARG001
    for session, time_s in zip(rows["session"], rows["time_s"], strict=True):
        yield None if pd.isna(session) else (int(time_s) // DAY_SECONDS, {int(session): (int(time_s), int(time_s))})


_STATE_OF_EVENT: dict[type, Callable[[Feature, pd.DataFrame], Iterable[Any]]] = {
    LastValue: _last_of,
    LastTime: _time_of,
    DistinctCount: _hash_of,
    SessionLength: _session_of,
}

# ── a state of several, by kind ──────────────────────────────────────────────────────────────────────────────────────

Join = Callable[[list[Any]], Any]


def _joined(join: Join, column: Any, row: Any, n_rows: int) -> Any:
    gathered: list[list[Any]] = [[] for _ in range(n_rows)]
    for at, state in zip(row.tolist(), column, strict=True):
        if state is not None:
            gathered[at].append(state)
    return _objects(join(states) if states else None for states in gathered)


def _join(feature: Feature) -> Join | None:
    if isinstance(feature.entry, LastValue | LastTime):
        return max
    if isinstance(feature.entry, DistinctCount):
        k = feature.entry.k
        return lambda sketches: tuple(sorted(set().union(*sketches))[:k])
    return _join_sessions if isinstance(feature.entry, SessionLength) else None


def _join_sessions(states: list[Sessions]) -> Sessions:
    newest = max(day for day, _ in states)
    spans: dict[int, tuple[int, int]] = {}
    for day, sessions in states:
        for session, (first, last) in sessions.items() if day == newest else ():
            known = spans.get(session, (first, last))
            spans[session] = min(first, known[0]), max(last, known[1])
    latest = sorted(spans, key=lambda session: (spans[session][1], session), reverse=True)
    return newest, {session: spans[session] for session in latest[: SessionLength.MAX_SESSIONS]}


# ── what is read ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _value(feature: Feature, states: pd.DataFrame, at_s: Any) -> Any:
    entry = feature.entry
    if feature.half_life_s is not None:
        half = decay_factor(at_s - states[AS_OF_S].to_numpy(), feature.half_life_s)
        if isinstance(entry, Rate):
            hits, of = (states[f"{feature.state}_{part}"].to_numpy() * half for part in ("hits", "of"))
            return (hits + entry.prior * entry.prior_events) / (of + entry.prior_events)
        return states[feature.state].to_numpy() * half
    column = states[feature.state].to_numpy()
    if isinstance(entry, LastTime):
        return pd.to_datetime(pd.Series(column, states.index), unit="us")
    if isinstance(entry, LastValue):
        limit_s = np.inf if entry.expires_after_days is None else entry.expires_after_days * DAY_SECONDS
        return _objects(_unless_expired(state, at, limit_s) for state, at in zip(column, at_s, strict=True))
    if isinstance(entry, DistinctCount):
        return np.array([_estimate(hashes or (), entry.k) for hashes in column], np.int64)
    return _objects(None if state is None else _session_seconds(state) for state in column)


def _unless_expired(state: Any, at_s: int, limit_s: float) -> Any:
    return None if state is None or at_s - state[0] // 1_000_000 > limit_s else state[3]


def _estimate(hashes: tuple[int, ...], k: int) -> int:
    """The k-th smallest of n hashes, as a part of all 2^64, lies near k/n."""
    return len(hashes) if len(hashes) < k else int((k - 1) / (hashes[k - 1] * 2.0**-64 + 0.5))


def _session_seconds(state: Sessions) -> int:
    first, last = max(((last, session), (first, last)) for session, (first, last) in state[1].items())[1]
    return last - first
