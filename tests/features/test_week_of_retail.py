"""A week of a real shop through Kafka and the three streams: Delta, Redis and an independent reading of the files agree."""

import csv
import gzip
import json
import re
import struct
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
import redis
import yaml
from click.testing import CliRunner
from deltalake import DeltaTable
from pyspark.sql import functions as F

from jobs import build_features, check_consistency, personalize, rebuild_profiles, validate_events
from pipelines.events.logs import log_format, read_line
from pipelines.features.definitions import load_definitions
from pipelines.features.profile import Profiles
from pipelines.features.profile_bytes import decode
from pipelines.local.servers import ensure_topic
from pipelines.sinks.kafka import KafkaRecordSink
from pipelines.sources.log_files import LogLines
from pipelines.stores.keys import profile_key
from tests.events.builders import SUITE
from tests.features.oracle import Oracle, seconds
from tests.servers import MAX_RECORD_BYTES

PROJECT = Path(__file__).parents[2]
DATA = PROJECT.parent / "shared/data/online-retail"
DAYS = [f"2010-12-0{day}.csv.gz" for day in (1, 2, 3, 5, 6, 7)]  # the shop rests on Saturdays
CONF = PROJECT / "conf/features.yaml"
DEFINITIONS = load_definitions(CONF)
CLOSE = {"rel": 1e-9, "abs": 1e-12}  # no weight of a purchase is negative: nothing cancels

pytestmark = [pytest.mark.spark, pytest.mark.servers]


