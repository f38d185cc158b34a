"""Figures of a training run. Arrays in, a figure out; nothing is shown, and no state is shared."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
SIZE_INCHES = (7.0, 4.2)
GREY = "0.6"


def learning_curve(n_examples: Numbers, values: Mapping[str, Numbers]) -> Figure:
    """Draw each metric over the examples learned from: a panel for each, for they differ in scale.

    `n_examples` is (S,) ascending; each array of `values` is (S,), NaN where it was not measured.
    """
    figure = Figure(figsize=(SIZE_INCHES[0], 1.2 + 2.2 * len(values)), layout="constrained")
    panels = figure.subplots(len(values), 1, sharex=True, squeeze=False)[:, 0]
    for panel, (name, value) in zip(panels, values.items(), strict=True):
        measured = np.isfinite(value)
        panel.plot(n_examples[measured], value[measured], marker=".", linewidth=1.2)
        panel.set_ylabel(name)
        panel.grid(color="0.92")
    panels[-1].set_xlabel("examples learned from")
    panels[-1].xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    figure.suptitle("Learning curve")
    return figure


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
    figure = Figure(figsize=(SIZE_INCHES[1], SIZE_INCHES[1]), layout="constrained")
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


def coverage(n_shown: NDArray[np.int64]) -> Figure:
    """Draw how evenly lists spread over the catalogue.

    `n_shown` is (I,): in how many lists each item is. The curve says which share of all places the most shown items take.
    """
    shown = np.sort(n_shown)[::-1]
    places = max(int(shown.sum()), 1)
    share_of_items = np.arange(len(shown) + 1) / max(len(shown), 1)
    share_of_places = np.concatenate([[0.0], np.cumsum(shown) / places])
    ever = float((n_shown > 0).mean()) if len(n_shown) else 0.0
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    axes = figure.subplots()
    axes.plot(share_of_items, share_of_places, linewidth=1.5, label="lists")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1, label="every item equally often")
    axes.axvline(ever, color=GREY, linewidth=1)
    side = -1 if ever > 0.5 else 1  # of the line: where there is room
    axes.annotate(
        f"{ever:.1%} of the items are in a list", (ever, 0.04), xytext=(6 * side, 0), textcoords="offset points",
        horizontalalignment="left" if side > 0 else "right",
    )  # fmt: skip
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set(xlabel="items, the most shown first", ylabel="share of all places in lists", title="Coverage")
    axes.legend(frameon=False, loc="center right")
    axes.grid(color="0.92")
    return figure


def wilson_interval(share: Numbers, n: Numbers) -> tuple[Numbers, Numbers]:
    """Bounds of 95 % of what a share is that was seen in n trials (Wilson 1927), which stay between 0 and 1."""
    z2 = 1.96**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * share * (1 - share) / n + z2**2 / (4 * n**2)) / (1 + z2 / n)
    return middle - half, middle + half
