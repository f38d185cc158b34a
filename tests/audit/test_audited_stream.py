"""The stream with its audit: what the heartbeat, the table and the pages say after it has filed something."""

import pytest
from deltalake import DeltaTable
from redis import Redis

from pipelines.stores.heartbeat import HeartbeatStore
from tests.events.builders import a_value
from tests.jobs.shop import Shop

pytestmark = [pytest.mark.spark, pytest.mark.servers]


def test_a_stream_is_audited_beside_its_work(spark, servers, topic, redis_url, tmp_path):
    shop = Shop(servers.bootstrap_servers, topic, redis_url, tmp_path)
    shop.configure(validation={"audit_seconds": 3600, "data_docs_root": str(tmp_path / "docs")})
    shop.send(*[a_value(event_id=f"e-{n}") for n in range(5)], b"{", a_value(event_id="b", price=-1))

    assert shop.validate().exit_code == 0

    beat = HeartbeatStore(Redis.from_url(redis_url)).read("validate_events")
    figures = ("n_audits", "n_audit_differences", "n_audit_errors", "last_audit_verdict", "n_rows", "n_quarantined")
    assert [beat[name] for name in figures] == [1, 0, 0, "well", 7, 2]
    assert 0 <= beat["as_of_ms"] - beat["last_audit_as_of_ms"] < 600_000
    audits = DeltaTable(str(tmp_path / "lake/audits")).to_pyarrow_table().to_pylist()
    assert {row["kind"] for row in audits} == {"sample"} and all(row["is_equal"] for row in audits)
    assert len(list((tmp_path / "docs/audits").glob("*.html"))) == 1