class Retailer:
    """A topic, a lake, and Redis databases that each are kept by a hot path of their own."""

    def __init__(self, servers, root: Path) -> None:
        self.servers, self.root, self.topic = servers, root, "online-retail-week"
        self.definitions = CONF
        ensure_topic(servers.bootstrap_servers, self.topic, 2, MAX_RECORD_BYTES)

    def config(self, redis_db: int) -> str:
        path = self.root / "config.yaml"
        values = {
            "lake_root": str(self.root / "lake"),
            "checkpoint_root": str(self.root / "checkpoints"),
            "kafka": {"bootstrap_servers": self.servers.bootstrap_servers, "topic": self.topic, "max_offsets_per_trigger": 7_000},
            "redis": {"url": self.url(redis_db)},
            "validation": {"suite": str(SUITE), "max_offsets_per_trigger": 12_000, "audit_seconds": 0},
            "features": {"definitions": str(self.definitions), "max_bytes_per_trigger": "1m"},
        }  # fmt: skip
        path.write_text(yaml.safe_dump(values))
        return str(path)

    def url(self, redis_db: int) -> str:
        return self.servers.redis_url.replace("/0", f"/{redis_db}")

    def client(self, redis_db: int) -> redis.Redis:
        return redis.Redis.from_url(self.url(redis_db))

    def send(self, names: list[str]) -> None:
        log = log_format("online-retail")
        with KafkaRecordSink(self.servers.bootstrap_servers, self.topic, MAX_RECORD_BYTES) as sink:
            for name in names:
                for line in LogLines(DATA / name, log.header):
                    sink.send(read_line(line, log))

    def run(self, job, *arguments: str, redis_db: int, code: int = 0):
        command = [*arguments, "--config", self.config(redis_db)]
        result = CliRunner().invoke(job.main, command, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    def profiles(self, redis_db: int) -> dict[str, tuple[Profiles, bytes]]:
        client = self.client(redis_db)
        values = {key: client.get(key) for key in client.scan_iter(profile_key("*"), count=1_000)}
        return {key.decode()[len("profile:{") : -1]: (decode([value]), value) for key, value in values.items()}


def rows_of_the_files() -> list[dict]:
    """What the week's lines say, by their own reading: no code of the project."""
    lines = []
    for name in DAYS:
        if (DATA / name).exists():
            with gzip.open(DATA / name, "rt", encoding="utf-8", newline="") as file:
                lines += list(file)[1:]
    events = []
    for line in sorted(set(lines)):  # an exact copy is the same event
        invoice, code, _, quantity, moment, price, customer, country = next(csv.reader([line.rstrip("\r\n")]))
        code = code.strip().upper()
        if not customer or int(quantity) < 1 or int(quantity) > 1_000_000 or float(price) < 0 or re.search(r"\s", code):
            continue
        at = datetime.fromisoformat(moment)
        events.append({
            "event_id": line, "event_type": "purchase", "user": customer.removesuffix(".0"), "session_id": invoice,
            "event_time": at, "ingest_time": at, "item_id": code, "quantity": int(quantity), "price": float(price),
            "context": {"location": country}, "extra": {},
        })  # fmt: skip
    return events


@pytest.fixture(scope="module")
def files() -> list[dict]:
    if not (DATA / DAYS[0]).exists():
        pytest.skip("NOT TESTED on real data: online-retail is not at ../shared/data")
    return rows_of_the_files()


@pytest.fixture(scope="module")
def oracle(files, spark) -> Callable[[dict], Oracle]:
    """Of a document of definitions; the hashes that sketches keep are Spark's."""
    texts = sorted({event[name] for event in files for name in ("user", "item_id")})
    rows = spark.createDataFrame([(text,) for text in texts], "text string")
    hashes = dict(rows.select("text", F.xxhash64("text")).collect())
    return lambda document: Oracle(document, hashes.get)


@pytest.fixture(scope="module")
def expected(files, oracle) -> dict[str, dict]:
    of_the_shipped = oracle(yaml.safe_load(CONF.read_text(encoding="utf-8")))
    return {entity: of_the_shipped.features(entity, files) for entity in ("user", "item", "segment")}


@pytest.fixture(scope="module")
def retailer(servers, spark, tmp_path_factory, files) -> Retailer:
    """The week went through all streams; database 6 was kept throughout, database 7 was lost in mid-week."""
    retailer = Retailer(servers, tmp_path_factory.mktemp("retailer"))
    for redis_db in (6, 7):
        retailer.client(redis_db).flushdb()
    retailer.send(DAYS[:3])
    retailer.run(validate_events, "--once", redis_db=6)
    retailer.run(personalize, "--once", redis_db=6)
    retailer.run(build_features, "--once", redis_db=6)
    retailer.send(DAYS[3:])
    retailer.run(validate_events, "--once", redis_db=6)
    retailer.run(personalize, "--once", redis_db=6)
    retailer.run(build_features, "--once", redis_db=6)
    return retailer


def assert_values(row: dict, want: dict, names) -> None:
    for name in names:
        if isinstance(want[name], set):
            assert row[name] in want[name], name
        elif isinstance(want[name], float):
            assert row[name] == pytest.approx(want[name], **CLOSE), name
        else:
            assert row[name] == want[name], name


@pytest.mark.parametrize("entity", ["user", "item", "segment"])
def test_every_row_in_delta_is_what_the_files_say(retailer, expected, files, entity):
    keys = DEFINITIONS.entities[entity]
    names = [f.name for f in DEFINITIONS.of(entity) if f.name not in ("last_seen", "item_last_price")]
    table = DeltaTable(str(retailer.root / f"lake/features/v1/{entity}_features")).to_pyarrow_table().to_pylist()
    rows = {tuple(row[key] for key in keys): row for row in table}

    assert len(rows) == len(table) and rows.keys() == expected[entity].keys() and len(rows) > 200
    for key, want in expected[entity].items():
        assert_values(rows[key], want, names)
        assert seconds(rows[key]["as_of"]) == want["as_of_s"]
    if entity == "item":  # lines of one minute differ by when they came: any of their prices is the last one
        for (item,), want in expected["item"].items():
            prices = {e["price"] for e in files if e["item_id"] == item and seconds(e["event_time"]) == want["as_of_s"]}
            assert rows[item,]["item_last_price"] in prices


def values_of(profile: Profiles) -> dict[str, float]:
    """The features of a profile by name, as of its own newest event."""
    sums = dict(zip(DEFINITIONS.online().names, profile.sums[0].tolist(), strict=True))
    hits, of = sums.pop("__purchase_rate_month_hits"), sums.pop("__purchase_rate_month_of")
    entry = DEFINITIONS.feature("purchase_rate_month").entry
    return sums | {"purchase_rate_month": (hits + entry.prior * entry.prior_events) / (of + entry.prior_events)}


def assert_profiles_are_what_the_files_say(retailer, expected, files, redis_db=6) -> None:
    per_user: dict[str, int] = {}
    for event in files:
        per_user[event["user"]] = per_user.get(event["user"], 0) + 1
    profiles = retailer.profiles(redis_db)
    assert profiles.keys() == per_user.keys() == {user for (user,) in expected["user"]}
    for user, (profile, _) in profiles.items():
        want = expected["user"][user,]
        assert int(profile.n_interactions[0]) == per_user[user]
        assert int(profile.as_of_s[0]) == want["as_of_s"]
        values = values_of(profile)
        assert_values(values, want, values)


def test_every_profile_in_redis_is_what_the_files_say(retailer, expected, files):
    assert max(sum(e["user"] == user for e in files) for (user,) in expected["user"]) > 200, "no invoice is long"

    assert_profiles_are_what_the_files_say(retailer, expected, files)


def test_a_redis_that_was_lost_is_restored_by_a_rebuild_and_the_check_sees_both(retailer, expected, files):
    lost = retailer.client(7)
    kept = retailer.client(6)
    for key in list(kept.scan_iter(profile_key("*")))[::3]:  # what a hot path wrote since the loss, of some users
        lost.set(key, kept.get(key))

    seen = retailer.run(check_consistency, "--users", "5000", "--json", redis_db=7, code=1)
    report = json.loads(seen.stdout)
    assert report["n_equal"] > 50 and report["n_missing"] > 100 and not report["is_consistent"]

    said = retailer.run(rebuild_profiles, redis_db=7).output

    assert f"{report['n_missing']:,} profiles replaced, {report['n_equal']:,} were right already" in said
    assert_profiles_are_what_the_files_say(retailer, expected, files, redis_db=7)
    retailer.run(check_consistency, "--users", "5000", redis_db=7)


def test_a_profile_that_is_wrong_is_found_and_mended(retailer):
    client, user = retailer.client(6), "17850"
    profile = bytearray(client.get(profile_key(user)))
    n_marks = profile[1]
    at = 32 + 16 * n_marks
    (first_sum,) = struct.unpack_from("<d", profile, at)
    struct.pack_into("<d", profile, at, first_sum * (1 + 1e-6))
    client.set(profile_key(user), bytes(profile))

    seen = retailer.run(check_consistency, "--users", "5000", redis_db=6, code=1)
    assert f"{user}: interest_hour is 1.0e-06 away" in seen.output
    retailer.run(rebuild_profiles, redis_db=6)
    retailer.run(check_consistency, "--users", "5000", redis_db=6)
    checks = DeltaTable(str(retailer.root / "lake/consistency")).to_pyarrow_table().to_pylist()
    assert [check["n_differs"] for check in sorted(checks, key=lambda c: c["as_of"])][-2:] == [1, 0]


def test_a_changed_half_life_becomes_tables_and_profiles_of_a_new_version(retailer, oracle, files):
    document = yaml.safe_load(CONF.read_text(encoding="utf-8"))
    document["half_lives_hours"]["day"] = 12
    retailer.definitions = retailer.root / "features.yaml"
    retailer.definitions.write_text(yaml.safe_dump(document, sort_keys=False))

    refused = retailer.run(build_features, "--once", redis_db=6, code=1).output
    assert "raise `version`" in refused

    retailer.definitions.write_text(yaml.safe_dump({**document, "version": 2}, sort_keys=False))
    refused = retailer.run(personalize, "--once", redis_db=6, code=1).output
    assert "features version 1, the definitions are version 2: `liveshelf rebuild_profiles`" in refused
    retailer.run(rebuild_profiles, "--tables", redis_db=6)
    retailer.run(personalize, "--once", redis_db=6)
    retailer.run(check_consistency, "--users", "5000", redis_db=6)

    expected = {"user": oracle(document).features("user", files)}
    assert_profiles_are_what_the_files_say(retailer, expected, files)
    tables = {
        version: {
            row["user"]: row["interest_day"]
            for row in DeltaTable(str(retailer.root / f"lake/features/v{version}/user_features"))
            .to_pyarrow_table()
            .to_pylist()
        }
        for version in (1, 2)
    }
    assert all(
        tables[2][user] == pytest.approx(want["interest_day"], **CLOSE) for (user,), want in expected["user"].items()
    )
    assert tables[1].keys() == tables[2].keys() and tables[1] != tables[2], "the old tables must stay as they were"
