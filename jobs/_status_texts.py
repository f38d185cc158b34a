"""The state of everything as people read it in a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from jobs._ages import age, utc
from pipelines.monitoring.curves import curves
from pipelines.monitoring.limits import Limited, ages_of, drift_of, ndcg_of
from pipelines.monitoring.overview import Overview, quarantined_share, troubles
from pipelines.monitoring.page import worst_rules
from pipelines.monitoring.sparkline import letters
from pipelines.monitoring.words import lasted, rounded
from pipelines.stores.history import Point

ENDED = {0: "well", 1: "failed", 3: "has findings"}
MOST_RULES = 3
STYLES = {"running": "green", "failed": "red", "silent": "red", "stopped": "dim"}


def screen(overview: Overview, histories: Mapping[str, Sequence[Point]]) -> RenderableType:
    """Trouble first, then plots, streams, lists, records, model and the jobs that end; what nobody told of is left out.

    `histories` by job.
    """
    parts: list[RenderableType] = [_headline(overview)]
    if not overview.problem:
        parts += [
            part
            for part in (_plots(histories, overview.as_of_ms), _streams(overview), _figures(overview), _jobs(overview))
            if part is not None
        ]
    return Group(*parts)


def _headline(overview: Overview) -> RenderableType:
    found = troubles(overview)
    told = Text(f"{utc(overview.as_of_ms / 1000)} UTC   ", style="dim")
    told.append(
        "all well" if not found else f"{len(found)} to look at", style="bold green" if not found else "bold red"
    )
    return Group(told, *[Text(f"  ✗ {line}", style="red") for line in found])


def _plots(histories: Mapping[str, Sequence[Point]], now_ms: int) -> RenderableType:
    told = [
        Text.assemble(
            (f"{curve.name} ", "dim"),
            rounded(curve.newest),
            (f" {letters(curve.values)}", "blue"),
            (_if_old(curve.old_as_of_ms(now_ms), now_ms), "dim"),
        )
        for curve in curves(histories)
    ]
    return Columns(told, padding=(0, 3))


def _streams(overview: Overview) -> RenderableType:
    if not overview.streams and not overview.services:
        return Text("no stream has told of itself yet: start `liveshelf personalize` and `liveshelf validate_events`")
    table = _table("stream", "state", "sign of life", "last micro-batch", "behind Kafka", "rows")
    for stream, beat in overview.streams.items():
        state = "silent" if overview.is_silent(stream) else str(beat.get("state", ""))
        table.add_row(
            stream,
            Text(state, style=STYLES.get(state, "")),
            age(beat["as_of_ms"] / 1000),
            age(beat["batch_as_of_ms"] / 1000) if "batch_as_of_ms" in beat else "none yet",
            _number(overview.kafka_lag(stream)),
            _number(beat.get("stream_rows")),
        )
    for job, answers in overview.services.items():
        table.add_row(job, Text(*(("answers", "green") if answers else ("silent", "red"))))
    return table


def _figures(overview: Overview) -> RenderableType:
    hot, filing = (overview.streams.get(job, {}) for job in ("personalize", "validate_events"))
    grid = Table.grid(padding=(0, 3))
    parts = {
        "lists": _lists(overview, hot),
        "model": _model(hot),
        "judged": [
            f"NDCG of later choices: {escape(of)} {value:.3f}" for of, value in ndcg_of(overview.outcomes).items()
        ],
        "records": _records(filing),
        "drift": [_limited(one, f"{one.value:.3g}", f"{one.limit:.3g}") for one in drift_of(overview.outcomes)],
        "ages": [_limited(one, lasted(one.value), lasted(one.limit)) for one in ages_of(overview.outcomes)],
    }
    told_by = {"lists": "personalize", "model": "personalize", "records": "validate_events"}
    for name, told in parts.items():
        if told:
            old = _if_old(overview.old_as_of_ms(told_by[name]), overview.as_of_ms) if name in told_by else ""
            grid.add_row(Text.assemble((name, "bold"), (old, "dim")), "   ".join(told))
    return grid


def _lists(overview: Overview, hot: Mapping[str, Any]) -> list[str]:
    waiting = ", ".join(f"{n:,} {queue}" for queue, n in overview.waiting.items() if n)
    return [
        f"served: {overview.serving.mode}",
        *_told(hot, {"n_lists": "made {:,}", "n_swept_lists": "by time {:,}"}),
        *_told(hot, {"lag_p50_ms": "event to list p50 {:,.0f} ms", "lag_p99_ms": "p99 {:,.0f} ms"}),
        f"waiting: {waiting or 'nobody'}",
        f"not in Delta yet: {overview.n_unfiled:,}",
        f"Redis {overview.memory_bytes / 2**20:,.0f} MiB",
    ]


def _limited(one: Limited, value: str, limit: str) -> str:
    text = f"{escape(one.of)} {value} of {limit}"
    return f"[red]{text}[/red]" if one.is_over else text


def _model(hot: Mapping[str, Any]) -> list[str]:
    named = {
        "model_items": "{:,} items",
        "progressive_ndcg": "NDCG before learning {:.3f}",
        "progressive_ndcg_of_popularity": "of popularity {:.3f}",
    }
    version = [f"version {hot['model_version'] or 'none yet'}"] if "model_version" in hot else []
    return version + _told(hot, named)


def _records(filing: Mapping[str, Any]) -> list[str]:
    if "n_valid" not in filing:
        return []
    rules = worst_rules(filing)[:MOST_RULES]
    worst = ", ".join(f"{escape(name)} {n:,}{f' such as {newest[:12]}' if newest else ''}" for name, n, newest in rules)
    return [
        *_told(filing, {"n_valid": "valid {:,}", "n_quarantined": "quarantined {:,}"}),
        f"({quarantined_share(filing):.1%}{'; ' + worst if worst else ''})",
        *_told(filing, {"n_known_already": "sent again {:,}"}),
    ]


def _jobs(overview: Overview) -> RenderableType | None:
    if not overview.outcomes:
        return None
    table = _table("job that ends", "ended", "took", "and")
    for job, outcome in overview.outcomes.items():
        style = "red" if outcome.exit_code else "green"
        how = Text(ENDED.get(outcome.exit_code, str(outcome.exit_code)), style=style)
        table.add_row(job, age(outcome.ended_ms / 1000), f"{outcome.seconds:,.0f} s", how)
    return table


def _told(figures: Mapping[str, Any], named: Mapping[str, str]) -> list[str]:
    return [text.format(figures[name]) for name, text in named.items() if figures.get(name) is not None]


def _table(*headers: str) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for header in headers:
        table.add_column(header)
    return table


def _if_old(at_ms: int | None, now_ms: int) -> str:
    return "" if at_ms is None else f" {lasted((now_ms - at_ms) / 1000)} ago"


def _number(n: int | None) -> str:
    return "" if n is None else f"{n:,}"
