"""A login through Kafka: the user has what the visitor did, and a replay of it changes nothing."""

import json
from pathlib import Path

import pytest

from pipelines.events.logs.record import KafkaRecord
from pipelines.features.profile_bytes import decode
from pipelines.lists.document import PublishedList
from pipelines.sinks.kafka import KafkaRecordSink
from pipelines.stores.keys import list_key, profile_key
from tests.both_streams import BothStreams
from tests.events.builders import an_event
from tests.servers import MAX_RECORD_BYTES
from tests.streams import forget_last_commit

pytestmark = [pytest.mark.crash, pytest.mark.servers, pytest.mark.spark]


def event(number: int, event_type: str = "product_view", **ids: str) -> KafkaRecord:
    """Event `number`, of `ids` alone, keyed as the collector does."""
    nobody = {"user_id": ..., "anonymous_id": ...}
    what = {"item_id": ...} if event_type == "identify" else {"item_id": f"i{number}"}
    time = f"2024-06-01T12:00:{number:02d}Z"
    fields = an_event(event_id=f"e{number}", event_type=event_type, event_time=time, **{**nobody, **what, **ids})
    return KafkaRecord((ids.get("user_id") or ids["anonymous_id"]).encode(), json.dumps(fields).encode())


def test_a_login_brings_the_user_what_the_visitor_did_and_a_replay_changes_nothing(servers, topic, tmp_path):
    streams = BothStreams("login", tmp_path, servers, topic, redis_db=6)

    def come(*records: KafkaRecord) -> None:
        with KafkaRecordSink(servers.bootstrap_servers, topic, MAX_RECORD_BYTES) as sink:
            for record in records:
                sink.send(record)
        streams.finish("personalize")

    come(event(1, user_id="u1"), *(event(number, anonymous_id="a1") for number in (2, 3, 4)))
    assert n_of(streams, "u1") == 1 and streams.client.get(list_key("u1")) is None

    come(event(5, "identify", user_id="u1", anonymous_id="a1"), event(6, anonymous_id="a1"))
    after = [streams.values("profile:*"), streams.values("list:*")]
    assert (n_of(streams, "u1"), n_of(streams, "a1")) == (5, 4)
    made = PublishedList.from_json(streams.client.get(list_key("u1")))
    assert {"i2", "i3", "i4"} <= set(made.items)

    forget_last_commit(Path(streams.config.checkpoint("personalize", "v1")))
    streams.finish("personalize")
    assert [streams.values("profile:*"), streams.values("list:*")] == after


def n_of(streams: BothStreams, user: str) -> int:
    return int(decode([streams.client.get(profile_key(user))]).n_interactions[0])
