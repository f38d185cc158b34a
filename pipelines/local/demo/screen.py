"""What a person sees of the demo: a live screen in a terminal, a line now and then elsewhere."""

import time
from collections import deque

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pipelines.lists.document import PublishedList
from pipelines.local.demo.checks import Check
from pipelines.local.demo.watch import Observation

RATE_SECONDS = 5.0  # rates are over the last so many seconds
LINE_SECONDS = 5.0  # between two lines where there is no terminal


class Screen:
    """`with Screen(console) as screen: screen.show(observation, "sending …")`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._sent: deque[tuple[float, int]] = deque()
        self._last_line = 0.0

    def __enter__(self) -> "Screen":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, now: Observation, doing: str) -> None:
        """Draw, or print a line when it is time for one."""
        rate = self._rate(now.n_sent)
        if self._live:
            self._live.update(Group(Text(doing, style="bold"), figures(now, rate), featured(now)))
        elif time.monotonic() - self._last_line >= LINE_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(one_line(now, rate, doing), highlight=False)

    def _rate(self, n_sent: int) -> float:
        now = time.monotonic()
        self._sent.append((now, n_sent))
        while now - self._sent[0][0] > RATE_SECONDS:
            self._sent.popleft()
        seconds = now - self._sent[0][0]
        return (n_sent - self._sent[0][1]) / seconds if seconds else 0.0


def figures(now: Observation, rate: float) -> RenderableType:
    """The counts, and the quarantine by rule."""
    counts = Table.grid(padding=(0, 2))
    counts.add_row("events sent", f"{now.n_sent:,}", f"{rate:,.0f}/s")
    counts.add_row("  filed in Delta", f"{now.n_committed['validate_events']:,}", "valid, quarantined or duplicate")
    counts.add_row("  through the hot path", f"{now.n_committed['personalize']:,}")
    counts.add_row("users with a profile", f"{now.n_users:,}")
    counts.add_row("lists refreshed", f"{now.figure('personalize', 'n_lists'):,}")
    counts.add_row("event → list", _lag(now), "p50 / p99 of the last 5,000")
    rules = Table.grid(padding=(0, 2))
    for rule, count in _by_count(now):
        rules.add_row(rule, f"{count:,}")
    title = f"broken records: {now.figure('validate_events', 'n_quarantined'):,}, by rule"
    return Columns([Panel(counts, title="stream", title_align="left"), Panel(rules, title=title, title_align="left")])


def featured(now: Observation, clicks: list[tuple[str, str]] | None = None) -> RenderableType:
    """One user's list: the first that was made, and the present one."""
    if not now.featured_lists:
        return Panel("no list yet", title=f"user {now.featured_user}", title_align="left")
    parts: list[RenderableType] = [_ranking(now.featured_lists[0], "first list", set())]
    if clicks:
        log = Table("then", "", title=None, box=None, header_style="bold")
        for kind, item in clicks[-len(now.featured_lists[-1].items) :]:
            log.add_row(kind, item)
        parts.append(log)
    if len(now.featured_lists) > 1:
        parts.append(
            _ranking(
                now.featured_lists[-1], f"now (version {len(now.featured_lists)})", set(now.featured_lists[0].items)
            )
        )
    return Panel(Columns(parts, padding=(0, 4)), title=f"user {now.featured_user}", title_align="left")


def one_line(now: Observation, rate: float, doing: str) -> str:
    """The same in a log."""
    return (
        f"{doing}  sent {now.n_sent:,} ({rate:,.0f}/s)  filed {now.n_committed['validate_events']:,}  "
        f"broken {now.figure('validate_events', 'n_quarantined'):,}  users {now.n_users:,}  "
        f"lists {now.figure('personalize', 'n_lists'):,}  event → list {_lag(now)}"
    )


def verdict(checks: list[Check]) -> RenderableType:
    """The promises, kept or not."""
    table = Table.grid(padding=(0, 2))
    for check in checks:
        table.add_row("[green]✓[/]" if check.is_kept else "[red]✗[/]", check.promise, check.found)
    return Panel(table, title="checked", title_align="left")


def _ranking(published: PublishedList, title: str, known: set[str]) -> Table:
    table = Table("", title, box=None, header_style="bold")
    for rank, item in enumerate(published.items, 1):
        table.add_row(str(rank), item, style="green" if known and item not in known else "")
    return table


def _lag(now: Observation) -> str:
    p50, p99 = (now.figure("personalize", name, None) for name in ("lag_p50_ms", "lag_p99_ms"))
    return "–" if p50 is None else f"{p50:,.0f} / {p99:,.0f} ms"


def _by_count(now: Observation) -> list[tuple[str, int]]:
    by_rule = now.figure("validate_events", "quarantined_by_rule", {})
    return sorted(by_rule.items(), key=lambda pair: (-pair[1], pair[0]))
