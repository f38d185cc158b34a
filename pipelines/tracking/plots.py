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
