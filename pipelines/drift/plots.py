"""Figures of a run, as SVG: small enough for a phone, with text that stays text."""

from io import StringIO

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from pipelines.drift.concept import ConceptChange
from pipelines.drift.histogram import Binned

WIDTH_INCHES = 4.0  # 384 px: as wide as a phone
REFERENCE, CURRENT = "#9aa7b6", "#1f5fbf"
LONGEST_LABEL = 18
DAY_SECONDS = 86_400


def bars(bins: Binned, names: tuple[str, str] = ("reference", "current window")) -> Figure:
    """Shares of the reference and of the current window in each bin, one above the other."""
    n = len(bins.labels)
    figure = Figure(figsize=(WIDTH_INCHES, 0.85 + 0.3 * n), layout="constrained")
    axes = figure.subplots()
    place = np.arange(n)
    for counts, shift, colour, name in (
        (bins.reference, -0.2, REFERENCE, names[0]),
        (bins.current, 0.2, CURRENT, names[1]),
    ):
        axes.barh(place + shift, counts / max(counts.sum(), 1), height=0.38, color=colour, label=name)
    axes.set_yticks(place, [_short(label) for label in bins.labels])
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.tick_params(labelsize=8, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper left", ncols=2, fontsize=8, frameon=False)
    return figure


def over_time(change: ConceptChange, start_s: float) -> Figure:
    """Points of the series, what is usual, and where the test told of a fall. Days count from the current window."""
    series = change.series
    days = (series.time_s - start_s) / DAY_SECONDS
    figure = Figure(figsize=(1.3 * WIDTH_INCHES, 3.0), layout="constrained")
    axes = figure.subplots()
    axes.plot(days, series.value, ".", color=REFERENCE, markersize=3, label="some choices each")
    axes.plot(days, series.usual, color=REFERENCE, linewidth=1, label="usual at that hour")
    width = 15
    if len(series) >= width:
        smooth = np.convolve(series.value, np.full(width, 1 / width), mode="valid")
        axes.plot(days[width - 1 :], smooth, color=CURRENT, linewidth=1.4, label=f"mean of {width}")
    axes.axvspan(0, max(float(days.max()), 0.0) if len(days) else 0.0, color="#1f5fbf", alpha=0.07)
    for place in change.detected[:1]:
        axes.axvline(days[place], color="#b3261e", linewidth=1, label="told")
    axes.set_xlabel("days from the begin of the current window", fontsize=8)
    axes.set_ylabel("NDCG", fontsize=8)
    axes.set_ylim(bottom=0)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper left", ncols=2, fontsize=8, frameon=False)
    return figure


def svg(figure: Figure) -> str:
    """The figure as a text that can stand in a page; the same figure is the same text."""
    text = StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "drift", "font.family": "sans-serif"}):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"
