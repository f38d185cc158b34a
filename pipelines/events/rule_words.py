"""A rule in words: Great Expectations' own sentence for it, and what Liveshelf does with a row that breaks it."""

from string import Template
from typing import Any

from pipelines.events.compiler import why_not_compilable
from pipelines.events.suite import QUARANTINE, Rule

NULL_RULE = "expect_column_values_to_not_be_null"


def sentence(rule: Rule) -> str:
    """What must hold, as in Great Expectations' reports: "price values must be greater than or equal to 0.0"."""
    from great_expectations.render.renderer.inline_renderer import InlineRenderer

    rendered = InlineRenderer(render_object=rule.expectation.configuration).get_rendered_content()
    parts: list[dict[str, Any]] = [content.value.to_json_dict() for content in rendered]
    texts = [Template(part.get("template", "")).safe_substitute(_values(part)) for part in parts]
    return " ".join(filter(None, texts)) or rule.kind


def columns(rule: Rule) -> list[str]:
    """The columns that the rule is about."""
    arguments = rule.arguments
    single = [arguments[key] for key in ("column", "column_A", "column_B") if key in arguments]
    return [*single, *arguments.get("column_list", [])]


def judged_where(rule: Rule) -> str:
    """In the stream, row by row; or by the audit, over many rows."""
    return "audit" if why_not_compilable(rule) else "stream"


def consequence(rule: Rule) -> str:
    """What happens when it is broken."""
    if reason := why_not_compilable(rule):
        return f"The audit reports it; no row is put aside, for the rule {reason}."
    if rule.severity == QUARANTINE:
        return "A record that breaks it goes to `quarantine`, under the rule's name, and changes no profile."
    return "A record that breaks it passes, and carries the rule's name in `events.warnings`."


def on_nulls(rule: Rule) -> str:
    """What the rule says of a missing value."""
    if rule.kind == NULL_RULE:
        return "A missing value breaks it. This is the only kind of rule that asks for a value to be there."
    if "ignore_row_if" in rule.arguments or len(columns(rule)) > 1:
        return (
            f"Where values are missing: {rule.arguments.get('ignore_row_if', 'as Great Expectations does by default')}."
        )
    return "A missing value passes; whether it may be missing is for a rule of its own."


def _values(part: dict[str, Any]) -> dict[str, Any]:
    return {name: parameter["value"] for name, parameter in part.get("params", {}).items()}
