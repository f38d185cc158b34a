"""The finite audit: the tables as the stream left them, wrong verdicts in them, and hours that alert."""

import json
from datetime import timedelta

import pytest
import yaml
from click.testing import CliRunner
from deltalake import DeltaTable

from jobs import audit_events
from pipelines.audit.recorded import checked_events, checked_quarantine, filed_since
from pipelines.events.parse import parse_records
from pipelines.events.rules import compile_rules
from pipelines.schemas import Contract
from pipelines.sinks.delta import EventTables
from pipelines.sources.delta import read_table
from tests.audit.builders import AS_OF, judged
from tests.events.builders import SUITE, a_value, kafka_records
from tests.events.test_dirty_records import CASES

pytestmark = pytest.mark.spark

LATE = a_value(event_id="late", event_time="2024-06-01T03:00:00Z")


@pytest.fixture(scope="module")
def rules(spark):
    return compile_rules(spark, SUITE, Contract().checked)


class Lake:
    def __init__(self, spark, rules, root):
        self.spark, self.rules, self.root = spark, rules, root
        self.config = root / "config.yaml"
        hours = SUITE.with_name("clickstream_hours.json")
        validation = {"suite": str(SUITE), "hourly_suite": str(hours), "data_docs_root": str(root / "docs")}
        self.config.write_text(yaml.safe_dump({"lake_root": str(root / "lake"), "validation": validation}))

    def file(self, values):
        tables = EventTables(self.path("events"), self.path("quarantine"), 10.0, 7)
        tables(judged(self.spark, self.rules, values), 0)

    def path(self, name):
        return str(self.root / "lake" / name)

    def table(self, name):
        return read_table(self.spark, self.path(name), name)

    def audit(self, *options):
        arguments = ["--config", str(self.config), "--json", *options]
        return CliRunner().invoke(audit_events.main, arguments, catch_exceptions=False)

    def add_rule(self, kind, name, **arguments):
        suite = json.loads(SUITE.read_text())
        meta = {"name": name, "severity": "warn", "because": "a test"}
        suite["expectations"].append({"type": kind, "kwargs": arguments, "meta": meta})
        path, settings = self.root / "suite.json", yaml.safe_load(self.config.read_text())
        path.write_text(json.dumps(suite))
        settings["validation"]["suite"] = str(path)
        self.config.write_text(yaml.safe_dump(settings))

    def change(self, name, change, where):
        self.spark.sql(f"UPDATE delta.`{self.path(name)}` SET {change} WHERE {where}")


@pytest.fixture
def lake(spark, rules, tmp_path):
    return Lake(spark, rules, tmp_path)


def distinct_cases():
    """All kinds of dirt, each event with an id of its own where its id is not the dirt."""
    return [
        value.replace(b'"event_id": "e-1"', f'"event_id": "e-{n}"'.encode()) if value else value
        for n, (value, _) in enumerate(CASES.values())
    ]


def test_rows_of_the_tables_are_what_the_rules_once_saw(spark, lake):
    values = [*distinct_cases(), LATE]
    lake.file(values)

    seen = parse_records(kafka_records(spark, values)).drop("key", "value")
    events, quarantine = checked_events(lake.table("events")), lake.table("quarantine")
    again = events.select(seen.columns).unionByName(checked_quarantine(quarantine, Contract()))

    assert again.count() > len(values) / 2
    assert again.exceptAll(seen).count() == 0


def test_recorded_verdicts_are_those_of_gx_and_the_result_is_kept(lake):
    lake.file([*distinct_cases(), LATE])

    result = lake.audit("--days", "5000")

    found = json.loads(result.stdout)
    assert (result.exit_code, found["is_well"]) == (1, False)  # the newest event is of 2024
    tables, hours = found["audits"]
    assert (tables["kind"], tables["engine"], tables["verdict"]) == ("tables", "spark", "well")
    counts = {rule["rule"]: (rule["n_unexpected_gx"], rule["n_unexpected_compiled"]) for rule in tables["rules"]}
    assert all(n_gx == n_compiled for n_gx, n_compiled in counts.values())
    assert counts["event_not_late"][0] >= 1 and counts["record_parseable"][0] >= 20
    assert [rule["rule"] for rule in hours["rules"] if rule["is_success"] is False] == [
        "events_fresh",
        "events_not_stale",
    ]
    kept = DeltaTable(lake.path("audits")).to_pyarrow_table().to_pylist()
    assert {row["audit_id"] for row in kept} == {tables["audit_id"], hours["audit_id"]}
    assert len(kept) == len(tables["rules"]) + len(hours["rules"])
    assert len(list((lake.root / "docs").rglob("*.html"))) == 3


def test_a_recorded_verdict_that_gx_does_not_share_is_named(lake):
    lake.file([LATE, a_value(event_id="fine"), a_value(event_id="x", price=-1)])
    lake.change("events", "warnings = array()", "event_id = 'late'")
    lake.change("quarantine", "rules = array('user_present')", "true")

    result = lake.audit()

    assert result.exit_code == 1
    for difference in (
        "event_not_late: Great Expectations counts 1 and the compiled rule 0",
        "price_in_range: Great Expectations counts 1 and the compiled rule 0",
        "user_present: Great Expectations counts 0 and the compiled rule 1",
    ):
        assert difference in result.stderr
    assert json.loads(result.stdout)["audits"][0]["verdict"] == "differs"


def test_rows_that_other_rules_judged_are_counted_and_left_out(lake):
    lake.file([a_value(event_id="old"), a_value(event_id="new"), a_value(event_id="x", price=-1), b"{"])
    lake.change("events", "ruleset = 'older', price = -1", "event_id = 'old'")
    lake.change("quarantine", "ruleset = NULL", "array_contains(rules, 'record_parseable')")

    tables = json.loads(lake.audit().stdout)["audits"][0]

    assert (tables["verdict"], tables["n_rows"]) == ("well", 2)
    assert "2 rows that other rules judged" in tables["scope"]


def test_days_leave_older_rows_out(spark):
    rows = spark.createDataFrame([(AS_OF - timedelta(days=days),) for days in (0, 1, 2, 3)], "ingest_time timestamp")

    assert [filed_since(rows, AS_OF, days).count() for days in (None, 2, 0.5)] == [4, 3, 1]


def test_tables_that_are_not_there_are_no_fault(lake):
    result = lake.audit()

    assert result.exit_code == 0, result.stderr
    assert [audit["verdict"] for audit in json.loads(result.stdout)["audits"]] == ["well", "well"]


def test_fresh_tables_end_with_code_0_though_a_rule_about_many_rows_warns(lake):
    lake.file([a_value(), b"{"])
    for name in ("events", "quarantine"):
        lake.change(name, "ingest_time = current_timestamp()", "true")
    lake.change("events", "event_time = current_timestamp(), lateness_seconds = 0", "true")
    lake.add_rule("expect_table_row_count_to_be_between", "many_events", min_value=1000)

    result = lake.audit()

    tables, hours = json.loads(result.stdout)["audits"]
    assert (result.exit_code, tables["verdict"], hours["verdict"]) == (0, "warning", "well"), result.stderr
    (many,) = [rule for rule in tables["rules"] if rule["rule"] == "many_events"]
    assert (many["observed"], many["is_success"], many["is_equal"]) == ("1", False, None)
