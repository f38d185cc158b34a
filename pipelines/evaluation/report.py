"""An evaluation as one page for people: HTML that needs no network and runs no script, plots inside."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Plot

from pipelines.evaluation import plots
from pipelines.evaluation.figures import ALL, Figure
from pipelines.evaluation.gate import Decision
from pipelines.evaluation.intervals import Interval
from pipelines.evaluation.metric_words import WORDS_OF_METRICS, words_of_segment
from pipelines.evaluation.plots import Moment, Numbers
from pipelines.evaluation.rankings import MODEL, OWN_HISTORY, POPULARITY
from pipelines.evaluation.rows import Window
from pipelines.evaluation.served import PERSONAL, RATES, ServedFigure

SHARES = ("ndcg", "recall", "hit_rate", "mrr", "map")  # all between 0 and 1: one plot
BASELINES = {POPULARITY: "popularity", OWN_HISTORY: "own history"}


def _nothing() -> Numbers:
    return np.zeros(0)


@dataclass(frozen=True)
class JudgedVersion:
    """What is told of one version."""

    number: int
    role: str
    judged_from: datetime  # UTC
    not_judged: str  # why it has no figures; empty where it has
    figures: Sequence[Figure] = ()
    n_choices: int = 0
    foretold: Numbers = field(default_factory=_nothing)  # (N,) probability of each item in its lists
    happened: Numbers = field(default_factory=_nothing)  # (N,) 1 where it was chosen, else 0

    @property
    def name(self) -> str:
        return f"{self.role} {self.number}"

    @property
    def n_users(self) -> int:
        return next((figure.n_users for figure in self.figures if figure.segment == ALL), 0)

    def figure(self, ranking: str, metric: str, segment: str = ALL) -> Figure | None:
        """One of them."""
        wanted = ranking, metric, segment
        return next((f for f in self.figures if (f.ranking, f.metric, f.segment) == wanted), None)


@dataclass(frozen=True)
class Told:
    """All that a page tells."""

    window: Window
    versions: Sequence[JudgedVersion]  # the champion first
    served: Sequence[ServedFigure]
    history: Sequence[Mapping[str, Any]]  # rows of earlier evaluations, the newest first
    alerts: Sequence[str]
    decision: Decision | None = None
    is_dry_run: bool = False


@dataclass(frozen=True)
class _Row:
    name: str
    words: str
    values: Sequence[str]
    n: int = 0


@dataclass(frozen=True)
class _Table:
    heads: Sequence[str]
    rows: Sequence[_Row] = field(default_factory=tuple)


def page(told: Told) -> str:
    """Render it. The same evaluation gives the same page."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    env = Environment(
        loader=PackageLoader("pipelines.evaluation", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    judged = [version for version in told.versions if version.figures]
    return env.get_template("evaluation.html").render(
        told=told,
        judged=judged,
        headline=_headline(judged[0], told.window.k) if judged else "",
        metrics=_metrics(judged, told.window.k),
        segments=_segments(judged),
        served=_served(told.served),
        plots={name: _source(plot) for name, plot in _plots(told, judged)},
    )


def _headline(version: JudgedVersion, k: int) -> str:
    hit, popular = (version.figure(ranking, "hit_rate") for ranking in (MODEL, POPULARITY))
    if hit is None or popular is None:
        return ""
    return (
        f"Of the lists of {k} that the {version.name} would have shown, {hit.value:.0%} hold something that the user chose then "
        f"or soon after; the {k} most popular items: {popular.value:.0%}."
    )


def _metrics(judged: Sequence[JudgedVersion], k: int) -> _Table:
    """A row for each metric; columns: the versions, then the baselines beside the first of them."""
    columns = [(version, MODEL) for version in judged] + [(judged[0], name) for name in BASELINES if judged]
    heads = [version.name for version in judged] + (list(BASELINES.values()) if judged else [])
    rows = []
    for metric, (title, words) in WORDS_OF_METRICS.items():
        found = [version.figure(ranking, metric) for version, ranking in columns]
        if any(found):
            rows.append(_Row(title.format(k=k), words.format(k=k), [_said(figure) for figure in found]))
    return _Table(heads, rows)


def _segments(judged: Sequence[JudgedVersion]) -> _Table:
    heads = [version.name for version in judged] + (list(BASELINES.values()) if judged else [])
    rows = []
    for segment in _segment_names(judged):
        found = [version.figure(MODEL, "ndcg", segment) for version in judged]
        found += [judged[0].figure(ranking, "ndcg", segment) for ranking in BASELINES]
        title, words = words_of_segment(segment)
        n = next((figure.n for figure in found if figure), 0)
        rows.append(_Row(title, words, [_said(figure) for figure in found], n))
    return _Table(heads, rows)


def _segment_names(judged: Sequence[JudgedVersion]) -> list[str]:
    return list(dict.fromkeys(figure.segment for version in judged for figure in version.figures))


def _served(served: Sequence[ServedFigure]) -> _Table:
    by_row: dict[tuple[str, str, str], dict[str, Figure]] = {}
    for each in served:
        version = "all versions" if each.version is None else f"version {each.version}"
        row = each.figure.ranking, version if each.figure.ranking == PERSONAL else "", each.figure.segment
        by_row.setdefault(row, {})[each.figure.metric] = each.figure
    rows = []
    for (source, version, segment), own in by_row.items():
        where = "all places" if segment == ALL else words_of_segment(segment)[0]
        rates = [_percent(own.get(rate)) for rate in RATES]
        rows.append(_Row(f"{source} {version}".strip(), where, rates, next(iter(own.values())).n))
    return _Table([WORDS_OF_METRICS_SERVED[rate] for rate in RATES], rows)


WORDS_OF_METRICS_SERVED = {"click_through": "clicked", "cart_rate": "put into a cart", "conversion": "bought"}


def _plots(told: Told, judged: Sequence[JudgedVersion]) -> Iterator[tuple[str, Plot]]:
    k = told.window.k
    if judged:
        rows = {WORDS_OF_METRICS[metric][0].format(k=k): _beside(judged, metric, ALL) for metric in SHARES}
        yield "metrics", plots.intervals("How good the lists are", rows, "0: never right, 1: always")
        by_segment = {words_of_segment(name)[0]: _beside(judged, "ndcg", name) for name in _segment_names(judged)}
        yield "segments", plots.intervals(f"For whom: NDCG@{k}", by_segment, f"NDCG@{k}")
    for version in judged[:1]:
        if len(version.foretold):
            yield "calibration", plots.calibration(version.foretold, version.happened)
    if relevance := _relevance_over_time(told, judged):
        yield "over_time", plots.over_time("Relevance over time", relevance, f"NDCG@{k}")
    if rates := _rates_over_time(told):
        yield "served_over_time", plots.over_time("Click-through over time", rates, "share of places seen")
    if by_version := _rates_by_row(told.served):
        yield "served", plots.intervals("What was clicked of what was seen", by_version, "click-through")


def _beside(judged: Sequence[JudgedVersion], metric: str, segment: str) -> dict[str, Interval]:
    found = {version.name: version.figure(MODEL, metric, segment) for version in judged}
    found |= {name: judged[0].figure(ranking, metric, segment) for ranking, name in BASELINES.items()}
    return {name: figure.interval for name, figure in found.items() if figure}


def _relevance_over_time(told: Told, judged: Sequence[JudgedVersion]) -> dict[str, list[Moment]]:
    champion = next((version for version in judged if version.role == "champion"), None)
    series = {}
    for ranking, name in ((MODEL, "champion"), (POPULARITY, "popularity")):
        now = champion.figure(ranking, "ndcg") if champion else None
        series[name] = _series(told, "holdout", ranking, now)
    return {name: moments for name, moments in series.items() if moments}


def _rates_over_time(told: Told) -> dict[str, list[Moment]]:
    mine = [s.figure for s in told.served if s.version is None and s.figure.ranking == PERSONAL]
    now = next((f for f in mine if (f.segment, f.metric) == (ALL, "click_through")), None)
    moments = _series(told, "served", PERSONAL, now)
    return {"personal lists": moments} if moments else {}


def _series(told: Told, kind: str, ranking: str, now: Figure | None) -> list[Moment]:
    earlier = [row for row in reversed(told.history) if (row["kind"], row["ranking"]) == (kind, ranking)]
    moments = [Moment(row["as_of"], Interval(row["value"], row["low"], row["high"])) for row in earlier]
    return moments + ([Moment(told.window.as_of, now.interval)] if now else [])


def _rates_by_row(served: Sequence[ServedFigure]) -> dict[str, dict[str, Interval]]:
    rows = {}
    for each in served:
        if (each.figure.segment, each.figure.metric) == (ALL, "click_through"):
            of = (
                ""
                if each.figure.ranking != PERSONAL
                else ", all versions"
                if each.version is None
                else f", version {each.version}"
            )
            rows[each.figure.ranking + of] = {"click-through": each.figure.interval}
    return rows


def _said(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def _percent(figure: Figure | None) -> str:
    if figure is None or figure.low is None or figure.high is None:
        return "–"
    return f"{figure.value:.2%} [{figure.low:.2%}, {figure.high:.2%}]"


def _source(plot: Plot) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(plots.svg(plot)).decode()
