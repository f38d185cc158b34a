"""Every event that an adapter makes is accepted by the stream's rules."""

import json

import pytest

from pipelines.events.adapters import ADAPTERS
from pipelines.events.parse import parse_records
from pipelines.events.rules import compile_rules
from pipelines.schemas import Contract
from tests.events.adapters.cases import CASES
from tests.events.builders import INGEST_TIME, SUITE, kafka_records

pytestmark = pytest.mark.spark


def test_every_event_of_an_adapter_is_accepted(spark):
    events = [event for vendor, case in CASES for event in ADAPTERS[vendor](case["payload"]).events]
    received = {"event_time": INGEST_TIME.isoformat() + "Z"}
    values = [json.dumps({**received, **event}).encode() for event in events]
    rules = compile_rules(spark, SUITE, Contract().checked)
    rows = parse_records(kafka_records(spark, values)).select("event_id", rules.broken_rules().alias("rules")).collect()

    assert len(rows) == len(events) > 40
    assert [row for row in rows if row.rules] == []
