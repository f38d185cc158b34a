"""An evaluation on the terminal."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from jobs._evaluating import Result
from jobs._evaluation_results import Evaluation
from pipelines.evaluation.figures import ALL, Figure
from pipelines.evaluation.rankings import MODEL, OWN_HISTORY, POPULARITY
from pipelines.evaluation.served import RATES, ServedFigure

CONSOLE = Console()
SHOWN = (
    "ndcg", "recall", "hit_rate", "mrr", "map", "next_ndcg", "log_loss", "coverage", "novelty", "category_diversity",
    "miscalibration",
)  # fmt: skip
WORDS = {MODEL: "model", POPULARITY: "popularity", OWN_HISTORY: "own history"}


def print_evaluation(evaluation: Evaluation, page: Path | None) -> None:
    """A table for each version, one of what was served, and the gate's decision."""
    window = evaluation.window
    CONSOLE.print(
        f"{window.since:%Y-%m-%d %H:%M} to {window.as_of:%Y-%m-%d %H:%M} UTC, lists of {window.k}", highlight=False
    )
    if not evaluation.results:
        CONSOLE.print("no version to judge: `liveshelf train_model` makes the first", highlight=False)
    for result in evaluation.results:
        CONSOLE.print(_of_version(result), highlight=False)
    if evaluation.served:
        CONSOLE.print(_of_served(evaluation.served), highlight=False)
    for line in _ends(evaluation, page):
        CONSOLE.print(line, highlight=False, soft_wrap=True)


def _of_version(result: Result) -> Table | str:
    title = (
        f"\n{result.candidate.role} {result.number}"
        if result.candidate.role != "version"
        else f"\nversion {result.number}"
    )
    if result.choices is None:
        return f"{title}: not judged, for {result.not_judged}"
    choices = f"{len(result.choices):,} choices, whole catalogue, 95 % intervals over users"
    table = Table(box=None, header_style="bold", pad_edge=False, title_justify="left", title=f"{title}: {choices}")
    table.add_column("", no_wrap=True)
    for words in WORDS.values():
        table.add_column(words, no_wrap=True)
    for metric in SHOWN:
        own = [result.figure(ranking, metric) for ranking in WORDS]
        if any(own):
            table.add_row(metric, *map(_said, own))
    for segment in dict.fromkeys(figure.segment for figure in result.figures if figure.segment != ALL):
        table.add_row(f"ndcg {segment}", *(_said(result.figure(ranking, "ndcg", segment)) for ranking in WORDS))
    return table


def _of_served(served: Sequence[ServedFigure]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, title_justify="left", title="\nserved, of places seen")
    for column in ("source", "version", "seen", *RATES):
        table.add_column(column, no_wrap=True)
    by_row: dict[tuple[str, str], list[Figure]] = {}
    for each in served:
        if each.figure.segment == ALL:
            row = each.figure.ranking, "all" if each.version is None else str(each.version)
            by_row.setdefault(row, []).append(each.figure)
    for row, figures in by_row.items():
        table.add_row(*row, f"{figures[0].n:,}", *(_percent(figure) for figure in figures))
    return table


def _ends(evaluation: Evaluation, page: Path | None) -> Iterator[str]:
    decision = evaluation.decision
    if decision:
        would = "would say" if evaluation.is_dry_run else "says"
        of = f" of version {decision.challenger}" if decision.challenger else ""
        yield f"\nThe gate {would}{of}: {decision.outcome}; {decision.reason}"
    if evaluation.is_dry_run:
        yield "\nA dry run: nothing was changed or written."
    if page:
        yield f"\n{page}"


def _said(figure: Figure | None) -> str:
    if figure is None:
        return "–"
    return str(figure.interval) if figure.low is not None else f"{figure.value:.3f}"


def _percent(figure: Figure) -> str:
    interval = figure.interval
    return f"{interval.mean:.2%} [{interval.low:.2%}, {interval.high:.2%}]"
