"""A shop changes its events and its rules; streams go on from their old checkpoints, and old rows stay as they are."""

import json

import pytest
from deltalake import DeltaTable

from pipelines.events.rules import classify
from pipelines.events.suite import load_suite, ruleset_id
from tests.events.builders import SUITE, a_value
from tests.jobs.shop import Shop

pytestmark = [pytest.mark.spark, pytest.mark.servers]


@pytest.fixture
def shop(spark, servers, topic, redis_url, tmp_path):
    return Shop(servers.bootstrap_servers, topic, redis_url, tmp_path)


def rows(shop, table):
    return DeltaTable(str(shop.root / "lake" / table)).to_pyarrow_table().to_pylist()


def events(shop):
    return {row["event_id"]: row for row in rows(shop, "events")}


def a_suite_that_knows(shop, event_type):
    suite = json.loads(SUITE.read_text())
    (rule,) = [rule for rule in suite["expectations"] if rule["meta"]["name"] == "event_type_known"]
    rule["kwargs"]["value_set"].append(event_type)
    path = shop.root / "suite.json"
    path.write_text(json.dumps(suite))
    return path


def test_a_new_field_and_a_new_event_type_are_a_matter_of_configuration(shop):
    shop.send(a_value(event_id="old", coupon="A"), a_value(event_id="too_early", event_type="wishlist_add"))
    assert shop.validate().exit_code == 0

    suite = a_suite_that_knows(shop, "wishlist_add")
    shop.configure(
        events={"optional_fields": {"coupon": "string", "score": "double"}}, validation={"suite": str(suite)}
    )
    shop.send(
        a_value(event_id="new", event_type="wishlist_add", coupon="B", score=0.5, colour="red"),
        a_value(event_id="wrong", score="high"),
    )
    assert shop.validate().exit_code == 0

    filed = events(shop)
    assert {i: (row["coupon"], row["score"], dict(row["extra"] or {})) for i, row in filed.items()} == {
        "old": (None, None, {"coupon": '"A"'}),
        "new": ("B", 0.5, {"colour": '"red"'}),
    }
    assert sorted(row["rules"] for row in rows(shop, "quarantine")) == [["event_type_known"], ["record_parseable"]]
    assert json.loads(shop.reconcile("--json").stdout)["is_exact"]


def test_a_field_that_is_taken_out_of_the_configuration_stays_in_the_table(shop):
    shop.configure(events={"optional_fields": {"coupon": "string"}})
    shop.send(a_value(event_id="with", coupon="A"))
    assert shop.validate().exit_code == 0

    shop.configure(events={"optional_fields": {}})
    shop.send(a_value(event_id="without", coupon="B"))
    assert shop.validate().exit_code == 0

    filed = events(shop)
    assert {i: (row["coupon"], dict(row["extra"] or {})) for i, row in filed.items()} == {
        "with": ("A", {}),
        "without": (None, {"coupon": '"B"'}),
    }


def test_each_row_names_the_rules_that_judged_it_and_they_can_be_read_again(shop):
    shop.send(a_value(event_id="first"), b"{")
    assert shop.validate().exit_code == 0
    suite = a_suite_that_knows(shop, "wishlist_add")
    shop.configure(validation={"suite": str(suite)})
    shop.send(a_value(event_id="second"))
    assert shop.validate().exit_code == 0

    before, after = (ruleset_id(classify(load_suite(path))[0]) for path in (SUITE, suite))
    assert before != after
    assert {i: row["ruleset"] for i, row in events(shop).items()} == {"first": before, "second": after}
    assert [row["ruleset"] for row in rows(shop, "quarantine")] == [before]
    kept = {row["ruleset"]: json.loads(row["suite"]) for row in rows(shop, "rule_sets")}
    assert kept == {before: json.loads(SUITE.read_text()), after: json.loads(suite.read_text())}


def test_a_late_event_is_kept_and_marked(shop):
    shop.send(a_value(event_id="late", event_time="2024-06-01T10:00:00Z"))
    assert shop.validate().exit_code == 0

    (row,) = rows(shop, "events")
    assert row["warnings"] == ["event_not_late"]
    assert row["lateness_seconds"] == (row["ingest_time"] - row["event_time"]).total_seconds()
