"""The figures are those of the field, on the same counts."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from pipelines.drift.figures import (
    Dispersion,
    chi_square,
    degrees_of_freedom,
    dispersion,
    jensen_shannon,
    kolmogorov_smirnov,
    kolmogorov_smirnov_p,
    psi,
    psi_of_chance,
    psi_p,
    psi_quantile,
    shares,
)

REFERENCE = np.array([520, 310, 120, 45, 5])
CURRENT = np.array([180, 250, 60, 0, 10])
INDEPENDENT = Dispersion(1.0, 1_000_000)


def plain(counts):
    return shares(counts, pseudo_count=0.0)


def test_psi_is_both_kullback_leibler_divergences():
    p, q = plain(REFERENCE), shares(CURRENT)

    assert psi(p, q) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p), rel=1e-12)
    assert psi(q, p) == pytest.approx(psi(p, q), rel=1e-12)


def test_the_figures_are_those_that_frouros_gives():
    """frouros 0.9.0, PSI(num_bins=5), KSTest and ChiSquareTest on the values behind these counts, noted once."""
    reference, current = np.array([520, 310, 120, 45, 5]), np.array([180, 250, 60, 3, 10])

    assert psi(plain(reference), plain(current)) == pytest.approx(0.2483091351154247, rel=1e-12)
    assert kolmogorov_smirnov(reference, current) == pytest.approx(0.16214711729622266, rel=1e-12)
    assert chi_square(reference, current) == pytest.approx(73.70310637957967, rel=1e-12)


def test_jensen_shannon_is_scipys():
    for p, q in [(plain(REFERENCE), plain(CURRENT)), (np.array([1.0, 0.0]), np.array([0.0, 1.0]))]:
        assert jensen_shannon(p, q) == pytest.approx(jensenshannon(p, q, base=2), rel=1e-12)
    assert jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0


def test_chi_square_is_scipys():
    expected = stats.chi2_contingency(np.stack([REFERENCE, CURRENT]), correction=False)

    assert chi_square(REFERENCE, CURRENT) == pytest.approx(expected.statistic, rel=1e-12)
    assert degrees_of_freedom(REFERENCE, CURRENT) == expected.dof


def test_bins_that_no_window_has_are_no_degree_of_freedom():
    reference, current = np.append(REFERENCE, 0), np.append(CURRENT, 0)

    assert degrees_of_freedom(reference, current) == degrees_of_freedom(REFERENCE, CURRENT)
    assert chi_square(reference, current) == chi_square(REFERENCE, CURRENT)


def test_kolmogorov_smirnov_is_scipys_on_the_values_of_the_bins():
    values = [np.repeat(np.arange(5), counts) for counts in (REFERENCE, CURRENT)]
    expected = stats.ks_2samp(*values, method="asymp")

    distance = kolmogorov_smirnov(REFERENCE, CURRENT)

    assert distance == pytest.approx(expected.statistic, rel=1e-12)
    n, m = REFERENCE.sum(), CURRENT.sum()
    assert kolmogorov_smirnov_p(0.05, n, m) == pytest.approx(stats.kstwobign.sf(0.05 * np.sqrt(n * m / (n + m))))


def test_dispersion_is_1_for_independent_draws_and_as_large_as_the_clusters_else():
    rng = np.random.default_rng(5)
    drawn = np.stack([rng.multinomial(800, [0.5, 0.3, 0.15, 0.05]) for _ in range(400)])

    independent, in_fours = dispersion(drawn), dispersion(4 * drawn)  # each event four times over

    assert independent.factor == pytest.approx(1.0, abs=0.1) and independent.degrees_of_freedom == 399 * 3
    assert in_fours.factor == pytest.approx(4.0, abs=0.4)
    assert dispersion(np.stack([drawn[0]] * 4)).factor == 1.0  # windows that are too much alike make no test stricter


def test_psi_of_windows_without_drift_is_what_yurdakul_says():
    rng, shares_of = np.random.default_rng(2), np.full(10, 0.1)
    n, m = 1_000, 7_000
    seen = [psi(shares(rng.multinomial(m, shares_of)), shares(rng.multinomial(n, shares_of))) for _ in range(3_000)]

    assert np.mean(seen) == pytest.approx(psi_of_chance(n, m, 9, INDEPENDENT), rel=0.05)
    limit = psi_quantile(n, m, 9, INDEPENDENT, 0.05)
    assert limit == pytest.approx((1 / n + 1 / m) * stats.chi2.isf(0.05, 9), rel=1e-3)
    assert np.mean(np.array(seen) > limit) == pytest.approx(0.05, abs=0.015)
    assert psi_p(limit, n, m, 9, INDEPENDENT) == pytest.approx(0.05)


def test_a_dispersion_that_rests_on_few_windows_makes_the_quantile_larger():
    known, guessed = (psi_quantile(1_000, 7_000, 3, Dispersion(2.0, freedom), 0.001) for freedom in (10_000, 6))

    assert guessed > 2 * known
    assert known == pytest.approx(2 * psi_quantile(1_000, 7_000, 3, INDEPENDENT, 0.001), rel=0.01)


def test_shares_of_nothing_are_refused():
    with pytest.raises(ValueError, match="at least one count"):
        shares(np.zeros(3, np.int64), pseudo_count=0.0)
