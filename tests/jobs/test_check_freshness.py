"""`liveshelf check_freshness` on a real Kafka and Redis, a table and checkpoints; the streams are what they left behind."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

import pyarrow as pa
import pytest
import yaml
from click.testing import CliRunner
from deltalake import write_deltalake
from kafka import KafkaProducer

from jobs.__main__ import main
from jobs._freshness import look
from pipelines.config import load_config
from pipelines.stores.freshness import FreshnessStore
from pipelines.stores.heartbeat import HeartbeatStore
from pipelines.stores.keys import FRESHNESS
from pipelines.stores.outcomes import OutcomeStore
from pipelines.stores.serving_mode import ServingModeStore

MINUTE = 60_000
AWAY = {"kafka": {"bootstrap_servers": "127.0.0.1:9"}, "redis": {"url": "redis://127.0.0.1:9/0"}}


class Shop:
    """A shop whose servers are real, and whose streams have committed all that was sent before `commit`."""

    def __init__(self, servers, topic, redis_url, root) -> None:
        self.root, self.topic = root, topic
        self.values = {
            "lake_root": str(root / "lake"),
            "checkpoint_root": str(root / "checkpoints"),
            "kafka": {"bootstrap_servers": servers.bootstrap_servers, "topic": topic},
            "redis": {"url": redis_url},
            "tracking": {"root": str(root / "mlflow")},
            "freshness": {
                "build_features": {"soft_minutes": None},
                "lists": {"soft_minutes": None},
                "fallback_lists": {"soft_minutes": None},
                "champion": {"soft_minutes": None},
                "recover_minutes": 0,
            },
        }
        self.n_sent = [0, 0]

    def send(self, minutes_ago: float = 0, partition: int = 0) -> None:
        with KafkaProducer(bootstrap_servers=self.values["kafka"]["bootstrap_servers"]) as producer:
            at_ms = round(time.time() * 1000 - minutes_ago * MINUTE)
            producer.send(self.topic, b"{}", partition=partition, timestamp_ms=at_ms).get(30)
        self.n_sent[partition] += 1

    def commit(self, *jobs: str) -> None:
        for job in jobs or ("personalize", "validate_events"):
            for log, text in {
                "commits": "v1",
                "offsets": json.dumps({self.topic: dict(enumerate(self.n_sent))}),
            }.items():
                folder = self.root / "checkpoints" / job / "v1" / log
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "0").write_text(text)

    def file(self, minutes_ago: float = 0) -> None:
        at = datetime.fromtimestamp(time.time() - minutes_ago * 60, timezone.utc)
        rows = pa.table({"ingest_time": pa.array([at], pa.timestamp("us", "UTC"))})
        write_deltalake(str(self.root / "lake/events"), rows, mode="append")

    def run(self, *arguments: str, **sections):
        path = self.root / "config.yaml"
        freshness = self.values["freshness"] | sections.pop("freshness", {})
        path.write_text(yaml.safe_dump(self.values | sections | {"freshness": freshness}))
        return CliRunner().invoke(main, ["check_freshness", "--config", str(path), *arguments])

    def look(self, *arguments: str, **sections) -> dict:
        """The JSON, with what is not well by name."""
        result = self.run("--json", *arguments, **sections)
        told = json.loads(result.stdout)
        assert result.exit_code == (0 if told["is_well"] else 3), result.output
        return told | {"bad": {age["what"]: age["verdict"] for age in told["ages"] if age["verdict"] not in FINE}}


FINE = ("fresh", "unjudged")


@pytest.fixture
def shop(servers, topic, redis_url, redis_client, tmp_path) -> Shop:
    shop = Shop(servers, topic, redis_url, tmp_path)
    shop.send(partition=1)  # so the newest event is of now, whatever a test sends to the other one
    shop.commit()
    shop.file()
    for job in ("personalize", "validate_events"):
        HeartbeatStore(redis_client).beat(job, {"state": "failed"})
    return shop


def test_a_shop_that_is_well(shop, redis_client):
    told = shop.look()

    assert (told["bad"], told["alerts"], told["is_model_refresh_due"]) == ({}, [], False)
    assert told["serving"]["mode"] == "personal" and not told["serving"]["changed"]
    figures = OutcomeStore(redis_client).read(["check_freshness"])["check_freshness"].figures
    assert figures["age_seconds"] == {
        age["what"]: age["age_seconds"] for age in told["ages"] if age["age_seconds"] is not None
    }
    assert figures["soft_limit_seconds"]["events"] > 0


def test_silence_alerts_then_takes_personal_lists_away_and_gives_them_back(shop, redis_client):
    old = {"events": {"soft_minutes": 0.0001, "hard_minutes": 60}}
    late = shop.look(freshness=old)
    assert late["bad"] == {"events": "late"} and late["serving"]["mode"] == "personal" and late["is_model_refresh_due"]

    stale = shop.look(freshness={**old, "events": {"soft_minutes": 0.0001, "hard_minutes": 0.0002}})
    assert stale["bad"] == {"events": "stale"} and stale["serving"]["changed"]
    mode = ServingModeStore(redis_client).read()
    assert (mode.mode, mode.by) == ("fallback", "check_freshness") and mode.reason.startswith("events: ")

    assert shop.look(freshness=old)["serving"]["mode"] == "fallback"  # below the hard limit is not enough
    back = shop.look()
    assert back["serving"]["changed"] and ServingModeStore(redis_client).read().mode == "personal"


def test_a_stream_that_stands_still_is_seen_by_what_waits_for_it(shop):
    shop.send(minutes_ago=90)
    shop.commit("validate_events")

    told = shop.look()
    assert told["bad"] == {"personalize": "stale"}
    assert told["alerts"][0] == "personalize: 90 min old, hard limit 60 min (1 records wait)"
    assert told["serving"]["mode"] == "fallback"


def test_a_stream_that_gives_no_sign_of_life_is_told_also_when_nothing_waits(shop, redis_client):
    beat = json.loads(redis_client.get("heartbeat:personalize"))
    redis_client.set("heartbeat:personalize", json.dumps(beat | {"as_of_ms": beat["as_of_ms"] - 20 * MINUTE}))
    assert shop.look()["alerts"] == ["heartbeat:personalize: 20 min old, soft limit 5 min (failed)"]

    redis_client.delete("heartbeat:personalize")
    assert shop.look()["alerts"] == ["heartbeat:personalize: no sign of life in seven days"]


def test_a_dry_run_says_what_it_would_do_and_does_nothing(shop, redis_client, tmp_path):
    shop.send(minutes_ago=90)
    before = sorted(tmp_path.rglob("*")) + sorted(redis_client.keys())

    told = shop.look("--dry-run")
    after = sorted(tmp_path.rglob("*")) + sorted(redis_client.keys())
    assert told["serving"]["note"].startswith("would be fallback: personalize: ") and not told["serving"]["changed"]
    assert [each for each in after if each != tmp_path / "config.yaml"] == before


def test_what_a_person_set_stays_until_it_is_given_back(shop, redis_client, monkeypatch):
    def serving(*arguments: str) -> str:
        return CliRunner().invoke(main, ["serving", *arguments, "--config", str(tmp_config)]).output

    shop.look()
    tmp_config = shop.root / "config.yaml"
    monkeypatch.setattr("getpass.getuser", lambda: "alice")
    assert "check_freshness leaves that alone" in serving("personal", "--reason", "I know better")
    shop.send(minutes_ago=90)

    told = shop.look()
    assert "alice set personal by hand" in told["serving"]["note"] and told["serving"]["mode"] == "personal"
    assert serving("auto") == "serving: personal\n"
    assert shop.look()["serving"]["mode"] == "fallback"


def test_what_cannot_be_read_is_a_line_and_no_crash(shop):
    told = shop.look(**AWAY, lake_root=str(shop.root / "nowhere"))

    assert [line.split(" does")[0].split(" connecting")[0] for line in told["alerts"]] == [
        "events: cannot be read: Kafka at 127.0.0.1:9",
        "personalize: cannot be read: it needs Kafka, see events",
        "validate_events: cannot be read: it needs Kafka, see events",
        "heartbeat:personalize: cannot be read: no Redis, see serving",
        "heartbeat:validate_events: cannot be read: no Redis, see serving",
        f"table:events: cannot be read: no table at {shop.root}/nowhere/events",
        "serving: cannot be read: Error 111",
    ]
    assert told["serving"]["mode"] is None and not told["is_model_refresh_due"]


def test_while_kafka_is_away_the_newest_event_that_was_seen_goes_on_ageing(shop):
    shop.look()
    limits = {"soft_minutes": 0.0001, "hard_minutes": 0.0002}

    told = shop.look(kafka=AWAY["kafka"], freshness={"events": limits})
    assert told["bad"]["events"] == "stale" and told["serving"]["mode"] == "fallback"


def test_looks_at_once_end_as_one(shop, redis_client):
    shop.send(minutes_ago=90)
    shop.run("--dry-run")
    config, now_ms = load_config(shop.root / "config.yaml"), round(time.time() * 1000)
    with ThreadPoolExecutor(3) as pool:
        seen = list(
            pool.map(lambda number: look(config, "check_freshness", now_ms + number, is_dry_run=False), range(3))
        )

    assert [each.served.mode.mode for each in seen] == ["fallback"] * 3
    assert sum(each.served.is_changed for each in seen) == 1
    mode = FreshnessStore(redis_client).read().mode
    assert shop.look()["serving"]["mode"] == "fallback" and FreshnessStore(redis_client).read().mode == mode


def test_memory_that_is_lost_only_begins_the_recovery_anew(shop, redis_client):
    shop.send(minutes_ago=90)
    shop.look()
    redis_client.delete(FRESHNESS)
    shop.commit()

    assert shop.look(freshness={"recover_minutes": 5})["serving"]["mode"] == "fallback"
    assert shop.look()["serving"]["mode"] == "personal"


def test_a_training_is_due_for_an_old_champion_and_not_while_a_trained_version_is_young(shop):
    from pipelines.sections import TrackingConfig
    from pipelines.tracking.promotion import promote
    from pipelines.tracking.registry import Registry
    from tests.tracking.builders import Facts

    any_age = {"champion": {"soft_minutes": 0.0001}}
    missing = shop.look(freshness=any_age)
    assert missing["bad"] == {"champion": "missing"} and missing["refresh_reason"] == "champion"
    assert not (shop.root / "mlflow").exists()

    registry, facts = Registry.open(TrackingConfig(root=shop.root / "mlflow")), Facts(kind="trained")
    promote(registry, registry.add(facts.config, facts.data, facts.origin))
    young = shop.look(freshness=any_age)
    assert young["bad"] == {"champion": "late"} and not young["is_model_refresh_due"]
    assert shop.look(freshness=any_age | {"refresh_pause_hours": 0})["is_model_refresh_due"]


def test_people_get_a_table_and_a_line_about_what_is_served(shop):
    told = shop.run()

    assert told.exit_code == 0 and "serving: personal" in told.stdout and "model refresh: not due" in told.stdout
