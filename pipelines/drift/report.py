"""A run as a page for people: one file that loads nothing and runs no script."""

import base64
from collections import Counter
from typing import Any

from jinja2 import Environment, PackageLoader, select_autoescape

from pipelines.drift.plots import bars, over_time, svg
from pipelines.drift.results import DriftResult
from pipelines.drift.verdicts import JUDGED, Judged


def drift_page(result: DriftResult) -> str:
    """Render the run as HTML: what drifted first, with bars of both windows, then all that was compared."""
    environment = Environment(
        loader=PackageLoader("pipelines.drift", "templates"), autoescape=select_autoescape(), trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    cards = [_card(judged) for judged in result.judged]
    concept = over_time(result.concept, result.windows.start.timestamp()) if len(result.concept.series) else None
    return environment.get_template("drift.html").render(
        result=result,
        alerts=result.alerts(),
        drifted=[card for card in cards if card["judged"].is_alert],
        others=[card for card in cards if not card["judged"].is_alert and card["judged"].verdict in JUDGED],
        left_out=Counter(
            (judged.histogram.table, judged.verdict)
            for judged in result.judged
            if not judged.is_alert and judged.verdict not in JUDGED
        ),
        concept=_image(svg(concept)) if concept else None,
    )


def _card(judged: Judged) -> dict[str, Any]:
    is_drawn = bool(judged.bins.labels) and bool(judged.bins.counts.sum())
    return {"judged": judged, "image": _image(svg(bars(judged.bins))) if is_drawn else None}


def _image(text: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()
