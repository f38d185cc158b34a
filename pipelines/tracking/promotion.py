"""Which version is champion: the one that the hot path goes on from.

MLflow writes one alias at a time. A promotion writes `previous` first and a rollback writes it last, so that whatever
interrupts them, `champion` names a version that was meant to be champion, and doing the same again ends as if nothing had
been. Only which version was champion *before* can be lost: then both aliases name one version.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from pipelines.errors import InputError, ModelVersionError
from pipelines.evaluation.gate import Decision
from pipelines.models.kinds import from_bytes
from pipelines.tracking.versions import CHALLENGER, CHAMPION, HIGH, LOW, PREVIOUS, Version

if TYPE_CHECKING:
    from pipelines.tracking.registry import Registry

JUDGED_BY = "ndcg10_all"


def promote(registry: "Registry", version: Version, *, is_forced: bool = False) -> Version | None:
    """Make `version` champion, and the champion `previous`. Returns the one that was champion, None where there was none.

    Raises ModelVersionError when the bytes are not those registered or cannot be read; and, unless it is forced, when the
    features are of another version than the champion's, or its `ndcg10_all` is worse than the champion's so that their
    intervals do not meet.
    """
    champion = champion_of(registry)
    if champion is not None and champion.number == version.number:
        return champion
    check_readable(registry, version)
    if champion is not None:
        if not is_forced:
            _check_better(registry, version, champion)
        registry.name(champion, PREVIOUS)
    registry.name(version, CHAMPION)
    if CHALLENGER in version.aliases:
        registry.unname(CHALLENGER)
    return champion


def act_on(registry: "Registry", decision: Decision, as_of: datetime) -> Decision:
    """Do what the gate decided, and tag the challenger with decision, reason and instant. Returns what was done.

    A promotion asks the gate's figures alone, which are of the same choices; those of two trainings are of different ones.
    Where somebody has promoted another version since, the champion stays: it is not the one that was compared. Safe to repeat.
    """
    if decision.challenger is None:
        return decision
    champion, challenger = champion_of(registry), registry.version(decision.challenger)
    is_as_judged = (champion.number if champion else None) in (decision.champion, decision.challenger)
    if decision.outcome == "promote" and not is_as_judged:
        now = f"version {champion.number}" if champion else "no version"
        reason = f"champion is {now}, but version {decision.champion} was compared: evaluate again"
        decision = replace(decision, outcome="keep", reason=reason)
    if decision.outcome == "promote":
        promote(registry, challenger, is_forced=True)
    about = {"gate_decision": decision.outcome, "gate_reason": decision.reason, "gate_as_of": as_of.isoformat()}
    registry.tag(challenger, about)
    return decision


def rollback(registry: "Registry") -> tuple[Version, Version]:
    """Make `previous` champion, and the champion `previous`. Returns the new champion and the old one.

    A second rollback takes back the first. Raises InputError when nothing is called `previous`, or the champion itself is.
    """
    aliases = {alias: version for version in registry.versions() for alias in version.aliases}
    champion, previous = aliases.get(CHAMPION), aliases.get(PREVIOUS)
    if champion is None or previous is None:
        raise InputError("there is no previous version to roll back to; `liveshelf models promote VERSION` names one")
    if champion.number == previous.number:
        raise InputError(
            f"version {champion.number} is champion and previous: a promotion or rollback was interrupted. What was champion "
            "before is not known; `liveshelf models promote VERSION` names it"
        )
    check_readable(registry, previous)
    registry.name(previous, CHAMPION)
    registry.name(champion, PREVIOUS)
    return previous, champion


def champion_of(registry: "Registry") -> Version | None:
    """The champion, None while there is none."""
    return next((version for version in registry.versions() if CHAMPION in version.aliases), None)


def check_readable(registry: "Registry", version: Version) -> None:
    """Raise ModelVersionError when the hot path could not go on from this version."""
    data, config = registry.model_bytes(version), registry.model_config(version)
    try:
        is_finite = from_bytes(config, data).is_finite()
    except Exception as error:  # whatever the format says of bytes that it does not know
        raise ModelVersionError(f"version {version.number} cannot be read ({error}); promote another one") from error
    if not is_finite:
        raise ModelVersionError(f"version {version.number} holds numbers that are none (NaN); promote another one")


def _check_better(registry: "Registry", version: Version, champion: Version) -> None:
    ours, theirs = (each.tags.get("features_version") for each in (version, champion))
    if ours != theirs:
        raise ModelVersionError(
            f"version {version.number} was made with features version {ours}, the champion {champion.number} with {theirs}; "
            "--force promotes it all the same"
        )
    metrics, of_champion = registry.metrics(version), registry.metrics(champion)
    if _is_clearly_worse(metrics, of_champion):
        raise ModelVersionError(
            f"version {version.number} is worse than the champion {champion.number}: {JUDGED_BY} is {_said(metrics)}, the "
            f"champion's {_said(of_champion)}; --force promotes it all the same"
        )


def _is_clearly_worse(metrics: Mapping[str, float], of_champion: Mapping[str, float]) -> bool:
    high, low = metrics.get(JUDGED_BY + HIGH), of_champion.get(JUDGED_BY + LOW)
    return high is not None and low is not None and high < low


def _said(metrics: Mapping[str, float]) -> str:
    value, low, high = (metrics[JUDGED_BY + suffix] for suffix in ("", LOW, HIGH))
    return f"{value:.3f} [{low:.3f}, {high:.3f}]"
