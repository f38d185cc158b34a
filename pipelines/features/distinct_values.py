"""How many different values each of many instants sees, of those that had happened and had arrived.

A value is seen by an instant that sees one of its events. Of these only some matter: in order of time, each that arrived
before all earlier ones of its value (a "step"). What sees a value is then a staircase, and how many values are seen is
a plain sum: 1 for each step seen, −1 for each two neighbouring steps both seen.
"""

import numpy as np

from pipelines.features.online import Ints
from pipelines.features.past import Events, Instants, Past, numbered, order_of_arrival


def distinct_counts(hashes: Ints, events: Events, instants: Instants, k: int) -> Ints:
    """Count the different hashes that each instant sees: exact below k, else estimated from the k smallest.

    In:   hashes (n,) of n events; m instants.
    Out:  (m,).
    Cost: that of past.py; and for an instant that sees k values or more, a look at about k · ln(n/k) steps.
    """
    kept = _steps(hashes, events)
    hashes, steps = hashes[kept], events.chosen(kept)
    counts = _counts(hashes, steps, instants)
    begin, end = (np.searchsorted(steps.key, instants.key, side) for side in ("left", "right"))
    for at in np.flatnonzero(counts >= k):
        of_key = slice(begin[at], end[at])
        bounds = int(instants.as_of_us[at]), int(instants.known_by_us[at])
        kth = _smallest(hashes[of_key], steps.chosen(of_key), *bounds, k, int(counts[at]))
        # The k-th smallest of n hashes, as a part of all 2^64, lies near k/n.
        counts[at] = int((k - 1) / (kth * 2.0**-64 + 0.5))
    return counts


def _steps(hashes: Ints, events: Events) -> Ints:
    """Places of the steps, ascending by key, hash and time."""
    n = len(events)
    value = numbered(events.key, hashes)
    order = np.argsort(value, kind="stable")
    # Each value's numbers lie below those of the value before: so the least so far starts again with each value.
    number = ((n - value) * n + order_of_arrival(events))[order]
    least_before = np.append(np.iinfo(np.int64).max, np.minimum.accumulate(number))[:n]
    return order[number < least_before]


def _counts(hashes: Ints, steps: Events, instants: Instants) -> Ints:
    follows = (hashes[1:] == hashes[:-1]) & (steps.key[1:] == steps.key[:-1])
    first = np.flatnonzero(follows)
    points = Events(
        np.append(steps.key, steps.key[first]),
        np.append(steps.event_us, steps.event_us[first + 1]),  # two steps: when the later one happened …
        np.append(steps.ingest_us, steps.ingest_us[first]),  # … and the last one arrived, which is the earlier one
    )
    weights = np.append(np.ones(len(hashes)), -np.ones(len(first)))
    order = np.lexsort((points.event_us, points.key))
    undecayed = np.zeros(len(order), np.int64), np.zeros(len(instants), np.int64)
    past = Past(points.chosen(order), instants)
    return np.rint(past.sum(weights[order], np.inf, *undecayed)).astype(np.int64)


def _smallest(hashes: Ints, steps: Events, as_of_us: int, known_by_us: int, k: int, n_seen: int) -> int:
    """The k-th smallest hash of `n_seen`, of the steps of one key: hashes are spread evenly, so it lies early."""
    size = len(hashes) * (k + 16) // n_seen
    while True:
        sees = (steps.event_us[:size] < as_of_us) & (steps.ingest_us[:size] <= known_by_us)
        found = hashes[:size][sees]
        places = np.flatnonzero(found[1:] != found[:-1])  # the last of each value but the greatest: they are ascending
        if len(places) >= k:
            return int(found[places[k - 1]])
        if size >= len(hashes):
            return int(found[-1])
        size *= 2
