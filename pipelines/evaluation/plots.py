"""Figures of an evaluation. Values in, a figure out; nothing is shown, and no state is shared.

They are narrow, so that their words can be read on a phone.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipelines.evaluation.intervals import Interval

Numbers = NDArray[np.float64]
WIDTH_INCHES = 5.2
SQUARE_INCHES = 4.2
GREY = "0.6"
COLOURS = (
    "#1f5fbf",
    "#c2571a",
    "#1a7f4b",
    "#7a3fa8",
    "#5d6877",
)  # first those of versions; told apart by colour-blind eyes
MARKERS = ("o", "s", "D", "^", "v")


@dataclass(frozen=True)
class Moment:
    """A figure as it was at some instant (UTC)."""

    as_of: datetime
    interval: Interval


def intervals(
    title: str, rows: Mapping[str, Mapping[str, Interval]], axis: str, *, is_from_zero: bool = True
) -> Figure:
    """Draw intervals beneath one another: a row for each name of `rows`, in it a mark for each series."""
    series = list(dict.fromkeys(name for row in rows.values() for name in row))
    figure = Figure(figsize=(WIDTH_INCHES, 1.3 + 0.24 * len(rows) * max(len(series), 2)), layout="constrained")
    axes = figure.subplots()
    step = 0.8 / max(len(series), 1)
    for number, name in enumerate(series):
        found = [(place, row[name]) for place, row in enumerate(rows.values()) if name in row]
        y = np.array([place for place, _ in found]) + (number - (len(series) - 1) / 2) * step
        _draw(axes, np.array([interval.mean for _, interval in found]), y, [i for _, i in found], number, name)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set(xlabel=axis)
    if is_from_zero:
        axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    else:
        axes.axvline(0, color=GREY, linewidth=1)
    return _finished(figure, axes, title, len(series))


def over_time(title: str, series: Mapping[str, Sequence[Moment]], axis: str) -> Figure:
    """Draw how figures went, with their intervals as bands."""
    figure = Figure(figsize=(WIDTH_INCHES, 3.1), layout="constrained")
    axes = figure.subplots()
    for number, (name, moments) in enumerate(series.items()):
        at = [moment.as_of for moment in moments]
        told = [moment.interval for moment in moments]
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(at, [i.mean for i in told], marker=MARKERS[number % 5], markersize=4, color=colour, label=name)  # type: ignore[arg-type]
        axes.fill_between(at, [i.low for i in told], [i.high for i in told], color=colour, alpha=0.15, linewidth=0)  # type: ignore[arg-type]
    locator = AutoDateLocator(minticks=2, maxticks=5)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_ylim(bottom=0)
    axes.set(ylabel=axis)
    return _finished(figure, axes, title, len(series))


def calibration(predicted: Numbers, happened: Numbers, n_bins: int = 10) -> Figure:
    """Draw how often what was predicted with a probability happened, in bins of equally many predictions.

    Both are (N,): probabilities, and 1 where it happened, else 0. Bars are Wilson's intervals of 95 %. The axes are
    logarithmic, because an item among thousands is chosen with a probability of a thousandth; a bin where it never
    happened is left out.
    """
    order = np.argsort(predicted, kind="stable")
    bins = [rows for rows in np.array_split(order, n_bins) if len(rows)]
    expected = np.array([predicted[rows].mean() for rows in bins])
    seen = np.array([happened[rows].mean() for rows in bins])
    low, high = wilson_interval(seen, np.array([len(rows) for rows in bins], np.float64))
    figure = Figure(figsize=(SQUARE_INCHES, SQUARE_INCHES), layout="constrained")
    axes = figure.subplots()
    drawn = (expected > 0) & (seen > 0)
    if drawn.any():
        ends = np.array([min(expected[drawn].min(), seen[drawn].min()), max(expected[drawn].max(), seen[drawn].max())])
        axes.plot(ends, ends, color=GREY, linestyle="--", linewidth=1, label="as predicted")
        bars = np.stack([seen - low, high - seen])[:, drawn]
        axes.errorbar(expected[drawn], seen[drawn], bars, fmt="o-", markersize=4, capsize=2)
        axes.set(xscale="log", yscale="log")
        axes.legend(frameon=False)
    axes.set(xlabel="predicted probability", ylabel="share that happened", title="Calibration")
    axes.grid(color="0.92")
    return figure


def wilson_interval(share: Numbers, n: Numbers) -> tuple[Numbers, Numbers]:
    """Bounds of 95 % of what a share is that was seen in n trials (Wilson 1927), which stay between 0 and 1."""
    z2 = 1.96**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * share * (1 - share) / n + z2**2 / (4 * n**2)) / (1 + z2 / n)
    return middle - half, middle + half


def svg(figure: Figure) -> bytes:
    """The same figure, the same bytes."""
    with mpl.rc_context({"svg.hashsalt": "liveshelf", "svg.fonttype": "path"}):
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _draw(axes: Axes, x: Numbers, y: Numbers, told: Sequence[Interval], number: int, name: str) -> None:
    away = np.array([[max(i.mean - i.low, 0.0) for i in told], [max(i.high - i.mean, 0.0) for i in told]])
    marker, colour = MARKERS[number % len(MARKERS)], COLOURS[number % len(COLOURS)]
    axes.errorbar(x, y, xerr=away, fmt=marker, markersize=5, capsize=2, linewidth=1.4, color=colour, label=name)


def _finished(figure: Figure, axes: Axes, title: str, n_series: int) -> Figure:
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.suptitle(title, fontsize=11)
    if n_series > 1:
        figure.legend(frameon=False, loc="outside lower center", ncols=min(n_series, 2), fontsize=9)
    return figure
