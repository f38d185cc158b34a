"""What comes of findings: `detect_drift` is run with a spark-submit that finds what the test says."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.airflow.conftest import PROJECT
from tests.airflow.running import airflow, emitted, new_home, states

WELL = {
    "job": "detect_drift",
    "as_of": "2026-11-20T01:30:00+00:00",
    "is_well": True,
    "alerts": [],
    "is_drifting": False,
}
DRIFT = WELL | {"is_well": False, "alerts": ["device: PSI 0.41, limit 0.2"], "is_drifting": True}
# Writes the findings where it is told to, and says where and how it was started.
SPARK_SUBMIT = """#!/bin/sh
echo "STARTED in $(pwd) on $SPARK_LOCAL_IP with $PYSPARK_DRIVER_PYTHON: $*"
while [ "$#" -gt 0 ]; do
    [ "$1" = --result ] && echo "$FINDINGS" > "$2"
    shift
done
"""


@pytest.fixture
def home(migrated, tmp_path) -> Path:
    return new_home(tmp_path / "airflow", migrated)


@pytest.fixture
def spark(tmp_path) -> Path:
    binary = tmp_path / "bin" / "spark-submit"
    binary.parent.mkdir()
    binary.write_text(SPARK_SUBMIT)
    binary.chmod(0o755)
    return binary.parent


@pytest.fixture
def webhook():
    posted = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.headers.get("Authorization"), json.loads(body)["text"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.posted, server.url = posted, f"http://127.0.0.1:{server.server_port}/hook"
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_drift_fails_the_alert_tells_people_and_asks_for_training_once(home, spark, webhook):
    told = json.dumps({"conn_type": "http", "host": webhook.url, "password": "secret"})
    environment = {"LIVESHELF_BIN": str(spark), "FINDINGS": json.dumps(DRIFT), "AIRFLOW_CONN_LIVESHELF_WEBHOOK": told}

    first = airflow("dags", "test", "detect_drift", home=home, **environment)

    assert states(home) == {"detect_drift": "success", "alert": "failed", "ask_for_training": "success"}, first.stdout
    assert emitted(home) == [("liveshelf_drift_found", {"as_of": DRIFT["as_of"], "alerts": DRIFT["alerts"]})]
    (authorization, text) = webhook.posted[0]
    assert authorization == "Bearer secret"
    assert text.startswith("Liveshelf: detect_drift.alert failed in manual__") and "PSI 0.41" in text
    assert first.returncode != 0

    again = airflow("dags", "test", "detect_drift", home=home, **environment)

    assert states(home)["ask_for_training"] == "skipped", again.stdout
    assert "again after 12:00:00" in again.stdout
    assert len(emitted(home)) == 1


def test_where_all_is_well_nobody_is_told_and_nothing_is_asked_for(home, spark):
    ended = airflow("dags", "test", "detect_drift", home=home, LIVESHELF_BIN=str(spark), FINDINGS=json.dumps(WELL))

    assert ended.returncode == 0, ended.stdout
    assert states(home) == {"detect_drift": "success", "alert": "success", "ask_for_training": "skipped"}
    assert emitted(home) == []
    assert f"STARTED in {PROJECT} on 127.0.0.1 with {spark}/python: --master local[2] --properties-file" in ended.stdout


def test_a_job_that_could_not_look_fails_itself(home, spark):
    ended = airflow("dags", "test", "detect_drift", home=home, LIVESHELF_BIN=str(spark.parent), FINDINGS="")

    assert ended.returncode != 0
    assert states(home) == {
        "detect_drift": "failed",
        "alert": "upstream_failed",
        "ask_for_training": "upstream_failed",
    }
    assert "Liveshelf: detect_drift.detect_drift failed in manual__" in ended.stdout


def test_without_a_connection_a_task_says_which_is_missing(home, spark):
    ended = airflow(
        "dags", "test", "maintain_tables", home=home, LIVESHELF_BIN=str(spark), AIRFLOW_CONN_LIVESHELF_SPARK=""
    )

    assert states(home) == {"maintain_tables": "failed"}
    assert "liveshelf_spark" in ended.stdout and "isn't defined" in ended.stdout
    assert "STARTED" not in ended.stdout


def test_a_late_run_is_told_of_by_name(dags):
    from liveshelf.notifier import message

    context = {
        "dag_run": {"dag_id": "train_model", "dag_run_id": "scheduled__2026-11-20"},
        "deadline": {"id": "1", "deadline_time": "2026-11-20T07:30:00+00:00"},
    }

    assert message(context) == (
        "Liveshelf: train_model is late: scheduled__2026-11-20 has not ended by 2026-11-20T07:30:00+00:00"
    )
