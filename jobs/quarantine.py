"""Work through the quarantine: look at broken records, and send again what a corrected rule or a fix accepts.

\b
    liveshelf quarantine stats                                      how much waits, by rule
    liveshelf quarantine list --rule event_time_not_ancient         the newest of one kind
    liveshelf quarantine show 3fa9c1                                all of one record
    liveshelf quarantine replay --rule event_time_not_ancient --fix examples.fixes:seconds_to_milliseconds

\b
Reads   {lake_root}/quarantine, {lake_root}/replays; the rules in conf/expectations/clickstream.json
Writes  `replay` only: Kafka topic `clickstream`, {lake_root}/replays, {lake_root}/rule_sets
"""

import sys
from datetime import datetime, timedelta, timezone

import click

from jobs._fix import load_fix
from jobs._notices import notice
from jobs._options import config_option
from jobs._quarantine_texts import print_counts, print_record, print_rows, print_second_look
from jobs._resending import Resending
from jobs._rule_names import check_rule_name
from pipelines.config import Config
from pipelines.events.rules import classify
from pipelines.events.second_look import summarize
from pipelines.events.suite import load_suite, ruleset_id
from pipelines.local.addresses import with_running_servers
from pipelines.sources.quarantine import count_rows, find_record, newest_rows


@click.group(help=__doc__)
def main() -> None:
    pass


@main.command("list")
@config_option
@click.option("--rule", help="Only records that broke this rule.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Only records that came on this day (UTC).")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="So many at most.")
@click.option("--all", "with_replayed", is_flag=True, help="Replayed ones too.")
def list_records(config: Config, rule: str | None, day: datetime | None, limit: int, with_replayed: bool) -> None:
    """The newest records that wait, one line each."""
    rows = newest_rows(
        config.lake_root, limit=limit, rule=rule, day=day.date() if day else None, with_replayed=with_replayed
    )
    if not rows:
        if rule:
            _check_rule(config, rule)
        kind = "record" if with_replayed else "open record"
        click.echo(f"no {kind} in {config.table('quarantine')}{f' broke {rule}' if rule else ''}")
        return
    print_rows(rows, _now())


@main.command("show")
@click.argument("record_id")
@config_option
@click.option("--raw", is_flag=True, help="Only the bytes of the record, as they came.")
def show_record(config: Config, record_id: str, raw: bool) -> None:
    """All of one record: where it came from, what it breaks and why that is a rule, its bytes.

    RECORD_ID is the id that `list` shows, or the beginning of it.
    """
    row = find_record(config.lake_root, record_id)
    if raw:
        click.echo(row["value"] or b"", nl=False)
        return
    rules = load_suite(config.validation.suite)
    of_one_row, _ = classify(rules)
    print_record(row, {rule.name: rule.because for rule in rules}, ruleset_id(of_one_row), _now())


@main.command("stats")
@config_option
@click.option("--days", type=click.IntRange(min=1), help="Only the last so many days (UTC), today included.")
def show_stats(config: Config, days: int | None) -> None:
    """How many records wait and how many were replayed: by rule, by day, by the rules that judged them."""
    since = _now().date() - timedelta(days=days - 1) if days else None
    print_counts(count_rows(config.lake_root, since), [rule.name for rule in load_suite(config.validation.suite)])


@main.command("replay")
@config_option
@click.option("--rule", required=True, help="Take the open records that broke this rule.")
@click.option("--fix", "fix_name", help="module:function that mends their bytes, from a package or the current folder.")
@click.option("--limit", type=click.IntRange(min=1), help="Try the oldest so many. Default: all.")
@click.option("--dry-run", is_flag=True, help="Only say what would happen: nothing is sent or written.")
def replay_records(config: Config, rule: str, fix_name: str | None, limit: int | None, dry_run: bool) -> None:
    """Send again, once, what the suite of today accepts, and record it in the table `replays`.

    With --fix the bytes go through a Python function first: `fix(value: bytes) -> bytes | None`, None to leave a record
    alone. What still breaks a rule stays open. Interrupted, run it again: what was planned is sent first, with the same
    bytes and event ids, so that each record becomes one event.
    """
    fix = load_fix(fix_name) if fix_name else None
    _check_rule(config, rule)
    resending = Resending.start(config if dry_run else with_running_servers(config), _now())
    if not dry_run:
        resending.refuse_under_other_rules()
        _tell_unfinished(*resending.send_planned())
    judged = resending.judge_open(rule, fix, limit)
    look = summarize(judged)
    print_second_look(look, rule)
    if dry_run:
        click.echo("dry run: nothing was sent or written")
        return
    n_sent = 0
    if look.n_accepted:
        resending.plan(judged, rule, fix_name)
        n_sent, _ = resending.send_planned()
    click.echo(f"{n_sent:,} sent to topic '{config.kafka.topic}', and recorded in {config.table('replays')}")


def _check_rule(config: Config, rule: str) -> None:
    """A rule that the suite no longer has may still have broken records."""
    names = {each.name for each in load_suite(config.validation.suite)}
    check_rule_name(rule, names if rule in names else names | count_rows(config.lake_root).by_rule.keys())


def _tell_unfinished(n_sent: int, n_kept_back: int) -> None:
    if n_sent:
        click.echo(f"an earlier run had planned {n_sent:,} records and was interrupted: they are sent now")
    if n_kept_back:
        notice(
            f"{n_kept_back:,} records that an earlier run had planned are kept back: today's rules refuse them. They are "
            "sent when a suite accepts them again",
            "yellow",
        )


def _now() -> datetime:
    return datetime.now(timezone.utc)


if __name__ == "__main__":
    sys.exit(main())
