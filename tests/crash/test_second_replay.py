"""A real log, sent twice: the second time changes nothing that anybody reads."""

from pathlib import Path

import pytest

from pipelines.events.logs import log_format
from pipelines.local.pacing import Pacer
from pipelines.local.replay import ReplaySummary, replay
from pipelines.sinks.kafka import KafkaRecordSink
from pipelines.sources.log_files import LogLines
from tests.both_streams import PROJECT, BothStreams

LOG = PROJECT.parent / "shared/data/rees46/2019-10-01.csv.gz"
pytestmark = [pytest.mark.crash, pytest.mark.servers, pytest.mark.spark]


def send(path: Path, servers, topic: str) -> ReplaySummary:
    log = log_format("rees46")
    with KafkaRecordSink(servers.bootstrap_servers, topic, 8_388_608) as sink:
        return replay(LogLines(path, log.header), log, sink, Pacer(None))


def test_a_second_replay_of_a_real_log_changes_nothing(servers, topic, tmp_path):
    if not LOG.exists():
        pytest.skip(f"NOT TESTED on real data: {LOG.name} is not at ../shared/data/rees46")
    streams = BothStreams("real", tmp_path, servers, topic, redis_db=3, records_a_batch=2_000)
    sent = send(LOG, servers, topic)
    streams.finish()
    first = [
        streams.values("profile:*"),
        streams.values("list:*"),
        streams.table("events"),
        streams.table("quarantine"),
    ]

    send(LOG, servers, topic)
    streams.finish()
    second = [
        streams.values("profile:*"),
        streams.values("list:*"),
        streams.table("events"),
        streams.table("quarantine"),
    ]

    assert streams.committed("personalize") == 2 * sent.n_sent == 2 * 17_435
    assert second == first
    # what the log holds: 17,434 whole rows of which 5 are exact duplicates, and the last one cut
    assert (len(first[2]), len(first[3])) == (17_429, 1)
    assert len(first[0]) == 4_505 - 1  # the cut row has a user of its own, and no profile
