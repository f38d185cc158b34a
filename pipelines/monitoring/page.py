"""The state of everything as one page: no script, no network, right on a desk and on a telephone."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from jinja2 import Environment, PackageLoader, Undefined
from markupsafe import Markup, escape

from pipelines.monitoring.curves import curves
from pipelines.monitoring.limits import LIMIT_AT_PERCENT, ages_of, drift_of, ndcg_of
from pipelines.monitoring.overview import FOUND, Overview, quarantined_share, troubles
from pipelines.monitoring.sparkline import sparkline
from pipelines.monitoring.words import lasted, rounded
from pipelines.stores.history import Point

REFRESH_SECONDS = 10
WORST_RULES = 5


def page(overview: Overview, histories: Mapping[str, Sequence[Point]], served: Mapping[str, int] | None = None) -> str:
    """Render it; `histories` by job, `served`: answers with lists by what they begin with.

    Whatever is missing is left out, and the page says what is wrong first.
    """
    environment = Environment(loader=PackageLoader("pipelines.monitoring", "templates"), autoescape=True)
    environment.filters |= {
        "ago": lambda at_ms: f"{lasted((overview.as_of_ms - at_ms) / 1000)} ago",
        "breakable": breakable,
        "lasted": lasted,
        "rounded": lambda value: rounded(None if isinstance(value, Undefined) else value),
        "drawn": lambda curve: Markup(sparkline(curve.values, curve.beside)),
    }
    return environment.get_template("status.html").render(
        overview=overview,
        as_of=datetime.fromtimestamp(overview.as_of_ms / 1000, timezone.utc),
        troubles=troubles(overview),
        curves=curves(histories),
        filing=(filing := overview.streams.get("validate_events", {})),
        hot=overview.streams.get("personalize", {}),
        rules=worst_rules(filing),
        quarantined=quarantined_share(filing),
        drift=drift_of(overview.outcomes),
        ages=ages_of(overview.outcomes),
        ndcg=ndcg_of(overview.outcomes),
        limit_at=LIMIT_AT_PERCENT,
        served=dict(sorted((served or {}).items(), key=lambda source: -source[1])),
        found=FOUND,
        refresh_seconds=REFRESH_SECONDS,
    )


def worst_rules(filing: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """(Rule, records that broke it, id of the newest of them), the most broken first."""
    example = dict(filing.get("last_quarantined", {}))
    by_rule = sorted(filing.get("quarantined_by_rule", {}).items(), key=lambda rule: (-rule[1], rule[0]))
    return [(rule, n, example.get(rule, "")) for rule, n in by_rule[:WORST_RULES]]


def breakable(name: str) -> Markup:
    """A name that a narrow page may break at its underscores and dots."""
    return Markup(re.sub(r"([_.])", r"\1<wbr>", str(escape(name))))
