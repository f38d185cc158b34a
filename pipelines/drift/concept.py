"""Concept drift: whether what users choose is found in their lists less than before, by the Page-Hinkley test.

Page, "Continuous Inspection Schemes", 1954; the test is river's. It sums up by how much points lie below the mean so far, and
tells when the sum falls `THRESHOLD` below its highest. Points are in standard deviations of the reference, so the constants need
no tuning to a shop: with a tolerance of half a deviation and a threshold of 10, a series without change is taken for one with a
change once in 100,000 points (Siegmund, "Sequential Analysis", 1985, eq. 2.57, for independent normal points), and a fall by
one deviation is told after some 20.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from river.drift import PageHinkley

from pipelines.drift_sections import ConceptConfig

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TOLERANCE, THRESHOLD = 0.5, 10.0  # standard deviations
LEAST_POINTS = 30  # of the reference
LATEST_POINTS = 20  # whose mean is called the mean now
HOURS_A_DAY = 24
USUAL_HOUR_CHOICES = 200.0  # an hour of the day with so few choices is half itself, half the whole day


@dataclass(frozen=True)
class Series:
    """Points (n,) in order of time: a mean over some choices, and what is usual at that hour of the day."""

    time_s: Ints  # epoch seconds of the last choice
    value: Floats
    usual: Floats
    n: Ints  # choices

    def __len__(self) -> int:
        return len(self.time_s)


@dataclass(frozen=True)
class ConceptChange:
    """What the test says. `detected` are the points of the current window where it told."""

    series: Series
    is_judged: bool
    before: float  # mean of the reference
    now: float  # mean of the latest points, without the rhythm of the day
    detected: tuple[int, ...] = ()

    @property
    def fall(self) -> float:
        """Share of `before` by which the mean is lower now; 0 where it is not."""
        return max(1 - self.now / self.before, 0.0) if self.before > 0 else 0.0

    def is_drift(self, config: ConceptConfig) -> bool:
        return bool(self.detected) and self.fall > config.least_fall


def points_of(slices: Sequence[tuple[int, int, float]], start_s: int, per_point: int) -> Series:
    """Join slices (second, choices, sum) to points of `per_point` choices at least.

    The reference is what is before `start_s`, the begin of the current window: no point lies in both, and what is usual at an
    hour is what the reference had then.
    """
    told = np.array(sorted(slices), np.float64).reshape(-1, 3)
    usual = _usual(told[told[:, 0] < start_s])
    points: list[tuple[float, float, float, float]] = []
    n = total = expected = last_s = 0.0
    for second, n_slice, sum_slice in told:
        if second >= start_s > last_s:
            n = total = expected = 0.0  # what is left of the reference is no part of the window
        last_s = second
        n, total = n + n_slice, total + sum_slice
        expected += n_slice * usual[int(second // 3600) % HOURS_A_DAY]
        if n >= per_point:
            points.append((second, total / n, expected / n, n))
            n = total = expected = 0.0
    columns = np.array(points, np.float64).reshape(-1, 4)
    return Series(columns[:, 0].astype(np.int64), columns[:, 1], columns[:, 2], columns[:, 3].astype(np.int64))


def detect(series: Series, start_s: int) -> ConceptChange:
    """Run the test over the reference and the current window; only what it tells in the window counts."""
    is_reference = series.time_s < start_s
    if is_reference.sum() < LEAST_POINTS or is_reference.all():
        return ConceptChange(series, False, 0.0, 0.0)
    rest = series.value - series.usual
    deviation = float(rest[is_reference].std()) or 1e-9
    before = float(np.average(series.value[is_reference], weights=series.n[is_reference]))
    latest = rest[~is_reference][-LATEST_POINTS:]
    test = PageHinkley(min_instances=LEAST_POINTS, delta=TOLERANCE, threshold=THRESHOLD, alpha=1.0, mode="down")
    detected = []
    for place, value in enumerate((rest / deviation).tolist()):
        test.update(value)  # type: ignore[no-untyped-call]
        if test.drift_detected and not is_reference[place]:
            detected.append(place)
    return ConceptChange(series, True, before, before + float(latest.mean()), tuple(detected))


def _usual(reference: Floats) -> Floats:
    """(24,) mean of the reference at each hour of the day, drawn to the mean of all where there were few choices."""
    mean = reference[:, 2].sum() / max(reference[:, 1].sum(), 1.0)
    hour = (reference[:, 0] // 3600).astype(np.int64) % HOURS_A_DAY
    n = np.bincount(hour, reference[:, 1], HOURS_A_DAY)
    total = np.bincount(hour, reference[:, 2], HOURS_A_DAY)
    return np.asarray((total + USUAL_HOUR_CHOICES * mean) / (n + USUAL_HOUR_CHOICES), np.float64)
