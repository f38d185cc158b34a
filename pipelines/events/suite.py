"""The rules as people write them: a Great Expectations suite, each expectation with a name, a severity and a reason."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import RuleError

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read when the package is imported; it reports to its makers

QUARANTINE, WARN = "quarantine", "warn"
SEVERITIES = (QUARANTINE, WARN)
_META = {"name": "a name of its own", "severity": "what a breach leads to", "because": "the reason, for people"}


@dataclass(frozen=True)
class Rule:
    """One expectation, and what its `meta` says of it."""

    name: str
    severity: str  # QUARANTINE: a row that breaks it goes aside · WARN: it passes, and is counted
    because: str
    expectation: Any  # a great_expectations Expectation

    @property
    def kind(self) -> str:
        """The expectation's type, such as expect_column_values_to_not_be_null."""
        return str(self.expectation.expectation_type)

    @property
    def arguments(self) -> dict[str, Any]:
        """What the expectation was given."""
        return dict(self.expectation.configuration.kwargs)

    @property
    def mostly(self) -> float:
        """Share of a batch's rows that must pass for the batch to be well; says nothing about any one row."""
        return float(self.arguments.get("mostly", 1.0))


def ruleset_id(rules: Sequence[Rule]) -> str:
    """Hash of what the rules decide, 16 hexadecimal digits: the same for any order of keys and any wording of the reasons."""
    decisive = [[rule.name, rule.severity, rule.kind, rule.arguments] for rule in rules]
    text = json.dumps(decisive, sort_keys=True, default=str, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_suite(path: Path, severities: Sequence[str] = SEVERITIES) -> tuple[Rule, ...]:
    """Read the suite through Great Expectations' own loading, in the order of the file.

    Raises RuleError when the file is no suite, an expectation cannot be built, its `meta` lacks name, severity or
    because, or its severity is none of `severities`; each message names the rule, or its place in the file.
    """
    stored = _read(path)
    named = [_meta_of(path, number, rule, severities) for number, rule in enumerate(stored["expectations"], start=1)]
    _check_names(path, [meta["name"] for meta in named])
    expectations = [
        _expectation(path, meta["name"], rule) for meta, rule in zip(named, stored["expectations"], strict=True)
    ]
    return tuple(
        Rule(meta["name"], meta["severity"], meta["because"], expectation)
        for meta, expectation in zip(named, expectations, strict=True)
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RuleError(f"{path}: cannot be read ({error.strerror}); `validation.suite` names the file") from error
    except ValueError as error:
        raise RuleError(f"{path}: is not JSON: {error}") from error
    if not isinstance(stored, dict) or not isinstance(stored.get("expectations"), list) or not stored["expectations"]:
        raise RuleError(f"{path}: expected a Great Expectations suite with a list of `expectations`")
    return stored


def _meta_of(path: Path, number: int, stored_rule: Any, severities: Sequence[str]) -> dict[str, str]:
    meta = stored_rule.get("meta") if isinstance(stored_rule, dict) else None
    meta = meta if isinstance(meta, dict) else {}
    where = f"{path}: rule '{meta.get('name') or f'number {number}'}'"
    for key, what in _META.items():
        if not isinstance(meta.get(key), str) or not meta[key].strip():
            raise RuleError(f"{where}: meta has no '{key}' ({what})")
    if meta["severity"] not in severities:
        raise RuleError(f"{where}: severity must be {' or '.join(severities)}, got '{meta['severity']}'")
    return meta


def _check_names(path: Path, names: Sequence[str]) -> None:
    if twice := [name for name, n in Counter(names).items() if n > 1]:
        raise RuleError(f"{path}: rule '{twice[0]}' is there more than once; each needs a name of its own")


def _expectation(path: Path, name: str, stored_rule: dict[str, Any]) -> Any:
    # One suite per rule: a suite drops an expectation that it cannot build, and only logs it.
    from great_expectations.core import ExpectationSuite

    try:
        (expectation,) = ExpectationSuite(name=name, expectations=[stored_rule]).expectations
    except Exception as error:  # many kinds: unknown type, pydantic's, a missing argument, nothing built
        raise RuleError(f"{path}: rule '{name}': Great Expectations refuses it: {_first_line(error)}") from error
    return expectation


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
