import json

import pytest
from great_expectations.core import ExpectationSuite

from pipelines.errors import RuleError
from pipelines.events.parse import MAX_PARSED_BYTES
from pipelines.events.suite import QUARANTINE, load_suite
from tests.events.builders import SUITE

NAMES = [
    "record_within_size",
    "record_parseable",
    "event_id_present",
    "event_id_well_formed",
    "event_type_known",
    "user_present",
    "user_well_formed",
    "session_id_well_formed",
    "event_time_present",
    "event_time_not_ahead",
    "event_time_not_ancient",
    "item_id_present",
    "item_id_well_formed",
    "query_present",
    "price_in_range",
    "quantity_in_range",
    "currency_well_formed",
    "position_in_range",
    "event_not_late",
]
WARNING = {"event_not_late"}
RULE = {
    "type": "expect_column_values_to_not_be_null",
    "kwargs": {"column": "a"},
    "meta": {"name": "a_present", "severity": "quarantine", "because": "a test"},
}


def write(tmp_path, *rules):
    path = tmp_path / "suite.json"
    path.write_text(json.dumps({"name": "s", "expectations": list(rules), "meta": {}}))
    return path


def changed(**meta):
    return RULE | {"meta": {key: value for key, value in (RULE["meta"] | meta).items() if value is not ...}}


def test_the_suite_has_these_rules():
    assert [rule.name for rule in load_suite(SUITE)] == NAMES
    assert {rule.name for rule in load_suite(SUITE) if rule.severity != QUARANTINE} == WARNING


def test_the_suite_file_is_what_great_expectations_writes():
    stored = json.loads(SUITE.read_text())

    written = ExpectationSuite(**stored).to_json_dict()

    assert {key: written[key] for key in stored} == stored


def test_no_record_within_the_size_limit_is_left_unparsed():
    (rule,) = [rule for rule in load_suite(SUITE) if rule.name == "record_within_size"]

    assert rule.expectation.max_value == MAX_PARSED_BYTES


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ([], "expected a Great Expectations suite"),
        ([changed(name=...)], "rule 'number 1': meta has no 'name'"),
        ([changed(because=" ")], "rule 'a_present': meta has no 'because'"),
        ([changed(severity="fatal")], "rule 'a_present': severity must be quarantine or warn, got 'fatal'"),
        ([RULE, RULE], "rule 'a_present' is there more than once"),
        ([RULE | {"type": "expect_miracles"}], "rule 'a_present': Great Expectations refuses it"),
        ([RULE | {"kwargs": {"colunm": "a"}}], "rule 'a_present': Great Expectations refuses it"),
        (["a_present"], "rule 'number 1': meta has no 'name'"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_by_name(tmp_path, rules, message):
    with pytest.raises(RuleError, match=message):
        load_suite(write(tmp_path, *rules))


def test_a_suite_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RuleError, match=r"nowhere\.json: cannot be read \(No such file or directory\)"):
        load_suite(tmp_path / "nowhere.json")


def test_a_suite_that_is_not_json_is_named(tmp_path):
    (tmp_path / "suite.json").write_text("- yaml")

    with pytest.raises(RuleError, match=r"suite\.json: is not JSON"):
        load_suite(tmp_path / "suite.json")
