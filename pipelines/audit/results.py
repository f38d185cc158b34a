"""What an audit found, as plain values."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines.events.suite import Rule

ALERT = "alert"  # severity of a rule about whole hours: someone should look now


@dataclass(frozen=True)
class Outcome:
    """What Great Expectations says of one rule."""

    rule: Rule
    n_rows: int | None = None  # rows it looked at; null where the rule counts none
    n_unexpected: int | None = None
    is_success: bool | None = None  # `mostly` included; null where it was not run
    observed: str = ""
    not_audited: str = ""  # why it could not be run; empty where it was


@dataclass(frozen=True)
class RuleResult:
    """An outcome beside what the compiled rule says of the same rows."""

    outcome: Outcome
    n_compiled: int | None = None  # null where nothing compiled judges: rules about many rows together

    @property
    def is_compared(self) -> bool:
        """Whether something compiled judges the same rows."""
        return self.n_compiled is not None

    @property
    def is_equal(self) -> bool | None:
        """Whether both count the same; null where there are not two counts."""
        if self.n_compiled is None or self.outcome.not_audited:
            return None
        return self.outcome.n_unexpected == self.n_compiled

    @property
    def is_alert(self) -> bool:
        return self.outcome.rule.severity == ALERT and self.outcome.is_success is False

    @property
    def is_warning(self) -> bool:
        """Whether many rows together break the rule, one about them or the `mostly` of one about single rows."""
        is_about_many = not self.is_compared or self.outcome.rule.mostly < 1
        return is_about_many and self.outcome.is_success is False and not self.is_alert

    @property
    def verdict(self) -> str:
        """In two words at most; where there are several, the worst."""
        if self.outcome.not_audited:
            return "not audited"
        if self.is_equal is False:
            return "differs"
        if self.is_alert or self.is_warning:
            return "alert" if self.is_alert else "warning"
        if self.is_compared:
            return "equal"
        return "no rows" if self.outcome.n_rows == 0 else "well"


@dataclass(frozen=True)
class AuditResult:
    """One audit. What Great Expectations itself reported is in `reports`, for the pages."""

    kind: str  # sample, tables or hours
    engine: str  # of Great Expectations: pandas or spark
    scope: str  # which rows, for people
    ruleset: str
    as_of: datetime  # UTC
    n_rows: int
    rules: tuple[RuleResult, ...]
    reports: tuple[Any, ...] = field(default=(), repr=False, compare=False)

    @property
    def audit_id(self) -> str:
        """16 hexadecimal digits: the same for the same audit of the same instant."""
        text = "\n".join([self.kind, self.engine, self.scope, self.ruleset, self.as_of.isoformat()])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def differing(self) -> list[RuleResult]:
        return [rule for rule in self.rules if rule.is_equal is False]

    @property
    def not_audited(self) -> list[RuleResult]:
        return [rule for rule in self.rules if rule.outcome.not_audited]

    @property
    def alerts(self) -> list[RuleResult]:
        return [rule for rule in self.rules if rule.is_alert]

    @property
    def warnings(self) -> list[RuleResult]:
        return [rule for rule in self.rules if rule.is_warning]

    @property
    def verdict(self) -> str:
        """The worst of its rules': differs, alert, not audited, warning, and else well."""
        found = {rule.verdict for rule in self.rules}
        return next((word for word in ("differs", "alert", "not audited", "warning") if word in found), "well")

    def rows(self) -> list[dict[str, Any]]:
        """Rows of schemas.AUDITS, one per rule."""
        audit = {
            name: getattr(self, name) for name in ("audit_id", "as_of", "kind", "engine", "scope", "ruleset", "verdict")
        }
        return [audit | _row(result) for result in self.rules]


def _row(result: RuleResult) -> dict[str, Any]:
    outcome = result.outcome
    return {
        "rule": outcome.rule.name,
        "severity": outcome.rule.severity,
        "n_rows": outcome.n_rows,
        "n_unexpected_gx": outcome.n_unexpected,
        "n_unexpected_compiled": result.n_compiled,
        "is_equal": result.is_equal,
        "is_success": outcome.is_success,
        "observed": outcome.observed or None,
        "not_audited": outcome.not_audited or None,
    }


def compared(outcomes: Sequence[Outcome], n_compiled: dict[str, int]) -> tuple[RuleResult, ...]:
    """Put beside each outcome how many of the same rows the compiled rule broke: none where it is not named."""
    return tuple(RuleResult(outcome, n_compiled.get(outcome.rule.name, 0)) for outcome in outcomes)
