"""Whether a challenger becomes champion: better beyond the interval in the primary metric, and no worse in the guards.

Both versions are judged by the same choices, so the interval is that of the paired difference, users drawn anew.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipelines.evaluation.figures import ALL, LESS_IS_BETTER, values_of
from pipelines.evaluation.holdout import JudgedChoices
from pipelines.evaluation.intervals import Interval, mean_interval
from pipelines.evaluation.metrics import Flags, coverage
from pipelines.evaluation.rankings import MODEL
from pipelines.evaluation_sections import GateConfig

Outcome = Literal["promote", "keep", "no challenger"]


@dataclass(frozen=True)
class Guard:
    """How a guard metric changed."""

    metric: str
    champion: float
    challenger: float
    tolerance: float  # share of the champion's value
    n: int  # choices it is of

    @property
    def worse_by(self) -> float:
        """Share of the champion's value that is lost; negative where the challenger is better."""
        lost = self.challenger - self.champion if self._is_less_better else self.champion - self.challenger
        if lost and not self.champion:
            return math.copysign(math.inf, lost)
        return lost / abs(self.champion) if lost else 0.0

    @property
    def is_broken(self) -> bool:
        return self.worse_by > self.tolerance

    @property
    def _is_less_better(self) -> bool:
        return self.metric.split(".")[0] in LESS_IS_BETTER

    def __str__(self) -> str:
        change = (
            f"{'worse' if self.worse_by > 0 else 'better'} by {abs(self.worse_by):.1%}" if self.worse_by else "the same"
        )
        values = f"{self.metric} {self.challenger:.4g}, the champion's {self.champion:.4g}"
        return f"{values}: {change}, {self.tolerance:.1%} worse is tolerated"


@dataclass(frozen=True)
class Decision:
    """What the gate says, and why."""

    outcome: Outcome
    reason: str
    champion: int | None = None
    challenger: int | None = None
    difference: Interval | None = None  # of the primary metric, challenger minus champion; None: not judged
    guards: tuple[Guard, ...] = ()
    n: int = 0  # choices that both were judged by
    n_users: int = 0


@dataclass(frozen=True)
class Judged:
    """A version, and the choices that it is compared by."""

    version: int
    choices: JudgedChoices
    n_items: int  # of its catalogue


def without_judgement(outcome: Outcome, reason: str, champion: int | None, challenger: int | None) -> Decision:
    """A decision for which nothing was compared."""
    return Decision(outcome, reason, champion, challenger)


def decide(
    champion: Judged, challenger: Judged, segments: Mapping[str, Flags], config: GateConfig, seed: int = 0
) -> Decision:
    """Compare two versions on the same choices. `segments`: name → (n,) which of them, for the guards `metric.segment`.

    Raises ValueError when the choices are not the same.
    """
    a, b, of = champion.choices, challenger.choices, (champion.version, challenger.version)
    if not (np.array_equal(a.user, b.user) and np.array_equal(a.key, b.key)):
        raise ValueError(f"expected the same choices of both versions, got {len(a)} and {len(b)}")
    n_users = len(np.unique(a.user))
    if len(a) < config.min_choices:
        reason = f"both can be judged by {len(a):,} choices only, evaluation.gate.min_choices is {config.min_choices:,}"
        return Decision("keep", reason, *of, n=len(a), n_users=n_users)
    primary = config.primary_metric
    difference = mean_interval(values_of(b, MODEL)[primary] - values_of(a, MODEL)[primary], a.user, seed=seed)
    guards = _guards(champion, challenger, segments, config)
    outcome, reason = _outcome(primary, difference, guards)
    return Decision(outcome, reason, *of, difference, guards, len(a), n_users)


def _outcome(primary: str, difference: Interval, guards: Sequence[Guard]) -> tuple[Outcome, str]:
    told = f"{primary} {difference.mean:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
    if not difference.low > 0:
        return "keep", f"not better beyond the interval: {told}"
    if broken := [guard for guard in guards if guard.is_broken]:
        return "keep", f"better ({told}), but a guard is broken: " + "; ".join(str(guard) for guard in broken)
    names = ", ".join(guard.metric for guard in guards) or "none could be judged"
    return "promote", f"better beyond the interval: {told}; no guard is broken ({names})"


def _guards(
    of_champion: Judged, of_challenger: Judged, segments: Mapping[str, Flags], config: GateConfig
) -> tuple[Guard, ...]:
    found = []
    for name, tolerance in config.guards.items():
        metric, _, segment = name.partition(".")
        rows = segments.get(segment or ALL, np.zeros(len(of_champion.choices), np.bool_))
        old, new, n = _both(metric, of_champion, of_challenger, rows)
        if n >= config.min_guard_choices:
            found.append(Guard(name, old, new, tolerance, n))
    return tuple(found)


def _both(metric: str, of_champion: Judged, of_challenger: Judged, rows: Flags) -> tuple[float, float, int]:
    """The champion's value, the challenger's, and by how many choices: those that say something of both."""
    if metric == "coverage":
        old, new = (
            coverage(judged.choices.lists[MODEL].columns[rows], judged.n_items) if judged.n_items else math.nan
            for judged in (of_champion, of_challenger)
        )
        return old, new, int(rows.sum())
    old_values, new_values = (values_of(judged.choices, MODEL)[metric] for judged in (of_champion, of_challenger))
    told = rows & np.isfinite(old_values) & np.isfinite(new_values)
    if not told.any():
        return math.nan, math.nan, 0
    return float(old_values[told].mean()), float(new_values[told].mean()), int(told.sum())
