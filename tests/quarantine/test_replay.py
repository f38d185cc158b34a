"""`quarantine replay` with real servers: what a fix or a corrected rule accepts becomes one event, wherever it dies."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from deltalake import DeltaTable

from jobs import _resending
from jobs.quarantine import main
from pipelines.config import load_config
from pipelines.events.rules import classify
from pipelines.events.suite import load_suite, ruleset_id
from pipelines.sinks.replays import Replays
from pipelines.sources.topics import describe_topic
from pipelines.stores.heartbeat import HeartbeatStore
from tests.events.builders import SUITE, a_value
from tests.jobs.shop import Shop

pytestmark = [pytest.mark.spark, pytest.mark.servers]

RULE, FIX = "event_time_not_ancient", "examples.fixes:seconds_to_milliseconds"
IN_SECONDS = [a_value(event_id=f"s-{n}", event_time=1_717_243_198 + n) for n in range(3)]
HOPELESS = a_value(event_id="h", event_time="1970-01-01T00:00:00Z")
OTHER = a_value(event_id="o", price=-1)


class Quarantine(Shop):
    def replay(self, *arguments, code=0):
        command = ["replay", "--config", str(self.config), *arguments]
        result = CliRunner().invoke(main, command, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return " ".join(result.output.split())

    def rows(self, name):
        path = Path(load_config(self.config).table(name))
        return DeltaTable(str(path)).to_pyarrow_table().to_pylist() if path.exists() else []

    def event_ids(self):
        return sorted(row["event_id"] for row in self.rows("events"))

    def n_records(self):
        return describe_topic(load_config(self.config).kafka).n_records

    def account(self):
        result = json.loads(self.reconcile("--json").stdout)
        return result["is_exact"], result["n_valid"], result["n_quarantined"], result["n_duplicates"]


@pytest.fixture
def shop(spark, servers, topic, redis_url, tmp_path):
    shop = Quarantine(servers.bootstrap_servers, topic, redis_url, tmp_path)
    shop.configure(validation={"max_offsets_per_trigger": 1_000})
    shop.send(*IN_SECONDS, HOPELESS, OTHER)
    assert shop.validate().exit_code == 0
    return shop


def killed(*_args, **_kwargs):
    raise KeyboardInterrupt  # ends the command wherever it is, as a signal would


def test_what_a_fix_mends_becomes_an_event_once_and_the_account_stays_exact(shop):
    said = shop.replay("--rule", RULE, "--fix", FIX)

    assert "open records that broke event_time_not_ancient: 4" in said
    assert "3 accepted" in said and "1 left alone" in said and "3 sent to topic" in said
    assert shop.n_records() == 5 + 3
    assert shop.validate().exit_code == 0
    assert shop.event_ids() == ["s-0", "s-1", "s-2"]
    assert shop.account() == (True, 3, 5, 0)

    again = shop.replay("--rule", RULE, "--fix", FIX)

    assert "open records that broke event_time_not_ancient: 1" in again and "0 sent" in again
    assert shop.n_records() == 5 + 3
    assert len(shop.rows("quarantine")) == 5 and len(shop.rows("replays")) == 3


def test_it_is_recorded_by_whom_when_and_as_what(shop):
    shop.replay("--rule", RULE, "--fix", FIX, "--limit", "1")

    (row,) = shop.rows("replays")
    (quarantined,) = [q for q in shop.rows("quarantine") if q["record_id"] == row["record_id"]]
    assert (row["rule"], row["fix"], row["key"]) == (RULE, FIX, b"u-1")
    assert row["event_id"] == json.loads(row["value"])["event_id"] == json.loads(quarantined["value"])["event_id"]
    assert json.loads(row["value"])["event_time"] == 1000 * json.loads(quarantined["value"])["event_time"]
    assert row["planned_at"] <= row["sent_at"]
    assert row["ruleset"] == ruleset_id(classify(load_suite(SUITE))[0])
    assert row["ruleset"] in {each["ruleset"] for each in shop.rows("rule_sets")}


def test_a_dry_run_sends_and_writes_nothing(shop):
    said = shop.replay("--rule", RULE, "--fix", FIX, "--dry-run")

    assert "3 accepted" in said and "nothing was sent or written" in said
    assert shop.n_records() == 5
    assert shop.rows("replays") == []


def test_what_still_breaks_a_rule_stays_open_and_says_which(shop):
    said = shop.replay("--rule", RULE)

    assert "4 refused" in said and "event_time_not_ancient 4" in said and "0 sent" in said
    assert shop.n_records() == 5


def test_a_fix_that_fails_ends_nothing(shop, tmp_path, monkeypatch):
    fixes = "import json\ndef mend(value):\n    event = json.loads(value)\n    return fixed(event)\n\n"
    fixes += "def fixed(event):\n    event['event_time'] = {1717243198: 1717243198000}[event['event_time']]\n"
    fixes += "    return json.dumps(event).encode()\n"
    (tmp_path / "fixes_of_ours.py").write_text(fixes)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*__import__("sys").path])

    said = shop.replay("--rule", RULE, "--fix", "fixes_of_ours:mend")

    assert "1 accepted" in said and "3 failed" in said and "KeyError: 1717243199" in said
    assert [row["event_id"] for row in shop.rows("replays")] == ["s-0"]


@pytest.mark.parametrize(
    ("dies_at", "n_sent_before"),
    [
        pytest.param((_resending, "send_rows"), 0, id="between-plan-and-send"),
        pytest.param((Replays, "mark_sent"), 3, id="between-send-and-mark"),
    ],
)
def test_killed_in_between_each_record_still_becomes_one_event(shop, monkeypatch, dies_at, n_sent_before):
    with monkeypatch.context() as crash:
        crash.setattr(*dies_at, killed)
        shop.replay("--rule", RULE, "--fix", FIX, code=1)
    assert shop.n_records() == 5 + n_sent_before
    assert [row["sent_at"] for row in shop.rows("replays")] == [None] * 3
    planned = sorted(row["value"] for row in shop.rows("replays"))

    said = shop.replay("--rule", "price_in_range")  # another rule: what was begun is finished all the same

    assert "an earlier run had planned 3 records and was interrupted: they are sent now" in said
    assert shop.n_records() == 5 + n_sent_before + 3
    assert sorted(row["value"] for row in shop.rows("replays")) == planned
    assert None not in [row["sent_at"] for row in shop.rows("replays")]
    assert shop.validate().exit_code == 0
    assert shop.event_ids() == ["s-0", "s-1", "s-2"]
    assert shop.account() == (True, 3, 5, n_sent_before)


def a_suite(shop, name, change):
    suite = json.loads(SUITE.read_text())
    (rule,) = [each for each in suite["expectations"] if each["meta"]["name"] == name]
    change(rule["kwargs"])
    path = shop.root / "corrected.json"
    path.write_text(json.dumps(suite))
    shop.configure(validation={"suite": str(path)})


def test_what_a_corrected_rule_accepts_is_sent_as_it_came_when_the_streams_know_the_rule(shop):
    a_suite(shop, "price_in_range", lambda kwargs: kwargs.update(min_value=-10.0))

    refused = shop.replay("--rule", "price_in_range", code=1)

    assert "validate_events judges by other rules than the suite of today" in refused
    assert "Restart validate_events first" in refused
    assert shop.n_records() == 5 and shop.rows("replays") == []

    assert shop.validate().exit_code == 0
    assert "1 sent" in shop.replay("--rule", "price_in_range")
    assert shop.validate().exit_code == 0
    assert shop.event_ids() == ["o"]
    assert shop.account() == (True, 1, 5, 0)
    (row,) = shop.rows("replays")
    assert (row["fix"], row["value"]) == (None, OTHER)


def test_a_hot_path_with_other_rules_is_a_reason_too(shop, redis_client):
    HeartbeatStore(redis_client).beat("personalize", {"ruleset": "fedcba9876543210"})

    assert "personalize judges by other rules" in shop.replay("--rule", RULE, "--fix", FIX, code=1)


def test_a_plan_that_todays_rules_refuse_is_kept_back_not_lost(shop, monkeypatch):
    with monkeypatch.context() as crash:
        crash.setattr(_resending, "send_rows", killed)
        shop.replay("--rule", RULE, "--fix", FIX, code=1)
    a_suite(shop, "event_time_not_ancient", lambda kwargs: kwargs.update(min_value=1_717_243_199_000))
    assert shop.validate().exit_code == 0

    said = shop.replay("--rule", RULE)

    assert "had planned 2 records" in said and "1 records that an earlier run had planned are kept back" in said
    assert sorted(row["event_id"] for row in shop.rows("replays") if row["sent_at"]) == ["s-1", "s-2"]
    assert shop.n_records() == 5 + 2
