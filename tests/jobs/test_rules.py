"""`liveshelf rules`: the suite listed, explained, checked and tried on a log."""

import gzip
import json
import re

import pytest
import yaml
from click.testing import CliRunner

from jobs import rules
from jobs.rules import main
from pipelines.events.suite import load_suite
from pipelines.local import dry_run
from tests.events.builders import SUITE, a_value

NOW_ISH = "2024-06-01T10:00:00Z"


@pytest.fixture
def run(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"lake_root": str(tmp_path), "validation": {"suite": str(SUITE)}}))

    def invoke(*arguments, code=0):
        result = CliRunner().invoke(main, [*map(str, arguments), "--config", str(config)], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return invoke


def a_suite(folder, **changes):
    """The shipped suite, with a changed rule price_in_range."""
    suite = json.loads(SUITE.read_text())
    (rule,) = [each for each in suite["expectations"] if each["meta"]["name"] == "price_in_range"]
    rule.update(changes)
    path = folder / "changed.json"
    path.write_text(json.dumps(suite))
    return path


def test_every_rule_is_listed_with_its_reason(run):
    said = run("list").output
    unwrapped = " ".join(said.split())

    for rule in load_suite(SUITE):
        assert rule.name in said and " ".join(rule.because.split()) in unwrapped
    assert "price_in_range  quarantine, stream, column_values_to_be_between(price)" in said
    assert "event_not_late  warn, stream" in said
    assert re.search(r"\d+ rules, ruleset [0-9a-f]{16}\n$", said)


def test_a_rule_about_many_rows_is_the_audits(run, tmp_path):
    meta = {"name": "price_in_range", "severity": "warn", "because": "b"}
    suite = a_suite(
        tmp_path, type="expect_column_mean_to_be_between", kwargs={"column": "price", "min_value": 1}, meta=meta
    )

    assert "price_in_range  warn, audit, column_mean_to_be_between(price)" in run("list", "--suite", suite).output
    assert "no row is put aside, for the rule is about many rows" in " ".join(
        run("explain", "price_in_range", "--suite", suite).output.split()
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("price_in_range", "price values must be greater than or equal to 0.0 and less than or equal to"),
        ("price_in_range", "A missing value passes"),
        ("price_in_range", "A record that breaks it goes to `quarantine`"),
        ("query_present", "If event_type IN (search), then query values must never be null."),
        ("query_present", "A missing value breaks it."),
        ("event_not_late", "A record that breaks it passes, and carries the rule's name in `events.warnings`"),
    ],
)
def test_a_rule_is_explained_in_words(run, name, says):
    assert says in " ".join(run("explain", name).output.split())


def test_an_unknown_rule_gets_the_nearest_name(run):
    assert "no rule 'price_in_rage'; did you mean 'price_in_range'?" in run("explain", "price_in_rage", code=1).output


@pytest.mark.spark
def test_the_compiled_condition_can_be_seen(spark, run):
    said = " ".join(run("explain", "price_in_range", "--compiled").output.split())

    assert re.search(r"compiled .*\(price >= 0\.0\) AND \(price <= ", said), said


@pytest.mark.spark
def test_check_says_what_was_compiled(spark, run):
    assert re.search(r"clickstream\.json: \d+ rules for the stream, ruleset [0-9a-f]{16}", run("check").output)


@pytest.mark.spark
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kwargs": {"column": "prise", "min_value": 0}}, "rule 'price_in_range': there is no column 'prise'"),
        ({"type": "expect_column_values_to_be_unique", "kwargs": {"column": "price"}}, "'price_in_range': .* cannot quarantine"),
        ({"type": "expect_miracles"}, "rule 'price_in_range': Great Expectations refuses it"),
    ],
)  # fmt: skip
def test_a_suite_that_cannot_be_used_is_explained_by_the_rules_name(spark, run, tmp_path, changes, says):
    assert re.search(says, run("check", "--suite", a_suite(tmp_path, **changes), code=1).output)


@pytest.mark.spark
def test_a_log_is_tried_and_nothing_is_written(spark, run, tmp_path, monkeypatch):
    monkeypatch.setattr(dry_run, "CHUNK_LINES", 2)  # several chunks
    log = tmp_path / "events.jsonl.gz"
    lines = [a_value(event_time=NOW_ISH), a_value(price=-1, position=-1), b"{", a_value(price=-2), a_value()]
    log.write_bytes(gzip.compress(b"\n".join(lines) + b"\n"))
    before = sorted(tmp_path.rglob("*"))

    result = json.loads(run("try", log, "--format", "jsonl", "--json").stdout)

    assert (result["n_lines"], result["n_accepted"], result["n_quarantined"]) == (5, 2, 3)
    assert {name: (f["n_lines"], f["line_number"]) for name, f in result["quarantined"].items()} == {
        "price_in_range": (2, 2),
        "position_in_range": (1, 2),
        "record_parseable": (1, 3),
    }
    assert result["quarantined"]["record_parseable"]["excerpt"] == "{"
    assert result["warned"]["event_not_late"]["n_lines"] == 4 and result["warned"]["event_not_late"]["line_number"] == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.spark
def test_a_real_format_is_tried_with_another_suite_and_a_limit(spark, run, tmp_path):
    header = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session"
    rows = [f"2019-10-01 00:00:0{n} UTC,view,{n},2,toys.\x1b[1m,b,{n - 1}.5,u{n},s" for n in range(4)]
    log = tmp_path / "2019.csv"
    log.write_text("\n".join([header, *rows]) + "\n")
    suite = a_suite(tmp_path, kwargs={"column": "price", "min_value": 1.0})

    said = run("try", log, "--format", "rees46", "--suite", suite, "--limit", 3).output

    assert "3 lines: 1 accepted, 2 for the quarantine" in said
    assert "quarantined by price_in_range: 2 lines, the first is number 1\n    2019-10-01 00:00:00 UTC,view" in said
    assert "\x1b[1m" not in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere.csv", "--format", "jsonl"), "nowhere.csv: no such file or folder"),
        (("nowhere.csv", "--format", "jsnl"), "unknown log format 'jsnl'; did you mean 'jsonl'?"),
    ],
)
def test_what_cannot_be_tried_is_told_before_spark_starts(run, monkeypatch, arguments, says):
    monkeypatch.setattr(rules, "job_session", None)
    assert says in run("try", *arguments, code=1).output
