"""From a histogram to a verdict: how far the current window is from the reference, and whether that is more than usual."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.drift import figures
from pipelines.drift.figures import Dispersion
from pipelines.drift.histogram import MISSING, NUMBER, OTHER, Binned, Histogram, binned, median
from pipelines.drift_sections import LEAST_BLOCKS, DriftConfig

Verdict = Literal["drift", "missing", "stable", "usual weekday", "too few rows", "no reference", "no data"]
ALERTS: tuple[Verdict, ...] = ("missing", "drift")
JUDGED: tuple[Verdict, ...] = ("drift", "stable", "usual weekday")
LEAST_MISSED = 10  # independent rows with a value that should be there: none by chance, once in e¹⁰ windows
MOST_CHANGED = 2  # bins that are named


@dataclass(frozen=True)
class Figures:
    """How far the current window is from the reference."""

    psi: float
    threshold: float  # of psi: above, it is drift
    psi_p: float  # how likely chance makes psi as large, by how much windows usually differ
    jensen_shannon: float
    chi_square: float
    degrees_of_freedom: int
    kolmogorov_smirnov: float | None  # of numbers only
    kolmogorov_smirnov_p: float | None
    dispersion: float


@dataclass(frozen=True)
class Judged:
    """One column, judged. Without figures where there was nothing to compare."""

    histogram: Histogram
    bins: Binned
    verdict: Verdict
    change: str = ""  # for people: what changed most, and by how much
    figures: Figures | None = None

    @property
    def name(self) -> str:
        return self.histogram.name

    @property
    def is_alert(self) -> bool:
        return self.verdict in ALERTS

    @property
    def n_current(self) -> int:
        return int(self.histogram.current.sum())

    @property
    def n_reference(self) -> int:
        return int(self.histogram.blocks.sum())


def judge(histograms: Sequence[Histogram], config: DriftConfig, same_weekday: Sequence[int] = ()) -> list[Judged]:
    """Judge all columns of a run, those that drifted first.

    Drift is where PSI is above a threshold that asks two things at once: an effect of `config.psi` beyond what chance puts
    there on average, and a value that chance exceeds in no more than `config.false_alarms` of the runs, all columns together
    (Bonferroni). Where the reference has windows of the same weekday (`same_weekday`), the same must hold against them alone.
    """
    prepared = [_prepared(histogram, config, same_weekday) for histogram in histograms]
    chance = config.false_alarms / max(sum(judged.verdict == "stable" for judged in prepared), 1)
    judged = [_compared(one, config, chance, same_weekday) if one.verdict == "stable" else one for one in prepared]
    return sorted(judged, key=_rank)


def _rank(judged: Judged) -> tuple[int, float, str]:
    first = ALERTS.index(judged.verdict) if judged.is_alert else len(ALERTS)
    return first, -judged.figures.psi / judged.figures.threshold if judged.figures else 0.0, judged.name


def _prepared(of: Histogram, config: DriftConfig, same_weekday: Sequence[int]) -> Judged:
    """Whether there is something to compare: `stable` until it is."""
    bins = binned(of, config.bins, config.values)
    n, of_blocks = int(of.current.sum()), of.blocks.sum(axis=1)
    n_blocks = int((of_blocks > 0).sum())
    usual = _usual_rows(of_blocks, same_weekday)
    verdict: Verdict = "stable"
    if not (n or n_blocks) or tuple(bins.labels) == (MISSING,):
        verdict = "no data"
    elif usual >= config.smallest_window and n < config.missing_share * usual:
        return Judged(of, bins, "missing", f"{n:,} rows, usually {usual:,.0f}")
    elif _is_gone(bins):
        return Judged(of, bins, "missing", "every row is without it, never before")
    elif n_blocks < LEAST_BLOCKS:
        verdict = "no reference"
    elif n < config.smallest_window:
        verdict = "too few rows"
    return Judged(of, bins, verdict)


def _usual_rows(of_blocks: NDArray[np.int64], same_weekday: Sequence[int]) -> float:
    """Rows that a window usually has: the median of those that have any, and no more than the same weekday had.

    A shop that rests on Sundays misses nothing on one. What lies before the first rows ever is no resting day.
    """
    having = np.flatnonzero(of_blocks)
    if not len(having):
        return 0.0
    weekday = [of_blocks[k - 1] for k in same_weekday if k - 1 <= having[-1]]
    usual = float(np.median(of_blocks[having]))
    return min(usual, float(np.median(weekday))) if weekday else usual


def _is_gone(bins: Binned) -> bool:
    """Whether no row of the current window has a value, and, by what windows usually have, some should."""
    if MISSING not in bins.labels:
        return False
    place = bins.labels.index(MISSING)
    is_without = np.stack([bins.counts[place], bins.counts.sum(axis=0) - bins.counts[place]], axis=1)  # (1 + D, 2)
    if not is_without[0, 0] or is_without[0, 1]:
        return False
    blocks = is_without[1:][is_without[1:].sum(axis=1) > 0]
    share = blocks[:, 1].sum() / max(blocks.sum(), 1)
    factor = figures.dispersion(blocks).factor if len(blocks) > 1 else 1.0
    return bool(share * is_without[0, 0] >= LEAST_MISSED * factor)


def _compared(judged: Judged, config: DriftConfig, chance: float, same_weekday: Sequence[int]) -> Judged:
    told = compare(judged.histogram, judged.bins, config.psi, chance)
    judged = replace(judged, figures=told, change=change_of(judged.histogram, judged.bins))
    if told.psi <= told.threshold:
        return judged
    weekday = _of_weekday(judged.bins, same_weekday)
    # The same dispersion: one or two windows say nothing of how windows differ.
    if weekday is not None and not _is_beyond(weekday, config.psi, chance, figures.dispersion(_blocks(judged.bins))):
        return replace(judged, verdict="usual weekday")
    return replace(judged, verdict="drift")


def compare(of: Histogram, bins: Binned, effect: float, chance: float) -> Figures:
    """All figures of a column. `effect` is the least PSI that counts; `chance` that of a false alarm of this column."""
    dispersed = figures.dispersion(_blocks(bins))
    n, m = int(bins.current.sum()), int(bins.reference.sum())
    psi, threshold, freedom = _psi(bins, effect, chance, dispersed)
    shares = figures.shares(bins.reference), figures.shares(bins.current)
    distance = _kolmogorov_smirnov(of)
    ks_p = None
    if distance is not None:
        ks_p = figures.kolmogorov_smirnov_p(distance, n / dispersed.factor, m / dispersed.factor)
    return Figures(
        psi=psi,
        threshold=threshold,
        psi_p=figures.psi_p(psi, n, m, freedom, dispersed),
        jensen_shannon=figures.jensen_shannon(*shares),
        chi_square=figures.chi_square(bins.reference, bins.current),
        degrees_of_freedom=freedom,
        kolmogorov_smirnov=distance,
        kolmogorov_smirnov_p=ks_p,
        dispersion=dispersed.factor,
    )


def change_of(of: Histogram, bins: Binned) -> str:
    """What changed most, in words: the median of a number, and the bins that PSI has most of."""
    parts = []
    medians = [median(of, windows) for windows in (slice(1, None), slice(0, 1))] if of.kind == NUMBER else []
    if len(set(medians)) == 2 and None not in medians:
        parts.append(f"median {_plain(medians[0])} → {_plain(medians[1])}")
    smooth = figures.shares(bins.reference), figures.shares(bins.current)
    of_psi = (smooth[1] - smooth[0]) * np.log(smooth[1] / smooth[0])
    for place in np.argsort(-of_psi, kind="stable")[:MOST_CHANGED].tolist():
        shares = _shares(bins.counts[place], bins.counts)
        if _percent(shares[0]) == _percent(shares[1]):
            continue
        if bins.labels[place] == OTHER and (rare := _rare_value(of, bins, shares)):
            parts.append(rare)
        else:
            parts.append(_moved(bins.labels[place], shares))
    return ", ".join(parts)


def _rare_value(of: Histogram, bins: Binned, of_others: tuple[float, float]) -> str | None:
    """The one of the others that is behind most of their change; None where there is none such."""
    hidden = [n for n, value in enumerate(of.values) if value not in (None, OTHER) and value not in bins.labels]
    changes = {n: _shares(of.counts[n], of.counts) for n in hidden}
    if not changes:
        return None
    most = max(hidden, key=lambda n: abs(changes[n][1] - changes[n][0]))
    is_behind = abs(changes[most][1] - changes[most][0]) > abs(of_others[1] - of_others[0]) / 2
    return _moved(str(of.values[most]), changes[most]) if is_behind else None


def _shares(row: NDArray[np.int64], all_rows: NDArray[np.int64]) -> tuple[float, float]:
    """Of a row (1 + D,) of counts: its share of the reference, and of the current window."""
    n, m = all_rows[:, 0].sum(), all_rows[:, 1:].sum()
    return float(row[1:].sum() / max(m, 1)), float(row[0] / max(n, 1))


def _moved(label: str, shares: tuple[float, float]) -> str:
    return f"{label} {_percent(shares[0])} → {_percent(shares[1])}"


def _plain(number: float | None) -> str:
    return "none" if number is None else f"{number:,.10g}"


def _percent(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.01 or 0.99 < share < 1 else f"{share:.0%}"


def _blocks(bins: Binned) -> NDArray[np.int64]:
    """(D, K) the windows of the reference that have rows."""
    blocks = bins.counts[:, 1:].T
    return np.asarray(blocks[blocks.sum(axis=1) > 0], np.int64)


def _of_weekday(bins: Binned, same_weekday: Sequence[int]) -> Binned | None:
    """The bins with the reference of the same weekday; None where that has no row."""
    counts = bins.counts[:, [0, *same_weekday]]
    return Binned(bins.labels, counts) if counts[:, 1:].sum() else None


def _psi(bins: Binned, effect: float, chance: float, dispersed: Dispersion) -> tuple[float, float, int]:
    """PSI, its threshold, and the degrees of freedom."""
    n, m = int(bins.current.sum()), int(bins.reference.sum())
    freedom = figures.degrees_of_freedom(bins.reference, bins.current)
    by_effect = effect + figures.psi_of_chance(n, m, freedom, dispersed)
    by_chance = figures.psi_quantile(n, m, freedom, dispersed, chance)
    value = figures.psi(figures.shares(bins.reference), figures.shares(bins.current))
    return value, max(by_effect, by_chance), freedom


def _is_beyond(bins: Binned, effect: float, chance: float, dispersed: Dispersion) -> bool:
    value, threshold, _ = _psi(bins, effect, chance, dispersed)
    return value > threshold


def _kolmogorov_smirnov(of: Histogram) -> float | None:
    if of.kind != NUMBER:
        return None
    _, counts = of.steps()
    reference, current = counts[:, 1:].sum(axis=1), counts[:, 0]
    return figures.kolmogorov_smirnov(reference, current) if reference.sum() and current.sum() else None
