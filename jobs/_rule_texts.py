"""How the rules, and what they say of a log, are shown to people."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from jobs._quarantine_texts import as_text
from pipelines.events.rule_words import columns, consequence, judged_where, on_nulls, sentence
from pipelines.events.suite import Rule
from pipelines.local.dry_run import DryRun, Finding

CONSOLE = Console()
EXCERPT_CHARACTERS = 100


def print_rules(rules: Sequence[Rule], ruleset: str) -> None:
    """Two lines a rule, in the order of the suite, and the version of them all."""
    for rule in rules:
        about = f"{rule.kind.removeprefix('expect_')}({', '.join(columns(rule))})"
        head = Text.assemble((rule.name, "bold"), f"  {rule.severity}, {judged_where(rule)}, {about}")
        CONSOLE.print(head, soft_wrap=True)
        CONSOLE.print(Padding(Text(rule.because), (0, 0, 0, 4)))
    CONSOLE.print(f"{len(rules)} rules, ruleset {ruleset}", highlight=False)


def print_rule(rule: Rule, compiled: str | None) -> None:
    """All of one rule, in words."""
    condition = rule.arguments.get("row_condition")
    arguments = {name: value for name, value in rule.arguments.items() if name != "row_condition"}
    grid = Table(box=None, show_header=False, pad_edge=False)
    lines = {
        "rule": rule.name,
        "says": sentence(rule),
        "because": rule.because,
        "severity": f"{rule.severity}, judged in the {judged_where(rule)}. {consequence(rule)}",
        "nulls": on_nulls(rule),
        "expectation": rule.kind,
        "arguments": json.dumps(arguments, ensure_ascii=False, default=str),
        "row condition": "none: it looks at every row" if condition is None else json.dumps(condition, default=str),
        "compiled": compiled,
    }
    for name, text in lines.items():
        if text is not None:
            grid.add_row(name, Text(text))
    CONSOLE.print(grid)


def print_dry_run(result: DryRun) -> None:
    """How many lines pass, and which rules the others break, with the first line of each."""
    CONSOLE.print(
        f"{result.n_lines:,} lines: {result.n_accepted:,} accepted, {result.n_quarantined:,} for the quarantine",
        highlight=False,
    )
    _print_findings("quarantined by", result.quarantined)
    _print_findings("warned by", result.warned)
    if result.quarantined or result.warned:
        CONSOLE.print(
            "A line that breaks two rules counts for both. Headers and empty lines have no number.", style="dim"
        )


def as_json(result: DryRun) -> str:
    """Return one JSON object: counts, and by rule the number of lines, the first one's number and its excerpt."""
    findings = {name: _findings_as_json(getattr(result, name)) for name in ("quarantined", "warned")}
    counts = {"n_lines": result.n_lines, "n_accepted": result.n_accepted, "n_quarantined": result.n_quarantined}
    return json.dumps(counts | findings, ensure_ascii=False)


def _findings_as_json(findings: Mapping[str, Finding]) -> dict[str, dict[str, object]]:
    return {name: asdict(finding) | {"excerpt": as_text(finding.excerpt)} for name, finding in findings.items()}


def _print_findings(what: str, findings: Mapping[str, Finding]) -> None:
    for name, finding in sorted(findings.items(), key=lambda item: -item[1].n_lines):
        lines = "1 line" if finding.n_lines == 1 else f"{finding.n_lines:,} lines"
        head = Text.assemble(f"{what} ", (name, "bold"), f": {lines}, the first is number {finding.line_number:,}")
        CONSOLE.print(head, soft_wrap=True)
        CONSOLE.print(Text(f"    {as_text(finding.excerpt)[:EXCERPT_CHARACTERS]}", style="dim"), soft_wrap=True)
