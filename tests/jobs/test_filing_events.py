"""From Kafka to Delta and back to the account, with the real jobs and real servers."""

import json
import shutil

import pytest

from tests.events.builders import a_value
from tests.jobs.shop import Shop

pytestmark = [pytest.mark.spark, pytest.mark.servers]


@pytest.fixture
def shop(spark, servers, topic, redis_url, tmp_path):
    return Shop(servers.bootstrap_servers, topic, redis_url, tmp_path)


def test_every_record_is_accounted_for_however_often_the_topic_is_read(shop):
    fine = [a_value(event_id=f"e-{n}", event_time="2024-06-01T10:00:00Z", color="red") for n in range(10)]
    broken = [b"{", a_value(event_id="b-1", price=-1), b"x" * 2_000_000, a_value(event_time="2099-01-01")]
    shop.send(*fine, *broken, *fine[:3], broken[0])

    assert shop.validate().exit_code == 0
    first = json.loads(shop.reconcile("--json").stdout)
    shutil.rmtree(shop.root / "checkpoints")
    assert shop.validate().exit_code == 0
    second = json.loads(shop.reconcile("--json").stdout)

    assert first == second
    assert first == {
        "n_produced": 18,
        "n_valid": 10,
        "n_quarantined": 4,
        "n_duplicates": 4,
        "n_lost": 0,
        "n_twice": 0,
        "n_unknown": 0,
        "is_exact": True,
        "examples": [],
    }


def test_what_is_in_no_table_is_called_lost(shop):
    shop.send(a_value())

    result = shop.reconcile()

    assert result.exit_code == 1
    assert "1 produced = 0 valid + 0 quarantined + 0 duplicates + 1 LOST" in result.stdout
    assert "lost: clickstream-" in result.output and "id e-1" in result.output
