"""A topic in Avro or Protobuf, from Kafka to Delta: the real jobs, real servers, a registry on loopback."""

import json
import os
import signal
import time

import pytest
from click.testing import CliRunner
from deltalake import DeltaTable

from jobs import personalize
from pipelines.features.profile_bytes import decode
from tests.events.builders import an_event
from tests.forked_jobs import ForkedJob
from tests.formats.avro_events import a_schema, avro_value, optional
from tests.formats.protobuf_events import a_file, in_base64, protobuf_value
from tests.jobs.shop import Shop
from tests.registry import a_registry

pytestmark = [pytest.mark.spark, pytest.mark.servers]

OLD = a_schema(event_time="long")
NEW = a_schema(optional("coupon", "string"), optional("color", "string"), event_time="long")


@pytest.fixture
def registry():
    with a_registry() as running:
        yield running


@pytest.fixture
def shop(servers, topic, redis_url, registry, tmp_path):
    shop = Shop(servers.bootstrap_servers, topic, redis_url, tmp_path)
    shop.configure(
        kafka={"format": "avro", "schema_registry_url": registry.url},
        validation={"trigger_seconds": 0, "audit_seconds": 0},
    )
    return shop


def subject(shop):
    return f"{shop.settings['kafka']['topic']}-value"


def in_avro(schema_id, schema, **changes):
    return avro_value(schema_id, schema, an_event(event_time=1_717_243_198_250, **changes))


def start(shop):
    """`validate_events` as a process of its own, for ever."""
    environment = os.environ | {"LIVESHELF_MASTER": "local[1]"}
    environment.pop("PYSPARK_SUBMIT_ARGS", None)
    return ForkedJob(["validate_events", "--config", str(shop.config)], shop.root / "job.log", environment)


def rows(shop, table):
    path = str(shop.root / "lake" / table)
    return DeltaTable(path).to_pyarrow_table().to_pylist() if DeltaTable.is_deltatable(path) else []


def wait_for(shop, n_events, process):
    deadline = time.monotonic() + 180
    while len(rows(shop, "events")) < n_events:
        assert process.poll() is None, (shop.root / "job.log").read_text()[-3_000:]
        assert time.monotonic() < deadline, (shop.root / "job.log").read_text()[-3_000:]
        time.sleep(0.2)


def test_an_old_checkpoint_goes_on_after_a_new_schema_and_a_new_field(spark, shop, registry):
    old = registry.register(subject(shop), json.dumps(OLD))
    shop.send(in_avro(old, OLD, event_id="first"), b"\x00", in_avro(77, OLD, event_id="unknown schema"))
    assert shop.validate().exit_code == 0

    new = registry.register(subject(shop), json.dumps(NEW))
    shop.configure(events={"optional_fields": {"coupon": "string"}})
    shop.send(
        in_avro(new, NEW, event_id="second", coupon="x", color="red"),
        in_avro(old, OLD, event_id="third"),
        in_avro(old, OLD, event_id="first"),
    )
    assert shop.validate().exit_code == 0

    assert {row["event_id"]: (row["coupon"], dict(row["extra"] or {})) for row in rows(shop, "events")} == {
        "first": (None, {}),
        "second": ("x", {"color": '"red"'}),
        "third": (None, {}),
    }
    broken = rows(shop, "quarantine")
    assert [row["rules"] for row in broken] == [["record_parseable"]] * 2
    assert {row["value"] for row in broken} == {b"\x00", in_avro(77, OLD, event_id="unknown schema")}


def test_a_stream_that_runs_for_ever_loses_no_record_to_a_schema_that_came_later(shop, registry):
    old = registry.register(subject(shop), json.dumps(OLD))
    shop.send(in_avro(old, OLD, event_id="e-0"))
    process = start(shop)
    try:
        wait_for(shop, 1, process)
        for n in (1, 2):
            schema = a_schema(optional(f"field_{n}", "string"), event_time="long")
            schema_id = registry.register(subject(shop), json.dumps(schema))
            shop.send(in_avro(schema_id, schema, event_id=f"e-{n}", **{f"field_{n}": "x"}))  # at once
            wait_for(shop, n + 1, process)
        registry.is_down = True
        shop.send(in_avro(old, OLD, event_id="e-3"))
        wait_for(shop, 4, process)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)

    assert rows(shop, "quarantine") == []
    assert {row["event_id"]: dict(row["extra"] or {}) for row in rows(shop, "events")} == {
        "e-0": {},
        "e-1": {"field_1": '"x"'},
        "e-2": {"field_2": '"x"'},
        "e-3": {},
    }
    log = (shop.root / "job.log").read_text()
    assert log.count('"registry_failing"') == 1
    assert "StopRequestedError" not in log


def test_a_topic_in_protobuf_is_accounted_for(spark, shop, registry):
    shop.configure(kafka={"format": "protobuf"}, events={"optional_fields": {"coupon": "string"}})
    files = [a_file(), a_file(coupon="string", color="string")]
    old, new = (registry.register(subject(shop), in_base64(file), "PROTOBUF") for file in files)
    good = protobuf_value(old, files[0], an_event(event_id="old"))
    shop.send(good, good[:-1], protobuf_value(new, files[1], an_event(event_id="new", coupon="x", color="red")))

    assert shop.validate().exit_code == 0

    assert {row["event_id"]: (row["coupon"], dict(row["extra"] or {})) for row in rows(shop, "events")} == {
        "old": (None, {}),
        "new": ("x", {"color": '"red"'}),
    }
    assert [row["value"] for row in rows(shop, "quarantine")] == [good[:-1]]
    assert json.loads(shop.reconcile("--json").stdout)["is_exact"]


@pytest.mark.parametrize("kind", ["avro", "protobuf"])
def test_the_hot_path_reads_the_topics_format(spark, shop, registry, redis_client, kind):
    shop.configure(kafka={"format": kind})
    people = [{"event_id": f"e-{n}", "user_id": f"u-{n}"} for n in range(6)]  # one event each: the topic is not keyed
    if kind == "avro":
        schema_id = registry.register(subject(shop), json.dumps(OLD))
        values = [in_avro(schema_id, OLD, **person) for person in people]
    else:
        schema_id = registry.register(subject(shop), in_base64(a_file()), "PROTOBUF")
        values = [protobuf_value(schema_id, a_file(), an_event(**person)) for person in people]
    shop.send(*values, values[0][:-1])

    arguments = ["--once", "--config", str(shop.config)]
    assert CliRunner().invoke(personalize.main, arguments, catch_exceptions=False).exit_code == 0

    profiles = decode([redis_client.get(f"profile:{{{person['user_id']}}}") for person in people])
    assert profiles.n_interactions.tolist() == [1] * 6


def test_a_topic_without_a_schema_is_one_line_not_a_traceback(shop, registry):
    result = shop.validate()

    assert result.exit_code == 1
    assert f"no subject {subject(shop)}" in result.stderr
