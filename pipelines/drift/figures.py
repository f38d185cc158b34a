"""How far two distributions over the same bins are apart, and how far chance alone would put them.

All take counts or shares (K,) over K bins. Logarithms are natural, but for `jensen_shannon`, which has base 2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
PSEUDO_COUNT = 0.5  # Jeffreys' prior: a bin that one window does not have must not make the figure infinite


def shares(counts: Counts, pseudo_count: float = PSEUDO_COUNT) -> Floats:
    """(K,) shares, with so much added to each bin. Raises ValueError where there is nothing at all."""
    padded = counts.astype(np.float64) + pseudo_count
    if not padded.sum() > 0:
        raise ValueError("expected at least one count, got none: shares of nothing are not defined")
    return np.asarray(padded / padded.sum(), np.float64)


def psi(reference: Floats, current: Floats) -> float:
    """Population stability index of shares: Σ (p − q) ln(p / q), both directions of the Kullback-Leibler divergence."""
    return float(np.sum((current - reference) * np.log(current / reference)))


def jensen_shannon(reference: Floats, current: Floats) -> float:
    """Jensen-Shannon distance of shares, base 2: from 0 (the same) to 1 (nothing in common). Lin 1991; its square root."""
    middle = (reference + current) / 2
    divergence = (special.rel_entr(reference, middle).sum() + special.rel_entr(current, middle).sum()) / 2
    return float(np.sqrt(max(divergence, 0.0) / np.log(2)))


def kolmogorov_smirnov(reference: Counts, current: Counts) -> float:
    """Largest distance of the two cumulative shares; the bins are in order. Of values in bins: never above that of the values."""
    cumulative = [np.cumsum(counts) / counts.sum() for counts in (reference, current)]
    return float(np.abs(cumulative[0] - cumulative[1]).max())


def kolmogorov_smirnov_p(distance: float, n: float, m: float) -> float:
    """How likely chance makes it as large: the limiting distribution, for effective sizes n and m (Smirnov 1948)."""
    return float(special.kolmogorov(np.sqrt(n * m / (n + m)) * distance))


def chi_square(reference: Counts, current: Counts) -> float:
    """Pearson's X² of a table of two rows: whether both windows were drawn from one distribution."""
    return _pearson(np.stack([reference, current]))


def degrees_of_freedom(*windows: Counts) -> int:
    """Of `chi_square`: bins that any of the windows has, less one."""
    return max(int((np.stack(windows).sum(axis=0) > 0).sum()) - 1, 1)


@dataclass(frozen=True)
class Dispersion:
    """How much more windows of one distribution differ than independent draws would: `factor` is 1 for independent draws.

    Events of one user are alike, and Mondays are alike. So n events say as much as n / factor independent ones.
    """

    factor: float  # at least 1
    degrees_of_freedom: int  # that it rests on


def dispersion(blocks: Counts) -> Dispersion:
    """Estimate it from windows (D, K) of the reference, D at least 2: Pearson's X² by its degrees of freedom.

    McCullagh and Nelder, "Generalized Linear Models", 1989, eq. 4.23. Below 1 it is taken for 1.
    """
    freedom = (len(blocks) - 1) * degrees_of_freedom(*blocks)
    return Dispersion(max(_pearson(blocks) / freedom, 1.0), freedom)


def psi_of_chance(n: int, m: int, freedom: int, dispersed: Dispersion) -> float:
    """Mean PSI of two windows of n and m events with one distribution: φ (K − 1) (1/n + 1/m).

    Yurdakul, "Statistical Properties of Population Stability Index", 2018, who has it for independent events (φ = 1).
    """
    return dispersed.factor * freedom * (1.0 / n + 1.0 / m)


def psi_quantile(n: int, m: int, freedom: int, dispersed: Dispersion, chance: float) -> float:
    """PSI that two windows with one distribution exceed with probability `chance`.

    Yurdakul's limit, (1/n + 1/m) χ²(K − 1), times φ. As φ is an estimate, the quantile is that of F with its degrees of freedom.
    """
    quantile = float(stats.f.isf(chance, freedom, dispersed.degrees_of_freedom))
    return psi_of_chance(n, m, freedom, dispersed) * quantile


def psi_p(value: float, n: int, m: int, freedom: int, dispersed: Dispersion) -> float:
    """How likely chance makes PSI as large: the inverse of `psi_quantile`."""
    ratio = value / psi_of_chance(n, m, freedom, dispersed)
    return float(stats.f.sf(ratio, freedom, dispersed.degrees_of_freedom))


def _pearson(table: Counts) -> float:
    """X² of homogeneity of the rows (D, K); rows and columns without a count are left out."""
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0].astype(np.float64)
    if not table.size:
        return 0.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    return float(((table - expected) ** 2 / expected).sum())
