"""`quarantine list`, `show` and `stats`: what they find, and how they say it."""

from datetime import date

import pytest
import yaml
from click.testing import CliRunner

from jobs import _resending
from jobs.quarantine import main
from pipelines.errors import InputError
from pipelines.sources.quarantine import EXCERPT_BYTES, count_rows, find_record, newest_rows
from tests.events.builders import SUITE
from tests.quarantine.rows import quarantined, replayed, write_quarantine, write_replays

DAY_MINUTES = 24 * 60


def ids(lake, **asked):
    return [row["record_id"] for row in newest_rows(str(lake), **{"limit": 20} | asked)]


@pytest.fixture
def run(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"lake_root": str(tmp_path), "validation": {"suite": str(SUITE)}}))

    def invoke(*arguments):
        return CliRunner().invoke(main, [*arguments, "--config", str(config)])

    return invoke


def test_the_newest_come_first_over_days_and_commits(tmp_path):
    write_quarantine(tmp_path, quarantined("b", minutes=2), quarantined("d", minutes=DAY_MINUTES))
    write_quarantine(tmp_path, quarantined("c", minutes=3), quarantined("a", minutes=1))

    assert ids(tmp_path) == ["d", "c", "b", "a"]
    assert ids(tmp_path, limit=2) == ["d", "c"]


def test_only_what_was_asked_for_is_listed(tmp_path):
    write_quarantine(
        tmp_path,
        quarantined("a", "user_present", "price_in_range"),
        quarantined("b", "user_present", minutes=1),
        quarantined("c", "price_in_range", minutes=DAY_MINUTES),
    )

    assert ids(tmp_path, rule="price_in_range") == ["c", "a"]
    assert ids(tmp_path, day=date(2024, 6, 1)) == ["b", "a"]
    assert ids(tmp_path, day=date(2024, 6, 3)) == []


def test_what_is_replayed_or_planned_is_not_open(tmp_path):
    write_quarantine(tmp_path, *[quarantined(name, minutes=n) for n, name in enumerate("abc")])
    write_replays(tmp_path, replayed("a"), replayed("b", sent_at=None))

    assert ids(tmp_path) == ["c"]
    assert ids(tmp_path, with_replayed=True) == ["c", "b", "a"]


def test_of_the_bytes_no_more_than_the_beginning_is_read(tmp_path):
    write_quarantine(tmp_path, quarantined("a", value=b"x" * 100_000), quarantined("b", value=None, minutes=-1))

    first, second = newest_rows(str(tmp_path), limit=2)

    assert (first["excerpt"], first["value_bytes"]) == (b"x" * EXCERPT_BYTES, 100_000)
    assert (second["excerpt"], second["value_bytes"]) == (None, None)
    assert "value" not in first


def test_days_that_are_not_needed_are_not_read(tmp_path):
    write_quarantine(tmp_path, quarantined("old"), quarantined("new", minutes=DAY_MINUTES))
    for data in (tmp_path / "quarantine/ingest_date=2024-06-01").glob("*.parquet"):
        data.write_bytes(b"unreadable")

    assert ids(tmp_path, limit=1) == ["new"]


def test_a_row_that_breaks_two_rules_counts_for_both_and_once_in_the_total(tmp_path):
    write_quarantine(tmp_path, quarantined("a", "r", "s"), quarantined("b", "s", ruleset=None, minutes=DAY_MINUTES))
    write_replays(tmp_path, replayed("a"))

    counts = count_rows(str(tmp_path))

    assert (counts.total.n_open, counts.total.n_replayed, counts.total.n_rows) == (1, 1, 2)
    assert {rule: (c.n_open, c.n_replayed) for rule, c in counts.by_rule.items()} == {"r": (0, 1), "s": (1, 1)}
    assert {day.day: (c.n_open, c.n_replayed) for day, c in counts.by_day.items()} == {1: (0, 1), 2: (1, 0)}
    assert {name: c.n_rows for name, c in counts.by_ruleset.items()} == {"0123456789abcdef": 1, None: 1}
    assert count_rows(str(tmp_path), since=date(2024, 6, 2)).total.n_rows == 1


