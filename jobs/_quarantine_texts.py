"""How the quarantine is shown to people."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.events.second_look import ACCEPTED, FAILED, LEFT_ALONE, REFUSED, Example, SecondLook
from pipelines.sources.quarantine import OpenCount, QuarantineCounts, Row

SHORT_ID = 12  # characters: enough to tell a hundred million records apart, mostly
SHOWN_CHARACTERS = 2_000
CONSOLE = Console()

_MEANING = {
    ACCEPTED: "today's rules accept them",
    REFUSED: "they still break a rule, and stay open",
    LEFT_ALONE: "the fix gave back None; they stay open",
    FAILED: "the fix failed on them; they stay open",
}


def print_rows(rows: list[Row], now: datetime) -> None:
    """Two lines a record, newest first: which it is and what it breaks; how it begins."""
    for row in rows:
        came = f"{_utc(row['ingest_time'])}, {age(row['ingest_time'], now)} ago"
        size = "no value" if row["value_bytes"] is None else f"{row['value_bytes']:,} bytes"
        rules = ", ".join(row["rules"]) + ("" if row["is_open"] else " (replayed)")
        head = Text.assemble((row["record_id"][:SHORT_ID], "bold"), f"  {came}  {size}  ", (rules, "red"))
        CONSOLE.print(head, soft_wrap=True)
        CONSOLE.print(Text(f"    {as_text(row['excerpt'] or b'')}", style="dim"), soft_wrap=True)


def print_record(row: Row, because: Mapping[str, str], todays_ruleset: str, now: datetime) -> None:
    """All that is known of one record; its bytes as text, escaped where they are none."""
    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_row("record", row["record_id"])
    grid.add_row("came", f"{_utc(row['ingest_time'])} UTC, {age(row['ingest_time'], now)} ago")
    grid.add_row("from", Text(f"{row['topic']}, partition {row['partition']}, offset {row['offset']}"))
    for rule in row["rules"]:
        grid.add_row("breaks", Text.assemble((rule, "bold"), f": {because.get(rule, 'not a rule of today')}"))
    grid.add_row("judged by", _judged_by(row.get("ruleset"), todays_ruleset))
    grid.add_row("key", Text("none" if row["key"] is None else as_text(row["key"])))
    grid.add_row("replayed", Text(_replayed(row["replay"])))
    CONSOLE.print(grid)
    CONSOLE.print(_value(row["value"]), soft_wrap=True)


def print_counts(counts: QuarantineCounts, suite: Iterable[str]) -> None:
    """Three tables and the total. The rules come in the order of the suite; those that nothing broke are left out."""
    total = counts.total
    if not total.n_rows:
        CONSOLE.print("no record is in quarantine")
        return
    known = {rule: counts.by_rule[rule] for rule in suite if rule in counts.by_rule}
    _print_table("rule", known | counts.by_rule)
    _print_table("day", dict(sorted(counts.by_day.items(), reverse=True)))
    _print_table("ruleset", counts.by_ruleset)
    CONSOLE.print(
        f"{total.n_rows:,} records: {total.n_open:,} open, {total.n_replayed:,} replayed. "
        "A record that breaks two rules counts for both.",
        highlight=False,
    )


def print_second_look(look: SecondLook, rule: str) -> None:
    """What became of the records that broke `rule`, and why some stay."""
    if not look.n_tried:
        CONSOLE.print(f"no open record broke {rule}", highlight=False)
        return
    CONSOLE.print(f"open records that broke {rule}: {look.n_tried:,}", highlight=False)
    table = Table(box=None, show_header=False, pad_edge=False)
    for outcome, meaning in _MEANING.items():
        if n := look.n_by_outcome.get(outcome):
            table.add_row(f"{n:>9,}", outcome.replace("_", " "), meaning)
    CONSOLE.print(table)
    _print_examples("breaks now", look.broken)
    _print_examples("error of the fix", look.errors)


def age(then: datetime, now: datetime) -> str:
    """How long ago, in the unit that fits: "3 days"."""
    seconds = max((now - then.astimezone(timezone.utc)).total_seconds(), 0)
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def as_text(value: bytes) -> str:
    r"""UTF-8 where it is, `\xff` where not; what a terminal would obey is escaped as well."""
    text = value.decode("utf-8", errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _print_table(what: str, counts: Mapping[Any, OpenCount]) -> None:
    table = Table(what, "open", "replayed", box=None, header_style="bold", pad_edge=False)
    for name, count in counts.items():
        table.add_row(str(name or "not recorded"), f"{count.n_open:,}", f"{count.n_replayed:,}")
    for column in table.columns[1:]:
        column.justify = "right"
    CONSOLE.print(table)
    CONSOLE.print()


def _print_examples(what: str, examples: list[Example]) -> None:
    if not examples:
        return
    table = Table(what, "records", "for example", box=None, header_style="bold", pad_edge=False)
    for example in examples:
        table.add_row(Text(example.what), f"{example.n_records:,}", example.record_id[:SHORT_ID])
    CONSOLE.print(table)


def _judged_by(ruleset: str | None, todays: str) -> str:
    if ruleset is None:
        return "rules that were not recorded"
    return f"{ruleset}, the rules of today" if ruleset == todays else f"{ruleset}; today's rules are {todays}"


def _replayed(replay: Row | None) -> str:
    if replay is None:
        return "no, it is open"
    by = f"with {replay['fix']}" if replay["fix"] else "as it came"
    sent = f"sent {_utc(replay['sent_at'])} UTC" if replay["sent_at"] else "planned, not known to be sent"
    return f"{by}, {sent}, as event {replay['event_id']}"


def _value(value: bytes | None) -> Text:
    if value is None:
        return Text("it has no value")
    text = as_text(value)
    if len(text) <= SHOWN_CHARACTERS:
        return Text(text)
    rest = f"… and more, {len(value):,} bytes in all; --raw gives all of them"
    return Text.assemble(text[:SHOWN_CHARACTERS], "\n", (rest, "dim"))


def _utc(instant: datetime) -> str:
    return instant.astimezone(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
