"""Figures beside the limits that they are held against, those nearest to their limit first."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.stores.outcomes import Outcome

MOST_COLUMNS, MOST_AGES = 6, 10
LIMIT_AT_PERCENT = 66.0  # where on its bar a limit is: what is beyond can still be seen


@dataclass(frozen=True)
class Limited:
    """A figure and its limit, in the same unit."""

    of: str
    value: float
    limit: float

    @property
    def is_over(self) -> bool:
        return self.value > self.limit

    @property
    def percent(self) -> float:
        """How much of its bar it fills."""
        return min(LIMIT_AT_PERCENT * self.value / self.limit, 100.0) if self.limit > 0 else 100.0


def drift_of(outcomes: Mapping[str, Outcome]) -> list[Limited]:
    """PSI of columns, as `detect_drift` found it last."""
    return _found(outcomes, "detect_drift", "psi", "psi_limit", MOST_COLUMNS)


def ages_of(outcomes: Mapping[str, Outcome]) -> list[Limited]:
    """Ages in seconds, as `check_freshness` found them last."""
    return _found(outcomes, "check_freshness", "age_seconds", "soft_limit_seconds", MOST_AGES)


def ndcg_of(outcomes: Mapping[str, Outcome]) -> Mapping[str, float]:
    """NDCG of later choices by version, as `evaluate_model` found it last."""
    outcome = outcomes.get("evaluate_model")
    return outcome.figures.get("ndcg", {}) if outcome else {}


def _found(outcomes: Mapping[str, Outcome], job: str, figure: str, limit: str, n_most: int) -> list[Limited]:
    figures = outcomes[job].figures if job in outcomes else {}
    return beside_limits(figures.get(figure, {}), figures.get(limit, {}), n_most)


def beside_limits(values: Mapping[str, float], limits: Mapping[str, float], n_most: int) -> list[Limited]:
    """At most `n_most` of the values that have a limit."""
    found = [Limited(of, value, limits[of]) for of, value in values.items() if of in limits]
    return sorted(found, key=lambda one: (-one.percent, -one.value, one.of))[:n_most]
