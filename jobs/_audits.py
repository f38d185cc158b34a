"""What becomes of an audit: rows in a table, pages, the figures of a heartbeat, a table on the terminal, an exit code."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from pipelines.audit.background import BackgroundAudit
from pipelines.audit.pages import summary
from pipelines.audit.results import AuditResult, RuleResult
from pipelines.audit.site import DataDocs
from pipelines.config import Config
from pipelines.errors import AuditError
from pipelines.events.rules import CompiledRules
from pipelines.schemas import AUDITS
from pipelines.sinks.results import ResultTable
from pipelines.stores.outcomes import Told
from pipelines.tally import Tally

_HEADERS = ("rule", "severity", "rows", "GX", "compiled", "verdict", "observed")
_STYLES = {"differs": "red", "alert": "red", "not audited": "yellow", "warning": "yellow"}


def keep_audit(config: Config, result: AuditResult) -> Path:
    """Write the audit to the table and the pages. Returns its page."""
    ResultTable(config.table("audits"), AUDITS, "audit_id").append(result.rows())
    return DataDocs(config.validation.data_docs_root).write(result)


def background_audit(config: Config, rules: CompiledRules, tell: Callable[[dict[str, Any]], None]) -> BackgroundAudit:
    """Make the audit beside a stream. `tell` gets its figures, in the audit's thread, for the heartbeat."""
    tally = Tally()  # of this thread alone

    def on_result(result: AuditResult) -> None:
        as_of_ms = round(result.as_of.timestamp() * 1000)
        last = {"last_audit_as_of_ms": as_of_ms, "last_audit_verdict": result.verdict}
        tell(tally.add({"n_audits": 1, "n_audit_differences": len(result.differing), **last}))
        keep_audit(config, result)

    def on_error(_error: Exception) -> None:
        tell(tally.add({"n_audit_errors": 1}))

    tell(tally.add({"n_audits": 0, "n_audit_differences": 0, "n_audit_errors": 0}))
    every, max_rows = config.validation.audit_seconds, config.validation.audit_sample_rows
    return BackgroundAudit(rules, every_seconds=every, max_rows=max_rows, on_result=on_result, on_error=on_error)


def print_audit(result: AuditResult, page: Path) -> None:
    """Print a table of its rules, without the columns that are empty."""
    lines = [_line(rule) for rule in result.rules]
    shown = [n for n in range(len(_HEADERS)) if any(line[n] for line in lines)]
    table = Table(*[Column(_HEADERS[n], overflow="fold") for n in shown], title=f"{result.kind}: {result.verdict}")
    for rule, line in zip(result.rules, lines, strict=True):
        table.add_row(*[line[n] for n in shown], style=_STYLES.get(rule.verdict))
    console = Console()
    console.print(table)
    console.print(f"{result.scope}\n{page}\n", highlight=False, soft_wrap=True)


def _line(rule: RuleResult) -> tuple[str, ...]:
    outcome = rule.outcome
    n_gx = outcome.n_unexpected if rule.is_compared else None
    counts = [_number(n) for n in (outcome.n_rows, n_gx, rule.n_compiled)]
    said = outcome.not_audited or outcome.observed.replace("; ", "\n")
    return outcome.rule.name, outcome.rule.severity, *counts, rule.verdict, said


def as_json(results: Sequence[AuditResult]) -> str:
    """Return one JSON object: each audit's summary, with its rules as schemas.AUDITS has them."""
    audits = [summary(result) | {"rules": [_of_the_rule(row) for row in result.rows()]} for result in results]
    return json.dumps({"is_well": not any(_wrong(result) for result in results), "audits": audits})


def told(results: Sequence[AuditResult]) -> Told:
    """What the outcome of the run has: rules by verdict, rows looked at by audit, and of rules that rows broke, how many."""
    verdicts = Counter(rule.verdict for result in results for rule in result.rules)
    broken = {rule.outcome.rule.name: rule.outcome.n_unexpected for result in results for rule in result.rules}
    return {
        "rules": dict(verdicts),
        "rows": {result.kind: result.n_rows for result in results},
        "broken_rows": {name: n for name, n in broken.items() if n},
    }


def raise_if_wrong(results: Sequence[AuditResult]) -> None:
    """Raise AuditError when two counts differ, a rule could not be run, or there is an alert. A warning is none of them."""
    if wrong := [line for result in results for line in _wrong(result)]:
        raise AuditError("\n".join(["the audit found what must not be:", *[f"  {line}" for line in wrong]]))


def _wrong(result: AuditResult) -> list[str]:
    return [
        *[_difference(rule) for rule in result.differing],
        *[f"{rule.outcome.rule.name} was not audited: {rule.outcome.not_audited}" for rule in result.not_audited],
        *[f"{rule.outcome.rule.name}: {rule.outcome.observed}" for rule in result.alerts],
    ]


def _difference(rule: RuleResult) -> str:
    counts = f"Great Expectations counts {_number(rule.outcome.n_unexpected)} and the compiled rule {_number(rule.n_compiled)}"
    return f"{rule.outcome.rule.name}: {counts}"


def _number(n: int | None) -> str:
    return "" if n is None else f"{n:,}"


def _of_the_rule(row: dict[str, Any]) -> dict[str, Any]:
    of_the_audit = ("audit_id", "as_of", "kind", "engine", "scope", "ruleset", "verdict")
    return {name: value for name, value in row.items() if name not in of_the_audit}
