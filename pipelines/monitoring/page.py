"""The state of everything as one page: no script, no network, right on a desk and on a telephone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from jinja2 import Environment, PackageLoader, Undefined
from markupsafe import Markup

from pipelines.monitoring.overview import FOUND, SILENT_SECONDS, Overview, quarantined_share, troubles
from pipelines.monitoring.sparkline import risen, sparkline
from pipelines.stores.history import TOTALS, Point

REFRESH_SECONDS = 10
WORST_RULES = 5
UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
# What is plotted: stream, figure, what it is called. A total is plotted by what it rises by in a minute.
CURVES = (
    ("personalize", "n_new", "interactions a minute"),
    ("personalize", "n_lists", "lists a minute"),
    ("personalize", "lag_p50_ms", "event to list, ms"),
    ("personalize", "progressive_ndcg", "NDCG before learning"),
    ("validate_events", "n_valid", "events filed a minute"),
    ("validate_events", "n_quarantined", "quarantined a minute"),
)


@dataclass(frozen=True)
class Curve:
    """A figure's last day."""

    name: str
    now: float
    svg: Markup


def page(overview: Overview, histories: Mapping[str, Sequence[Point]]) -> str:
    """Render it; `histories` by stream. Whatever is missing is left out, and the page says what is wrong first."""
    environment = Environment(loader=PackageLoader("pipelines.monitoring", "templates"), autoescape=True)
    environment.filters |= {"ago": lambda at_ms: ago((overview.as_of_ms - at_ms) / 1000), "rounded": rounded}
    return environment.get_template("status.html").render(
        overview=overview,
        as_of=datetime.fromtimestamp(overview.as_of_ms / 1000, timezone.utc),
        troubles=troubles(overview),
        curves=list(curves(histories)),
        filing=(filing := overview.streams.get("validate_events", {})),
        hot=overview.streams.get("personalize", {}),
        rules=worst_rules(filing),
        quarantined=quarantined_share(filing),
        silent_ms=SILENT_SECONDS * 1000,
        found=FOUND,
        refresh_seconds=REFRESH_SECONDS,
    )


def curves(histories: Mapping[str, Sequence[Point]]) -> list[Curve]:
    """Those of CURVES that there are two values of."""
    found = []
    for stream, figure, name in CURVES:
        values = [point.figures[figure] for point in histories.get(stream, ()) if figure in point.figures]
        values = risen(values) if figure in TOTALS else values
        if len(values) > 1:
            found.append(Curve(name, values[-1], Markup(sparkline(values))))
    return found


def worst_rules(filing: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """(Rule, records that broke it, id of the newest of them), the most broken first."""
    example = dict(filing.get("last_quarantined", ()))
    by_rule = sorted(filing.get("quarantined_by_rule", {}).items(), key=lambda rule: (-rule[1], rule[0]))
    return [(rule, n, example.get(rule, "")) for rule, n in by_rule[:WORST_RULES]]


def ago(seconds: float) -> str:
    """`5 s`, `3 min`, `2 h`, `4 d`: in the largest unit of which there are two."""
    seconds = max(seconds, 0.0)
    size, unit = next(((size, unit) for size, unit in UNITS if seconds >= 2 * size), UNITS[-1])
    return f"{seconds / size:.0f} {unit} ago"


def rounded(value: float | Undefined | None) -> str:
    """Three digits, and thousands by commas; a dash where nobody told."""
    if value is None or isinstance(value, Undefined):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
