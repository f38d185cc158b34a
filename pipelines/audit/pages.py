"""Audits as pages for people: Great Expectations' own Data Docs in a frame that needs no network and runs no script."""

from collections.abc import Sequence
from typing import Any

from pipelines.audit.results import AuditResult


def audit_page(result: AuditResult) -> str:
    """Render one audit as HTML: the two counts of each rule, then Great Expectations' report of its run."""
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    renderer = ValidationResultsPageRenderer()
    for report in result.reports:
        report.meta["batch_kwargs"] = {"data_asset_name": result.scope}  # where the renderer looks for a name
    reports = [_without_links(renderer.render(report).to_json_dict()) for report in result.reports]
    return _render("audit.html", audit=result, reports=reports)


def index_page(audits: Sequence[dict[str, Any]]) -> str:
    """Render the list of audits (`summary` of each, newest first) as HTML."""
    return _render("index.html", audits=audits)


def summary(result: AuditResult) -> dict[str, Any]:
    """Return what the list of audits says of one, ready for JSON."""
    return {
        "audit_id": result.audit_id,
        "as_of": result.as_of.isoformat(timespec="seconds"),
        "kind": result.kind,
        "engine": result.engine,
        "scope": result.scope,
        "ruleset": result.ruleset,
        "verdict": result.verdict,
        "n_rows": result.n_rows,
        "n_rules": len(result.rules),
        "n_differing": len(result.differing),
        "n_alerts": len(result.alerts),
        "n_warnings": len(result.warnings),
        "n_not_audited": len(result.not_audited),
    }


def _without_links(rendered: Any) -> Any:
    """Take out what points to pages of GX that we do not make."""
    if isinstance(rendered, list):
        return [_without_links(part) for part in rendered]
    if not isinstance(rendered, dict):
        return rendered
    is_link = rendered.get("tag") == "a"
    return {
        key: _without_links(part) for key, part in rendered.items() if not (is_link and key in ("tag", "attributes"))
    }


def _render(template: str, **values: Any) -> str:
    from great_expectations.render.view.view import DefaultJinjaPageView
    from jinja2 import ChoiceLoader, PackageLoader

    env = DefaultJinjaPageView().env
    # Ours first: a template of ours replaces the one of GX that has its name.
    loaders = [PackageLoader("pipelines.audit", "templates"), *([env.loader] if env.loader else [])]
    env.loader = ChoiceLoader(loaders)
    return env.get_template(template).render(**values)
