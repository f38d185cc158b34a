"""Is what Redis serves what Delta says? Each profile against all that is filed of its user, up to the profile's own mark.

The expected values are summed over all events at once, by the plain formula: no fold, no pairs, no earlier state.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipelines.features.decay import decay_factor
from pipelines.features.online import OnlineSums
from pipelines.features.profile import Profiles, entry_keys
from pipelines.sections import ProfileConfig

TOLERANCE = 1e-9  # of the sum of absolute weights: what rounding may cost
EQUAL, DIFFERS, MISSING, EXPIRED, AHEAD, OTHER_VERSION, OF_A_LOGIN = (
    "equal", "differs", "missing", "expired", "ahead", "other version", "of a login",
)  # fmt: skip
VERDICTS = (EQUAL, DIFFERS, MISSING, EXPIRED, AHEAD, OTHER_VERSION, OF_A_LOGIN)
WRONG = (DIFFERS, MISSING, OTHER_VERSION)


@dataclass(frozen=True)
class Finding:
    """What was found of one user."""

    user: str
    verdict: str
    about: str = ""
    relative_error: float = 0.0  # the greatest of the sums


@dataclass(frozen=True)
class Filing:
    """What is filed, and how far."""

    interactions: pd.DataFrame  # rows of `interactions_of`, read after the profiles
    topic: str  # that the hot path reads
    topic_tag: int  # of its Kafka id
    reached: Mapping[int, int]  # by partition, the offset up to which the topic is filed; empty: not known
    logged_in: frozenset[str] = frozenset()  # visitors who turned out to be users


def compare(
    users: list[str], profiles: Profiles, filing: Filing, online: OnlineSums, config: ProfileConfig, now_ms: int
) -> list[Finding]:
    """Compare the profiles of `users` with what is filed of them. A profile may have expired: `config.ttl_days`."""
    by_user = dict(list(filing.interactions.groupby("user")))
    nothing = filing.interactions.iloc[:0]
    oldest_kept_ms = now_ms - config.ttl_days * 86_400_000
    findings = []
    for at, user in enumerate(users):
        stored, rows = _Stored(profiles, at, filing.topic_tag), by_user.get(user, nothing)
        verdict = _unjudged(user, stored, rows, filing, online, oldest_kept_ms)
        findings.append(
            verdict or _compared(user, stored, rows[_is_in(stored, rows, filing)], online, config.ring_size)
        )
    return findings


@dataclass(frozen=True)
class _Stored:
    """One of the profiles."""

    profiles: Profiles
    at: int
    topic_tag: int

    def of(self, name: str) -> Any:
        return getattr(self.profiles, name)[self.at]

    @property
    def marks(self) -> dict[int, int]:
        """Partition of the topic → one past the last offset that is in."""
        pairs = [(int(source), int(after)) for source, after in self.of("marks").tolist() if after]
        return {source >> 32: after for source, after in pairs if source & 0xFFFFFFFF == self.topic_tag}

    @property
    def ring(self) -> list[tuple[int, int]]:
        own = self.profiles.owner == self.at
        return list(zip(self.profiles.key[own].tolist(), self.profiles.item[own].tolist(), strict=True))


def _unjudged(
    user: str, stored: _Stored, rows: pd.DataFrame, filing: Filing, online: OnlineSums, oldest_kept_ms: int
) -> Finding | None:
    """What there is to say of a profile whose values are not compared."""
    if not stored.of("is_known"):
        return _absent(user, rows, filing, oldest_kept_ms)
    if (version := stored.of("features_version")) != online.version:
        return Finding(user, OTHER_VERSION, f"the profile has features version {version}, not {online.version}")
    if stored.of("is_joined"):
        return Finding(
            user, OF_A_LOGIN, "visitors were joined into the profile: it is of more than its user's own events"
        )
    if _is_ahead(stored, rows, filing):
        return Finding(user, AHEAD, "the profile has read more than is filed")
    return None


def _absent(user: str, rows: pd.DataFrame, filing: Filing, oldest_kept_ms: int) -> Finding:
    """What there is to say of a user without a profile."""
    if not len(rows) or rows["ingest_ms"].max() < oldest_kept_ms:
        return Finding(user, EXPIRED, "no profile, and no interaction that should still have one")
    if user in filing.logged_in:
        return Finding(user, OF_A_LOGIN, "no profile, of a visitor who was told to be a user")
    return Finding(user, MISSING, f"no profile, {len(rows)} interactions are filed")


def _is_ahead(stored: _Stored, rows: pd.DataFrame, filing: Filing) -> bool:
    """Whether the newest interaction of a mark is not filed yet; where it is not known how far that is, not there."""
    ours = rows[rows["topic"] == filing.topic]
    for partition, after in stored.marks.items():
        known = filing.reached.get(partition, 0) if filing.reached else None
        if known is None:
            known = int(ours.loc[ours["partition"] == partition, "offset"].max() + 1) if len(ours) else 0
        if known < after:
            return True
    return False


def _is_in(stored: _Stored, rows: pd.DataFrame, filing: Filing) -> pd.Series:
    """Rows below the profile's mark; those of another topic, or of a partition without a mark, are below."""
    limit = rows["partition"].map(stored.marks).where(rows["topic"] == filing.topic).fillna(np.inf)
    return rows["offset"] < limit