def test_a_record_is_found_by_the_beginning_of_its_id(tmp_path):
    write_quarantine(tmp_path, quarantined("abc1"), quarantined("abd2"))
    write_replays(tmp_path, replayed("abd2", fix="m:f"))

    assert find_record(str(tmp_path), "ABC")["record_id"] == "abc1"
    assert find_record(str(tmp_path), "abc")["replay"] is None
    assert find_record(str(tmp_path), "abd2")["replay"]["fix"] == "m:f"
    with pytest.raises(InputError, match=r"beginning of 2 records, give more of it:\n  abc1\n  abd2"):
        find_record(str(tmp_path), "ab")
    with pytest.raises(InputError, match="no quarantined record 'x'"):
        find_record(str(tmp_path), "x")


def test_the_same_bytes_kept_twice_are_one_record(tmp_path):
    write_quarantine(tmp_path, quarantined("a", offset=1), quarantined("a", offset=2, minutes=8 * DAY_MINUTES))

    assert find_record(str(tmp_path), "a")["offset"] == 2


def test_nothing_is_no_error(tmp_path, run):
    assert run("list").output == f"no open record in {tmp_path}/quarantine\n"
    assert run("stats").output == "no record is in quarantine\n"


def test_show_says_why_and_what_became_of_it(tmp_path, run):
    write_quarantine(tmp_path, quarantined("abc", "price_in_range", "gone_rule", value=b'{"price":-1}'))
    write_replays(tmp_path, replayed("abc", fix="m:f"))

    said = " ".join(run("show", "a").output.split())

    assert "price_in_range: A price is 0 or more" in said and "gone_rule: not a rule of today" in said
    assert "0123456789abcdef; today's rules are " in said
    assert "with m:f, sent 2024-06-01 12:00:00 UTC, as event e-1" in said
    assert said.endswith('{"price":-1}')


def test_what_a_terminal_would_obey_is_escaped(tmp_path, run):
    write_quarantine(tmp_path, quarantined("abc", value=b"\x1b[31m[bold]caf\xe9 \xc3\xa9\r\n", key=b"\x07"))

    for said in (run("show", "abc").output, run("list").output):
        assert r"\x1b[31m[bold]caf\xe9 é\r\n" in said
        assert "\x1b" not in said and "\x07" not in said


def test_the_raw_bytes_are_given_as_they_came(tmp_path, run):
    write_quarantine(tmp_path, quarantined("abc", value=b"\x00\xff\n"))

    assert run("show", "abc", "--raw").stdout_bytes == b"\x00\xff\n"


def test_a_large_record_is_cut_and_says_so(tmp_path, run):
    write_quarantine(tmp_path, quarantined("abc", value=b"x" * 5_000))

    assert "5,000 bytes in all; --raw gives all of them" in run("show", "abc").output


@pytest.mark.parametrize("command", ["list", "replay"])
def test_a_rule_that_nobody_knows_is_told_before_anything_starts(run, monkeypatch, command):
    monkeypatch.setattr(_resending, "job_session", None)
    result = run(command, "--rule", "price_in_rang")

    assert result.exit_code == 1
    assert "no rule 'price_in_rang'; did you mean 'price_in_range'?" in result.output


def test_a_rule_that_the_suite_no_longer_has_is_known_by_its_records(tmp_path, run):
    write_quarantine(tmp_path, quarantined("abc", "gone_rule"))
    write_replays(tmp_path, replayed("abc"))

    assert run("list", "--rule", "gone_rule").output == f"no open record in {tmp_path}/quarantine broke gone_rule\n"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("price", "expected module:function"),
        ("no_such_module:f", "no module 'no_such_module', neither installed nor in "),
        ("examples.fixes.deeper:f", "no module 'examples.fixes.deeper'"),
        ("examples.fixes:f", "there is no 'f' in "),
        ("examples.fixes:f", "It has: comma_in_price, seconds_to_milliseconds, complete_type"),
        ("examples.fixes:_TYPES", "'_TYPES' is a tuple, expected a function of bytes"),
    ],
)
def test_what_is_wrong_with_a_fix_is_named(run, name, says):
    result = run("replay", "--rule", "price_in_range", "--fix", name)

    assert result.exit_code == 1
    assert says in result.output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import no_such_thing", "needs a module that is missing: No module named 'no_such_thing'"),
        ("def f(:", "cannot be imported: SyntaxError"),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
        ("x = 1", "It has no functions"),
    ],
)
def test_a_module_in_the_current_folder_that_cannot_be_imported_says_why(tmp_path, monkeypatch, run, text, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    name = f"fix_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)

    result = run("replay", "--rule", "price_in_range", "--fix", f"{name}:f")

    assert result.exit_code == 1
    assert says in result.output
