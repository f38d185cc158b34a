"""Tables of current values have no past. Theirs is in the table `drift`: what earlier runs counted."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pipelines.drift.histogram import Histogram, histogram
from pipelines.drift.windows import Windows

TOLERANCE = timedelta(hours=3)  # how far from the wanted instant an earlier run may lie

Row = Mapping[str, Any]


def with_earlier(counted: Sequence[Histogram], earlier: Iterable[Row], windows: Windows) -> list[Histogram]:
    """Put beside histograms of the current window (V, 1) those of earlier runs, as the blocks of the reference.

    `earlier` are rows of the table `drift`. Of each block the run nearest to its end counts, if there is one near enough, with
    a window as long; a block without one is empty.
    """
    of_name: dict[str, list[Row]] = defaultdict(list)
    for row in earlier:
        if abs(_hours(row) - windows.hours) < 1e-6:
            of_name[row["name"]].append(row)
    return [_with_blocks(of, of_name[of.name], windows) for of in counted]


def _hours(row: Row) -> float:
    length: timedelta = row["as_of"] - row["window_start"]
    return length.total_seconds() / 3600


def _with_blocks(of: Histogram, rows: Sequence[Row], windows: Windows) -> Histogram:
    blocks = [
        _nearest(rows, windows.as_of - timedelta(days=k * windows.period_days)) for k in range(1, windows.n_blocks + 1)
    ]
    counted: dict[str | None, list[int]] = defaultdict(lambda: [0] * (windows.n_blocks + 1))
    for value, n in zip(of.values, of.current.tolist(), strict=True):
        counted[value][0] = n
    for place, row in enumerate(blocks, start=1):
        for value, n in zip(row["values"], row["counts"], strict=True) if row else ():
            counted[value][place] = n
    return histogram(of.table, of.column, of.kind, counted, windows.n_blocks + 1)


def _nearest(rows: Sequence[Row], wanted: datetime) -> Row | None:
    near = [row for row in rows if abs(row["as_of"] - wanted) <= TOLERANCE]
    return min(near, key=lambda row: (abs(row["as_of"] - wanted), row["as_of"]), default=None)