def _compared(user: str, stored: _Stored, rows: pd.DataFrame, online: OnlineSums, ring_size: int) -> Finding:
    event_hash = rows["event_hash"].to_numpy(np.int64).view(np.uint64)
    time_s, code = rows["time_s"].to_numpy(np.int64), rows["code"].to_numpy(np.int64)
    key, first = np.unique(entry_keys(time_s, event_hash, code), return_index=True)
    item, time_s, code = rows["item_hash"].to_numpy(np.int64).view(np.uint64)[first], time_s[first], code[first]
    if (n := int(stored.of("n_interactions"))) != len(key):
        return Finding(user, DIFFERS, f"{n} interactions are in the profile, {len(key)} are filed")
    if not len(key):
        return Finding(user, EQUAL)
    if stored.ring != list(zip(key[-ring_size:].tolist(), item[-ring_size:].tolist(), strict=True)):
        return Finding(user, DIFFERS, "the newest interactions are others than those that are filed")
    error = _errors(stored, time_s, code, online)
    worst = int(error.argmax()) if len(error) else 0
    if len(error) and not error[worst] <= TOLERANCE:
        return Finding(user, DIFFERS, f"{online.names[worst]} is {error[worst]:.1e} away", float(error[worst]))
    return Finding(user, EQUAL, "", float(error.max(initial=0.0)))


def _errors(stored: _Stored, time_s: Any, code: Any, online: OnlineSums) -> Any:
    """(S,) how far each sum is from the formula's, relative to the sum of absolute weights."""
    as_of_s = int(stored.of("as_of_s"))
    weights = online.weight_of_code[code] * decay_factor((as_of_s - time_s)[:, None], online.half_life_s)
    scale = np.abs(weights).sum(axis=0)
    return np.abs(stored.of("sums") - weights.sum(axis=0)) / np.where(scale > 0, scale, 1.0)


def summary(findings: list[Finding], max_examples: int = 20) -> dict[str, Any]:
    """Counts by verdict, whether all is well, the greatest error, and examples of what is wrong."""
    wrong = [finding for finding in findings if finding.verdict in WRONG]
    counts = Counter(finding.verdict for finding in findings)
    return {
        "is_consistent": not wrong,
        "n_users": len(findings),
        **{f"n_{verdict.replace(' ', '_')}": counts[verdict] for verdict in VERDICTS},
        "max_relative_error": max((finding.relative_error for finding in findings), default=0.0),
        "examples": [f"{finding.user}: {finding.about}" for finding in wrong[:max_examples]],
    }
